//! Builds a block when it is this node's turn.

use std::sync::Arc;

use quorate_crypto::Verified;
use quorate_ledger::Proposal;
use quorate_types::message::PeerMessage;
use quorate_types::{Block, Round, limits};

use crate::event::Action;
use crate::replica::Replica;

impl Replica {
    /// Asks for a block for `round`, as the driver wants it.
    pub(crate) fn on_build(&mut self, round: Round) {
        // After a decision that a peer brought, this node builds nothing for the height (N-33).
        if self.replaying || self.sync.brought {
            return;
        }

        // Block time increases strictly, even if this node's clock is behind (L-3).
        let proposal = Proposal {
            block_time: self.now.unix.max(self.ledger.block_time() + 1),
            builder: self.config.me,
            missed_turns: round,
            previous_commit: self.last_commit.clone().map(Verified::into_proof),
            operations: self.pool.offer(&self.ledger, limits::OPERATIONS_PER_BLOCK),
            evidence: self.evidence.offer(),
        };

        let ledger = Arc::clone(&self.ledger);
        self.act(Action::Propose {
            ledger,
            round,
            proposal: Box::new(proposal),
        });
    }

    /// Takes a block that was built. Its body is sent first, so that it has arrived when the
    /// proposal comes.
    ///
    /// The proposal convicts its signer if the block is bad, and memory errs. So this node executes
    /// its block as it would execute another's, and [`Self::on_executed`] goes on if the block is
    /// good (N-8). Other validators check the body meanwhile.
    pub(crate) fn on_proposed(&mut self, round: Round, block: Verified<Block>) {
        if block.header.height != self.height() {
            return;
        }

        if block.operations.is_empty() {
            self.pool.drop_offered();
        }

        let id = block.header.id();
        let block = Arc::new(block);
        self.candidates.insert_own(round, Arc::clone(&block));
        self.log_body(&id);

        self.broadcast(PeerMessage::Block(Box::new((**block).clone())));
        self.act(Action::Execute {
            ledger: Arc::clone(&self.ledger),
            block,
        });
    }
}
