//! The cost of a block as it is known before the block is executed. Whoever has other work to do
//! decides by it whether to execute the block in passing.

use quorate_types::{ActiveMillis, Block, Evidence, SignedOperation, Stage};

use crate::propose::Proposal;
use crate::queries::WindowView;
use crate::{Ledger, cost, court, operations};

impl Ledger {
    /// Returns what executing a block costs, in units of about a microsecond: what its operations
    /// and evidence declare, and all that clearings may cost if one may be due (L-6). A window that
    /// has no live bid yet is not counted: it could clear only bids of the block itself.
    pub fn cost_of_block(&self, block: &Block) -> u64 {
        let operations = block.operations.iter();
        let evidence = block.evidence.iter();
        self.declared_cost(operations, evidence, block.header.active_time)
    }

    /// As [`Self::cost_of_block`], for a block that is to be built. It is executed for that.
    pub fn cost_of_proposal(&self, proposal: &Proposal) -> u64 {
        let operations = proposal.operations.iter().map(|verified| &**verified);
        let evidence = proposal.evidence.iter().map(|verified| &**verified);
        let active = self.next_now(proposal.block_time).active;
        self.declared_cost(operations, evidence, active)
    }

    fn declared_cost<'a>(
        &self,
        operations: impl Iterator<Item = &'a SignedOperation>,
        evidence: impl Iterator<Item = &'a Evidence>,
        active: ActiveMillis,
    ) -> u64 {
        let operations = operations.map(|signed| operations::cost_of(&signed.payload.body));
        let evidence = evidence.map(court::cost_of);

        // A window that takes openings ends when all are there, before its time.
        let may_clear = |window: &WindowView| {
            let is_over = window.closes_from.is_some_and(|from| active >= from);
            window.live_bids > 0 && (is_over || window.stage == Stage::Openings)
        };
        let clears = self.windows().iter().any(may_clear);
        let clearings = if clears { cost::CLEARINGS } else { 0 };

        operations
            .chain(evidence)
            .fold(clearings, u64::saturating_add)
    }
}
