//! Proposes one block to some and another, as valid, to others; everyone can have both bodies. Now
//! and then it forgets whom it told what, and somebody hears both.
//!
//! Borne because correct validators prevote the first proposal they see, and at most one of the two
//! gets a polka; who saw the other takes this one by the polka or the commit (N-20). The two
//! proposals convict it.

use quorate_ledger::Proposal;
use quorate_types::message::PeerMessage;
use quorate_types::{Block, Kind, PublicKey};

use super::doubles::Doubles;
use super::{Lie, Mouth};

/// Every so many blocks it forgets.
const FORGETS: u64 = 4;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct ProposalEquivocator {
    other: Option<Block>,
    doubles: Doubles,
    built: u64,
}

impl Lie for ProposalEquivocator {
    fn propose(&mut self, mouth: &mut Mouth<'_>, proposal: &mut Proposal) {
        let mut other = proposal.clone();
        other.block_time += 1;
        other.operations.clear();
        let (block, _) = mouth.replica.ledger().propose(other);
        self.other = Some(block.into_inner());
    }

    fn built(&mut self, _: &mut Mouth<'_>, block: &Block) {
        self.built += 1;
        if let Some(other) = self.other.take() {
            self.doubles.put(block, other);
        }
    }

    fn hears(&mut self, _: &mut Mouth<'_>, _: PublicKey, said: &PeerMessage) -> Vec<PeerMessage> {
        self.doubles.serve(said)
    }

    fn says(
        &mut self,
        mouth: &mut Mouth<'_>,
        to: PublicKey,
        message: PeerMessage,
    ) -> Vec<PeerMessage> {
        if !mouth.hears_otherwise(&to) {
            return vec![message];
        }
        let proposes = mouth
            .own(&message)
            .is_some_and(|own| own.statement.kind == Kind::Proposal);
        let forgets = self.built.is_multiple_of(FORGETS);
        match message {
            PeerMessage::Block(_) => vec![self.doubles.replace(mouth, message.clone()), message],
            _ if proposes && forgets => vec![self.doubles.replace(mouth, message.clone()), message],
            _ if proposes => vec![self.doubles.replace(mouth, message)],
            _ => vec![message],
        }
    }
}
