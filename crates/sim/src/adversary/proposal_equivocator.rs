//! Proposes one block to some validators and another valid block to the rest; everyone can get both
//! bodies. Now and then the liar forgets whom it told what, and somebody hears both proposals.
//!
//! The protocol bears it because a correct validator prevotes the first proposal that it sees, so
//! at most one of the two blocks gets a polka. A validator that saw the other block takes this one
//! by its polka or its commit (N-20). The two proposals convict the liar.

use quorate_ledger::Proposal;
use quorate_types::message::PeerMessage;
use quorate_types::{Block, Kind, PublicKey};

use super::doubles::Doubles;
use super::{LiarContext, Lie};

/// It forgets whom it told what once in this many blocks.
const FORGETS: u64 = 4;

#[derive(Debug, Default)]
pub(super) struct ProposalEquivocator {
    /// The second block of the proposal that is being built.
    other: Option<Block>,
    doubles: Doubles,
    /// The number of blocks that its replica built.
    built: u64,
}

impl Lie for ProposalEquivocator {
    fn propose(&mut self, context: &mut LiarContext<'_>, proposal: &mut Proposal) {
        let mut other = proposal.clone();
        // With another block time and no operations, the block is another one and is still valid.
        other.block_time += 1;
        other.operations.clear();
        let (block, _) = context.replica.ledger().propose(other);
        self.other = Some(block.into_inner());
    }

    fn built(&mut self, _: &mut LiarContext<'_>, block: &Block) {
        self.built += 1;
        if let Some(other) = self.other.take() {
            self.doubles.put(block, other);
        }
    }

    fn hears(
        &mut self,
        _: &mut LiarContext<'_>,
        _: PublicKey,
        said: &PeerMessage,
    ) -> Vec<PeerMessage> {
        self.doubles.serve(said)
    }

    fn says(
        &mut self,
        context: &mut LiarContext<'_>,
        to: PublicKey,
        message: PeerMessage,
    ) -> Vec<PeerMessage> {
        if !context.hears_otherwise(&to) {
            return vec![message];
        }

        let proposes = context
            .own(&message)
            .is_some_and(|own| own.statement.kind == Kind::Proposal);
        let forgets = self.built.is_multiple_of(FORGETS);

        // Everyone can get both bodies. If it forgets, the peer hears both proposals.
        if matches!(message, PeerMessage::Block(_)) || (proposes && forgets) {
            return vec![self.doubles.replace(context, message.clone()), message];
        }

        match proposes {
            true => vec![self.doubles.replace(context, message)],
            false => vec![message],
        }
    }
}
