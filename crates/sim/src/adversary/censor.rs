//! Leaves the bids of one agent out of its blocks: of the first that it sees bidding.
//!
//! Borne because every validator holds the bid and builds when its turn comes; a censor delays an
//! agent, and does not decide who may take part. Nobody can convict it: a mempool proves nothing.

use quorate_ledger::Proposal;
use quorate_types::{PublicKey, SignedOperation};

use super::{Lie, Mouth, is_bid};

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Censor {
    victim: Option<PublicKey>,
}

impl Lie for Censor {
    fn propose(&mut self, mouth: &mut Mouth<'_>, proposal: &mut Proposal) {
        let is_bid = |operation: &SignedOperation| is_bid(&operation.payload.body);
        let bid = proposal
            .operations
            .iter()
            .find(|operation| is_bid(operation));
        let Some(victim) = self.victim.or(bid.map(|bid| bid.signer)) else {
            return;
        };
        self.victim = Some(victim);
        let before = proposal.operations.len();
        proposal
            .operations
            .retain(|operation| operation.signer != victim || !is_bid(operation));
        mouth.lies += (before - proposal.operations.len()) as u64;
    }
}
