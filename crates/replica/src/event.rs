//! What goes into a replica and what comes out.

use std::sync::Arc;

use quorate_crypto::Verified;
use quorate_ledger::{Committed, Execution, InvalidBlock, Ledger, Proposal};
use quorate_types::Round;
use quorate_types::message::{Call, ClientMessage, ClientRequest, PeerMessage};
use quorate_types::operation::Suspicion;
use quorate_types::{
    Block, BlockId, Height, Millis, Operation, PublicKey, QuorumCertificate, Sign1,
    SignedOperation, SignedStatement, Statement,
};

use crate::recover::LogRecord;
use crate::work::{Origin, Proof, Work};

/// The time, as the driver of a replica tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// Milliseconds that never go back: timeouts run on it.
    pub monotonic: Millis,
    /// Unix milliseconds: block times are proposed and judged by it.
    pub unix: Millis,
}

/// What happens to a replica.
#[derive(Debug)]
pub enum Event {
    /// A committee member or observer said something; the channel proves who.
    Peer {
        /// The peer's key.
        from: PublicKey,
        /// What it said.
        message: PeerMessage,
    },
    /// An agent asked something; the channel proves who.
    Client {
        /// The agent's key.
        from: PublicKey,
        /// What it asked.
        request: ClientRequest,
    },
    /// A connection to this key is up.
    Connected(PublicKey),
    /// The last connection to this key is gone.
    Disconnected(PublicKey),
    /// [`Action::Verify`] succeeded.
    Verified(Proof),
    /// [`Action::Verify`] failed: something is not authentic.
    Refused(Origin),
    /// [`Action::Execute`] is done.
    Executed {
        /// The block.
        block: BlockId,
        /// What executing it gives, or why it is invalid.
        result: Result<Box<Execution>, InvalidBlock>,
    },
    /// [`Action::Propose`] is done.
    Proposed {
        /// The round it was asked for.
        round: Round,
        /// The block.
        block: Box<Verified<Block>>,
    },
    /// [`Action::Sign`] of a statement is done, and durable.
    SignedStatement(Verified<SignedStatement>),
    /// [`Action::Sign`] of an operation is done.
    SignedOperation(Box<Verified<SignedOperation>>),
    /// [`Action::Sign`] of a suspicion is done.
    SignedSuspicion(Verified<Sign1<Suspicion>>),
    /// [`Action::Persist`] is done: the decision is on disk.
    Persisted(Height),
    /// [`Action::RaiseGuard`] is done, durably.
    GuardRaised(Height),
}

/// What a replica wants done. Actions are carried out in the order they are polled.
#[derive(Debug)]
pub enum Action {
    /// Run [`Work::run`]; answer with [`Event::Verified`] or [`Event::Refused`].
    Verify(Box<Work>),
    /// Execute a block; answer with [`Event::Executed`].
    Execute {
        /// State to execute on.
        ledger: Arc<Ledger>,
        /// Block.
        block: Arc<Verified<Block>>,
    },
    /// Build a block; answer with [`Event::Proposed`].
    Propose {
        /// State to build on.
        ledger: Arc<Ledger>,
        /// Round it is for.
        round: Round,
        /// What goes in.
        proposal: Box<Proposal>,
    },
    /// Append to the write-ahead log; durable with the next [`Action::Sign`].
    Log(Height, LogRecord),
    /// Sync the log, ask the guard, sign; answer with the `Signed*` event of its kind.
    Sign(ToSign),
    /// Append a decided block and its commit, durably; answer with [`Event::Persisted`].
    Persist {
        /// Block.
        block: Arc<Verified<Block>>,
        /// Commit.
        commit: QuorumCertificate,
    },
    /// Make the signing guard, which is lost, durably and at once so that it permits nothing below
    /// this height; answer with [`Event::GuardRaised`]. Only under
    /// [`Voting::Rejoining`](crate::Voting::Rejoining), once.
    RaiseGuard(Height),
    /// Send decided blocks from the store to a peer, as many as are useful at once.
    ServeDecided {
        /// Peer.
        to: PublicKey,
        /// First height.
        from: Height,
    },
    /// Send to peers.
    Send(Recipients, PeerMessage),
    /// Send to an agent.
    Reply(PublicKey, ClientMessage),
    /// Gossip a call for bids.
    Call(Call),
    /// A block was decided and is part of the state: for indices, metrics and people.
    Committed {
        /// The round it was decided in.
        round: Round,
        /// The decided block.
        block: Arc<Verified<Block>>,
        /// Its commit.
        commit: QuorumCertificate,
        /// What it did.
        committed: Arc<Committed>,
    },
    /// Stop: going on would be wrong. The reason is for the operator.
    Halt(HaltReason),
}

/// What [`Action::Sign`] signs.
#[derive(Debug, Clone)]
pub enum ToSign {
    /// A proposal or vote: only with the guard's permission.
    Statement(Statement),
    /// An operation of this validator's own account.
    Operation(Box<Operation>),
    /// That an assignee is no longer heard.
    Suspicion(Suspicion),
}

/// Whom [`Action::Send`] goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recipients {
    /// One peer.
    One(PublicKey),
    /// Every validator but this one.
    All,
}

/// Why a replica stops.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HaltReason {
    /// More than two thirds of the power committed a block that execution refuses here.
    #[error("block {block:?} at height {height} is committed, but invalid here: {reason}")]
    Contradiction {
        /// Height.
        height: Height,
        /// Block.
        block: BlockId,
        /// What is wrong with it.
        reason: String,
    },
    /// A decided block was executed on another state than the last decided one.
    #[error("the execution of the block at height {0} is stale: a fault of this program")]
    Stale(Height),
}

/// What was dropped or refused, for metrics. Grows only.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Statements of another height, swarm or set, from strangers, or held already.
    pub statements_dropped: u64,
    /// Messages that only members may send, from others.
    pub strangers: u64,
    /// Anything whose signature or quorum did not hold, and accused blocks that were not bad.
    pub unauthentic: u64,
    /// Blocks nobody asked for.
    pub blocks_dropped: u64,
    /// Operations that were known, too old, too far ahead, or did not fit.
    pub operations_dropped: u64,
    /// Blocks judged invalid.
    pub blocks_invalid: u64,
    /// Equivocations and bad blocks seen.
    pub evidence: u64,
    /// Evidence from peers that convicts nobody, or nobody any more.
    pub evidence_dropped: u64,
    /// Signatures checked.
    pub signatures: u64,
}
