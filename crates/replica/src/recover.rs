//! The log of a height and the recovery from it: the same inputs in the same order (N-21, N-32).

use std::sync::Arc;

use quorate_consensus::{Input, Step, Verdict};
use quorate_crypto::{Known, Verified, verify_block, verify_quorum, verify_statement};
use quorate_ledger::Committed;
use quorate_types::{
    Block, BlockId, Height, PublicKey, QuorumCertificate, Round, SignedOperation, SignedStatement,
};
use serde::{Deserialize, Serialize};

use crate::height::driver_for;
use crate::replica::Replica;

/// One record of the write-ahead log, written in canonical CBOR.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogRecord {
    /// The height was started. The value is 0 and carries nothing.
    Start(u8),
    /// A statement that was counted.
    Statement(SignedStatement),
    /// A certificate that was counted.
    Certificate(QuorumCertificate),
    /// A verdict on a block: its id, whether it is valid, its builder, its build round, and whether
    /// it was timely.
    Verdict(BlockId, bool, PublicKey, Round, bool),
    /// A block of this node was built for a round.
    Built(Round, BlockId),
    /// A timeout fired, with its round and step (0 propose, 1 prevote, 2 precommit).
    Timeout(Round, u8),
    /// The body of a block that was judged valid, or that this node built.
    Block(Box<Block>),
}

/// The reason why a log cannot have been written by this replica. The value is the index of the
/// record, from 0.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecoverError {
    /// A signature or quorum in the record does not hold.
    #[error("record {0} of the log does not verify: this node cannot have written it")]
    Unauthentic(usize),
    /// The step code in the record is not a valid step.
    #[error("record {0} of the log has a step code that is not 0, 1 or 2")]
    Malformed(usize),
}

/// The reason why a stored block does not follow from the blocks before it. The value is its
/// height.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RestoreError {
    /// The stored commit is not a commit for the stored block by its validator set.
    #[error("the stored commit at height {0} does not decide the stored block")]
    Commit(Height),
    /// Executing the stored block does not give the roots that its header names.
    #[error("the stored block at height {0} does not execute to the roots that its header names")]
    Block(Height),
}

impl LogRecord {
    pub(crate) fn of_input(input: &Input) -> Self {
        match input {
            Input::Start => Self::Start(0),
            Input::Statement(signed) => Self::Statement((**signed).clone()),
            Input::Certificate(certificate) => Self::Certificate((**certificate).clone()),

            Input::Verdict(Verdict {
                block,
                valid,
                builder,
                build_round,
                timely,
            }) => Self::Verdict(*block, *valid, *builder, *build_round, *timely),

            Input::Built { round, block } => Self::Built(*round, *block),
            Input::Timeout { round, step } => Self::Timeout(*round, step_code(*step)),
        }
    }
}

/// Vouches for the signatures on this node's own disk: they were verified before they were written.
struct OwnDisk;

impl Known for OwnDisk {
    fn operation(&self, _: &SignedOperation) -> bool {
        true
    }

    fn statement(&self, _: &SignedStatement) -> bool {
        true
    }
}

impl Replica {
    /// Takes over the next decided block from before a restart. Signatures are not checked again.
    /// It is checked again that the commit names the block and that execution gives its roots.
    ///
    /// # Errors
    /// [`RestoreError`]: the disk holds another history than this program would have written.
    pub fn restore(&mut self, block: Block, commit: QuorumCertificate) -> Result<(), RestoreError> {
        let commit = self.verify_stored_commit(&block, commit)?;
        let block = self.verify_stored_block(block)?;
        let committed = self.apply_stored_block(&block)?;

        // Certificates of this block can be served again.
        self.note_handover(&block.header, &commit);
        self.clients.record(&block.header, &commit, &committed);

        self.last_commit = Some(commit);
        self.driver = driver_for(&self.ledger, &self.config);

        Ok(())
    }

    /// Returns the stored commit as verified, if it is one for this block. Its votes were verified
    /// before they were stored.
    fn verify_stored_commit(
        &self,
        block: &Block,
        commit: QuorumCertificate,
    ) -> Result<Verified<QuorumCertificate>, RestoreError> {
        let bad = RestoreError::Commit(self.height());
        if commit.statement.block != Some(block.header.id()) {
            return Err(bad);
        }

        let known = |_: &SignedStatement| true;
        verify_quorum(commit, self.ledger.validators(), &known).map_err(|_| bad)
    }

