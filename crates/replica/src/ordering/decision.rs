//! The way of a decision into the state: its block is executed, then made durable.

use std::sync::Arc;

use quorate_crypto::Verified;
use quorate_ledger::Execution;
use quorate_types::{Block, BlockId, QuorumCertificate};

use super::candidates::{Candidates, execute};
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
            None => execute(cx, block),
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
