//! Votes differently to different peers: nil if it votes for a block, and the proposed block if it
//! votes nil. Now and then it forgets whom it told what, and somebody hears both votes.
//!
//! The protocol bears it because two quorums share a correct validator, which votes once (N-5). A
//! certificate also counts for a validator that saw the other vote (N-6). The two votes convict the
//! liar once somebody has both.

use quorate_types::message::PeerMessage;
use quorate_types::{Block, BlockId, Height, Kind, PublicKey, Statement};

use super::{LiarContext, Lie};

/// It forgets whom it told what once in this many lies.
const FORGETS: u64 = 8;

#[derive(Debug, Default)]
pub(super) struct VoteEquivocator {
    /// The block of the newest proposal that it knows, with its height.
    proposed: Option<(Height, BlockId)>,
    /// The number of lies that it told.
    lies: u64,
}

impl Lie for VoteEquivocator {
    fn built(&mut self, _: &mut LiarContext<'_>, block: &Block) {
        self.proposed = Some((block.header.height, block.header.id()));
    }

    fn hears(
        &mut self,
        _: &mut LiarContext<'_>,
        _: PublicKey,
        said: &PeerMessage,
    ) -> Vec<PeerMessage> {
        if let PeerMessage::Statement(signed) = said
            && signed.statement.kind == Kind::Proposal
        {
            self.proposed = signed
                .statement
                .block
                .map(|id| (signed.statement.height, id));
        }

        Vec::new()
    }

    fn says(
        &mut self,
        context: &mut LiarContext<'_>,
        to: PublicKey,
        message: PeerMessage,
    ) -> Vec<PeerMessage> {
        let own = context.own_vote(&message);
        let Some(vote) = own.filter(|_| context.hears_otherwise(&to)) else {
            return vec![message];
        };

        let other = self.other_story(&vote.statement);

        // If it knows no block to vote for, it has only one story.
        if other == vote.statement {
            return vec![message];
        }

        context.lies += 1;
        self.lies += 1;

        match self.lies.is_multiple_of(FORGETS) {
            true => vec![context.sign(other), message],
            false => vec![context.sign(other)],
        }
    }
}

impl VoteEquivocator {
    /// The vote for nil if this one is for a block, and otherwise for the proposed block, if it
    /// knows that block.
    fn other_story(&self, vote: &Statement) -> Statement {
        let known = self.proposed.filter(|(height, _)| *height == vote.height);
        let mut other = vote.clone();

        other.block = match vote.block {
            Some(_) => None,
            None => known.map(|(_, block)| block),
        };

        other
    }
}
