//! Leaves the bids of one agent out of its blocks: of the first agent that it sees bidding.
//!
//! The protocol bears it because every validator holds the bid and builds a block when its turn
//! comes. A censor delays an agent, but does not decide which agents may take part. Nobody can
//! convict it, because a mempool proves nothing.

use quorate_ledger::Proposal;
use quorate_types::{PublicKey, SignedOperation};

use super::{LiarContext, Lie, is_bid};

#[derive(Debug, Default)]
pub(super) struct Censor {
    /// The agent that it censors, once it has chosen one.
    victim: Option<PublicKey>,
}

impl Lie for Censor {
    fn propose(&mut self, context: &mut LiarContext<'_>, proposal: &mut Proposal) {
        let is_bid = |operation: &SignedOperation| is_bid(&operation.payload.body);
        let bid = proposal
            .operations
            .iter()
            .find(|operation| is_bid(operation));

        // The first bidder becomes the victim and stays it.
        let Some(victim) = self.victim.or(bid.map(|bid| bid.signer)) else {
            return;
        };

        self.victim = Some(victim);

        let before = proposal.operations.len();
        proposal
            .operations
            .retain(|operation| operation.signer != victim || !is_bid(operation));

        context.lies += (before - proposal.operations.len()) as u64;
    }
}