    fn verify_stored_block(&self, block: Block) -> Result<Verified<Block>, RestoreError> {
        verify_block(block, self.ledger.previous_validators(), &OwnDisk)
            .map_err(|_| RestoreError::Block(self.height()))
    }

    /// Executes a stored block on the current state, makes the result the state, and returns what
    /// it brought.
    fn apply_stored_block(&mut self, block: &Verified<Block>) -> Result<Committed, RestoreError> {
        let bad = RestoreError::Block(self.height());
        let execution = self.ledger.execute(block).map_err(|_| bad)?;

        let ledger = Arc::make_mut(&mut self.ledger);
        ledger.commit(execution).map_err(|_| bad)
    }

    /// Takes the inputs of this height from the log of an earlier run, in order, then goes on where
    /// that run ended. What it was about to sign is signed now, with the same bytes.
    ///
    /// # Errors
    /// [`RecoverError`] naming the record. The replica must not be used then.
    pub fn recover(&mut self, records: Vec<LogRecord>) -> Result<(), RecoverError> {
        // While `replaying` is set, no action leaves: the earlier run carried them out already.
        self.replaying = true;
        for (at, record) in records.into_iter().enumerate() {
            self.replay(at, record)?;
        }

        self.replaying = false;
        self.resume();
        Ok(())
    }

    fn replay(&mut self, at: usize, record: LogRecord) -> Result<(), RecoverError> {
        let input = match record {
            LogRecord::Start(_) => {
                self.started = true;
                Input::Start
            }

            LogRecord::Statement(signed) => {
                let held = verify_statement(signed).map_err(|_| RecoverError::Unauthentic(at))?;
                Input::Statement(held)
            }

            LogRecord::Certificate(certificate) => {
                let held = verify_quorum(certificate, self.ledger.validators(), &|_| false)
                    .map_err(|_| RecoverError::Unauthentic(at))?;
                Input::Certificate(held)
            }

            LogRecord::Verdict(block, valid, builder, build_round, timely) => {
                // The verdict comes from the log, so the body must not be judged a second time.
                self.mark_judged(&block);
                Input::Verdict(Verdict {
                    block,
                    valid,
                    builder,
                    build_round,
                    timely,
                })
            }

            LogRecord::Built(round, block) => Input::Built { round, block },

            LogRecord::Timeout(round, code) => {
                let step = step_of(code).ok_or(RecoverError::Malformed(at))?;
                Input::Timeout { round, step }
            }

            // A body is no input of the driver: it waits among the candidates.
            LogRecord::Block(block) => return self.replay_body(at, *block),
        };

        self.feed(input);
        Ok(())
    }

    /// Takes a body from record `at` of the log.
    fn replay_body(&mut self, at: usize, block: Block) -> Result<(), RecoverError> {
        let context = self.block_context(&block);
        let block = verify_block(block, &context.previous, &context)
            .map_err(|_| RecoverError::Unauthentic(at))?;

        self.on_verified_block(block);
        Ok(())
    }

    /// Carries on the work that the earlier run left open. A statement that it had signed is asked
    /// for again, and the guard gives the same signature.
    fn resume(&mut self) {
        for output in self.driver.unanswered() {
            self.on_output(output);
        }

        let decided = self.sync.committing.as_ref();
        if let Some(block) = decided.and_then(|commit| commit.statement.block) {
            self.resume_decided(&block);
        }

        // The others may have decided meanwhile: they are told where this node is.
        if self.started {
            self.on_resend();
        }

        self.watch_leases();
        self.locate_others();
        self.await_height();
    }
}

fn step_code(step: Step) -> u8 {
    match step {
        Step::Unstarted | Step::Propose => 0,
        Step::Prevote => 1,
        Step::Precommit | Step::Decided => 2,
    }
}

fn step_of(code: u8) -> Option<Step> {
    match code {
        0 => Some(Step::Propose),
        1 => Some(Step::Prevote),
        2 => Some(Step::Precommit),
        _ => None,
    }
}
