//! From a decision to the next height: persists the block, applies it, tells clients, and starts
//! again.

use std::sync::Arc;

use quorate_crypto::Verified;
use quorate_ledger::Committed;
use quorate_types::{Block, BlockId, Height, QuorumCertificate, Round};

use crate::event::{Action, HaltReason};
use crate::height::driver_for;
use crate::replica::Replica;
use crate::timers::Timer;

impl Replica {
    /// Takes the driver's decision. The block is executed already, unless the decision came out of
    /// the log.
    pub(crate) fn on_decided(&mut self, commit: Verified<QuorumCertificate>) {
        let Some(block) = commit.statement.block else {
            return;
        };

        self.sync.committing = Some(commit);
        if !self.replaying {
            self.resume_decided(&block);
        }
    }

    /// Goes on with a decision once its block is executed.
    pub(crate) fn resume_decided(&mut self, id: &BlockId) {
        let Some(commit) = &self.sync.committing else {
            return;
        };

        let Some(block) = self.candidates.body(id) else {
            return;
        };

        if commit.statement.block != Some(*id) || self.sync.persisting {
            return;
        }

        match self.candidates.take_execution(id) {
            Some(execution) => {
                self.sync.persisting = true;
                self.sync.execution = Some(execution);
                let commit = (**commit).clone();
                self.act(Action::Persist { block, commit });
            }
            // After a restart: the log holds the body and the verdict, but not the execution.
            None => self.act(Action::Execute {
                ledger: Arc::clone(&self.ledger),
                block,
            }),
        }
    }

    /// Makes the execution of a decision the state, once the decision is durable.
    pub(crate) fn on_persisted(&mut self, height: Height) {
        if height != self.height() {
            return;
        }

        let (Some(commit), Some(execution)) =
            (self.sync.committing.take(), self.sync.execution.take())
        else {
            return;
        };

        let decided = commit.statement.block;
        let Some(block) = decided.and_then(|id| self.candidates.body(&id)) else {
            return;
        };

        self.measure_height(commit.statement.round);

        // The execution must have been made on exactly the current state.
        let Ok(committed) = Arc::make_mut(&mut self.ledger).commit(*execution) else {
            self.halt(HaltReason::Stale(height));
            return;
        };

        self.prune(&block);
        self.announce(block, &commit, committed);

        self.last_commit = Some(commit);
        self.next_height();
    }

    /// Takes in how long the height took, if it was decided in round 0: only a height without a
    /// failed round measures that.
    fn measure_height(&mut self, round: Round) {
        if round == 0 && self.started {
            let elapsed = self.now.monotonic.saturating_since(self.started_at);
            self.pace.observe(elapsed);
        }
    }

    fn prune(&mut self, block: &Verified<Block>) {
        self.evidence.prune(&self.ledger);

        let agents = block
            .operations
            .iter()
            .map(|operation| operation.payload.agent);
        self.pool.prune(&self.ledger, agents);
        self.leases.prune(&self.ledger);
    }

    /// Tells the driver and the clients of a block that is part of the state now.
    fn announce(
        &mut self,
        block: Arc<Verified<Block>>,
        commit: &QuorumCertificate,
        committed: Committed,
    ) {
        let committed = Arc::new(committed);

        self.act(Action::Committed {
            round: commit.statement.round,
            block: Arc::clone(&block),
            commit: commit.clone(),
            committed: Arc::clone(&committed),
        });

        self.tell_clients(&block, commit, &committed);
    }

    fn next_height(&mut self) {
        let next = driver_for(&self.ledger, &self.config);
        // The commit in the next block is compared with the votes of this driver (N-24).
        self.last_driver = Some(std::mem::replace(&mut self.driver, next));
        self.started = false;
        self.committed_at = self.now.monotonic;
        self.candidates.clear();

        // A decision that a peer brought is rarely the last one: this node asks for the next.
        let brought = self.sync.brought;
        self.sync.begin_height();

        self.timers.clear_steps_below(None);
        self.timers.clear(Timer::Fetch);
        self.timers.clear(Timer::Resend);

        if brought {
            self.ask_for_more();
        }

        // The new height is set up now: inputs that waited for it may be handled.
        self.watch_leases();
        self.rejoin_if_proved();
        self.repeat_evidence();
        self.take_early();
        self.await_height();
    }
}
