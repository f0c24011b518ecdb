//! The way of a decision into the state: its block is executed, then made durable.

use std::sync::Arc;

use quorate_crypto::Verified;
use quorate_ledger::Execution;
use quorate_types::{Block, BlockId, QuorumCertificate};

use super::candidates::Candidates;
use crate::action::Write;
use crate::context::Context;
use crate::event::HaltReason;
use crate::signal::{Decided, Signal};

/// The decision of a height, until it is part of the state.
#[derive(Debug, Default)]
pub(super) enum Decision {
    /// There is none yet.
    #[default]
    Open,
    /// Its block is being executed.
    Executing(Verified<QuorumCertificate>),
    /// It is being made durable.
    Persisting {
        commit: Verified<QuorumCertificate>,
        execution: Box<Execution>,
    },
}

impl Decision {
    pub(super) fn is_made(&self) -> bool {
        !matches!(self, Self::Open)
    }

    /// The block that is decided and not made durable yet.
    pub(super) fn awaited(&self) -> Option<BlockId> {
        match self {
            Self::Executing(commit) => commit.statement.block,
            Self::Open | Self::Persisting { .. } => None,
        }
    }

    /// Takes the commit of this height.
    pub(super) fn make(&mut self, commit: Verified<QuorumCertificate>) {
        *self = Self::Executing(commit);
    }

    /// Makes the decision durable, if it is one for this block and the block is executed.
    pub(super) fn persist(
        &mut self,
        cx: &mut Context<'_>,
        candidates: &mut Candidates,
        id: &BlockId,
    ) {
        if self.awaited() != Some(*id) {
            return;
        }

        let Some(block) = candidates.body(id) else {
            return;
        };

        if candidates.refusal(id).is_some() {
            halt(cx, candidates, *id);
            return;
        }

        match candidates.take_execution(id) {
            Some(execution) => self.write(cx, block, execution),
            // After a restart: the log holds the body and the verdict, but not the execution.
            None => candidates.execute(cx, id),
        }
    }

    fn write(
        &mut self,
        cx: &mut Context<'_>,
        block: Arc<Verified<Block>>,
        execution: Box<Execution>,
    ) {
        let Self::Executing(commit) = std::mem::take(self) else {
            return;
        };

        cx.write(Write::Persist {
            block,
            commit: (*commit).clone(),
        });
        *self = Self::Persisting { commit, execution };
    }

    /// Takes the decision out, now that it is durable. `None` if none was being made durable.
    pub(super) fn take_durable(&mut self, candidates: &Candidates) -> Option<Decided> {
        let Self::Persisting { commit, execution } = std::mem::take(self) else {
            return None;
        };

        let block = candidates.body(&commit.statement.block?)?;
        Some(Decided {
            block,
            execution,
            proof: commit,
        })
    }
}

/// Stops, since a block is committed that cannot be decided here.
pub(super) fn halt(cx: &mut Context<'_>, candidates: &Candidates, block: BlockId) {
    let reason = candidates.refusal(&block).unwrap_or("unknown");

    cx.tell(Signal::Halt(HaltReason::Contradiction {
        height: cx.height(),
        block,
        reason: reason.to_owned(),
    }));
}

#[cfg(test)]
mod tests {
    use quorate_types::Kind;

    use super::super::pace::TimeoutConfig;
    use super::*;
    use crate::testing::{Bench, Taken};

    /// A decision for a block, and candidates that hold its body.
    fn made(bench: &mut Bench, block: &Verified<Block>) -> (Decision, Candidates) {
        let mut candidates = Candidates::new(TimeoutConfig::default());
        candidates.keep_own(&mut bench.cx(), 0, &Arc::new(block.clone()));
        let mut decision = Decision::default();
        decision.make(bench.certificate(Kind::Precommit, &block.header));
        bench.take();
        (decision, candidates)
    }

    fn execute_now(bench: &mut Bench, candidates: &mut Candidates, block: &Verified<Block>) {
        let result = bench.ledger().execute(block).map(Box::new);
        candidates.on_executed(&mut bench.cx(), &block.header.id(), result);
        bench.take();
    }

    fn persist(
        decision: &mut Decision,
        bench: &mut Bench,
        candidates: &mut Candidates,
        block: &Block,
    ) -> Taken {
        decision.persist(&mut bench.cx(), candidates, &block.header.id());
        bench.take()
    }

    #[test]
    fn a_decision_is_executed_then_made_durable_then_taken_out() {
        let mut bench = Bench::new();
        let block = bench.next_block();
        let (mut decision, mut candidates) = made(&mut bench, &block);
        assert_eq!(decision.awaited(), Some(block.header.id()));
        let taken = persist(&mut decision, &mut bench, &mut candidates, &block);
        assert!(taken.is_empty(), "it is being executed");
        execute_now(&mut bench, &mut candidates, &block);
        let taken = persist(&mut decision, &mut bench, &mut candidates, &block);
        assert!(matches!(taken.writes()[..], [Write::Persist { .. }]));
        assert!(decision.is_made() && decision.awaited().is_none());
        let again = persist(&mut decision, &mut bench, &mut candidates, &block);
        assert!(again.is_empty(), "once");
        let decided = decision.take_durable(&candidates).unwrap();
        assert_eq!(decided.block.header, block.header);
        assert!(decision.take_durable(&candidates).is_none());
    }

    #[test]
    fn a_block_that_was_not_decided_is_not_made_durable() {
        let mut bench = Bench::new();
        let (first, second) = (bench.next_block(), bench.block(bench.builder(1), 1));
        let (mut decision, mut candidates) = made(&mut bench, &first);
        candidates.keep_own(&mut bench.cx(), 1, &Arc::new(second.clone()));
        execute_now(&mut bench, &mut candidates, &second);
        let taken = persist(&mut decision, &mut bench, &mut candidates, &second);
        assert!(taken.is_empty());
        let mut open = Decision::default();
        assert!(!open.is_made());
        assert!(persist(&mut open, &mut bench, &mut candidates, &second).is_empty());
    }

    #[test]
    fn a_decided_block_whose_body_is_not_here_is_awaited() {
        let mut bench = Bench::new();
        let block = bench.next_block();
        let (mut decision, _) = made(&mut bench, &block);
        let mut none = Candidates::new(TimeoutConfig::default());
        assert!(persist(&mut decision, &mut bench, &mut none, &block).is_empty());
        assert_eq!(decision.awaited(), Some(block.header.id()));
    }

    #[test]
    fn a_decided_block_that_execution_refuses_halts() {
        let mut bench = Bench::new();
        let block = bench.bad_block();
        let (mut decision, mut candidates) = made(&mut bench, &block);
        execute_now(&mut bench, &mut candidates, &block);
        let taken = persist(&mut decision, &mut bench, &mut candidates, &block);
        let [Signal::Halt(HaltReason::Contradiction { reason, .. })] = &taken.signals[..] else {
            panic!("{taken:?}")
        };
        assert!(reason.contains("state root"), "{reason}");
        assert!(taken.actions.is_empty());
    }
}
