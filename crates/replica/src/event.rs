//! The inputs and outputs of a replica: events and actions.

use std::sync::Arc;

use quorate_crypto::Verified;
use quorate_ledger::{Committed, Execution, InvalidBlock, Ledger, Proposal};
use quorate_types::message::{Call, ClientMessage, ClientRequest, PeerMessage};
use quorate_types::operation::Suspicion;
use quorate_types::{
    Block, BlockId, Height, Operation, PublicKey, QuorumCertificate, Sign1, SignedOperation,
    SignedStatement, Statement,
};
use quorate_types::{MonotonicMillis, Round, UnixMillis};

use crate::recover::LogRecord;
use crate::work::{Origin, Proof, Work};

/// The time, as the driver of a replica tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// The clock of this process, which never goes back: timeouts run on it.
    pub monotonic: MonotonicMillis,
    /// The clock of this node's computer: block times are proposed and judged by it.
    pub unix: UnixMillis,
}

/// The events that happen to a replica.
#[derive(Debug)]
pub enum Event {
    /// A message from a committee member or an observer; the channel proves the sender.
    Peer {
        /// The sender's key.
        from: PublicKey,
        /// The message that it sent.
        message: PeerMessage,
    },
    /// A request from an agent; the channel proves the sender.
    Client {
        /// The agent's key.
        from: PublicKey,
        /// The request that it sent.
        request: ClientRequest,
    },
    /// A connection to this key is up.
    Connected(PublicKey),
    /// The last connection to this key is gone.
    Disconnected(PublicKey),
    /// [`Action::Verify`] succeeded.
    Verified(Proof),
    /// [`Action::Verify`] failed: something from this origin is not authentic.
    Refused(Origin),
    /// [`Action::Execute`] is done.
    Executed {
        /// The block that was executed.
        block: BlockId,
        /// The outcome of the execution, or the reason why the block is invalid.
        result: Result<Box<Execution>, InvalidBlock>,
    },
    /// [`Action::Propose`] is done.
    Proposed {
        /// The round that the block was asked for.
        round: Round,
        /// The block that was built.
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

/// The effects that a replica asks for. The driver carries actions out in the order in which it
/// polls them.
#[derive(Debug)]
pub enum Action {
    /// Run [`Work::run`]; answer with [`Event::Verified`] or [`Event::Refused`].
    Verify(Box<Work>),
    /// Execute a block; answer with [`Event::Executed`].
    Execute {
        /// The state to execute on.
        ledger: Arc<Ledger>,
        /// The block to execute.
        block: Arc<Verified<Block>>,
    },
    /// Build a block; answer with [`Event::Proposed`].
    Propose {
        /// The state to build on.
        ledger: Arc<Ledger>,
        /// The round that the block is for.
        round: Round,
        /// The contents of the block.
        proposal: Box<Proposal>,
    },
    /// Append a record of this height to the write-ahead log; durable with the next
    /// [`Action::Sign`].
    Log(Height, LogRecord),
    /// Sync the log, ask the guard, then sign; answer with the `Signed*` event of its kind.
    Sign(ToSign),
    /// Append a decided block and its commit, durably; answer with [`Event::Persisted`].
    Persist {
        /// The decided block.
        block: Arc<Verified<Block>>,
        /// The precommits that decided it.
        commit: QuorumCertificate,
    },
    /// Make the signing guard, which is lost, durably, and at once so that it permits nothing below
    /// this height; answer with [`Event::GuardRaised`]. Only under
    /// [`Voting::Rejoining`](crate::Voting::Rejoining), once.
    RaiseGuard(Height),
    /// Send decided blocks from the store to a peer, as many as are useful at once.
    ServeDecided {
        /// The peer to send to.
        to: PublicKey,
        /// The height of the first block to send.
        from: Height,
    },
    /// Send a message to peers.
    Send(Recipients, PeerMessage),
    /// Send a message to an agent or requester.
    Reply(PublicKey, ClientMessage),
    /// Gossip a call for bids.
    Call(Call),
    /// A block was decided and is part of the state: for indices, metrics and people.
    Committed {
        /// The round it was decided in.
        round: Round,
        /// The decided block.
        block: Arc<Verified<Block>>,
        /// The precommits that decided it.
        commit: QuorumCertificate,
        /// The changes and outcomes that the block brought.
        committed: Arc<Committed>,
    },
    /// Stop, since going on would be wrong. The reason is for the operator.
    Halt(HaltReason),
}

/// The payload that [`Action::Sign`] signs.
#[derive(Debug, Clone)]
pub enum ToSign {
    /// A proposal or vote: signed only if the guard permits it.
    Statement(Statement),
    /// An operation of this validator's own account.
    Operation(Box<Operation>),
    /// A suspicion: this validator no longer hears an assignee.
    Suspicion(Suspicion),
}

/// The recipients of [`Action::Send`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recipients {
    /// This peer alone.
    One(PublicKey),
    /// Every validator except this one.
    All,
}

/// The reason why a replica stops.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HaltReason {
    /// More than two thirds of the power committed a block that execution refuses here.
    #[error(
        "block {block:?} at height {height} is committed, but execution here refuses it: {reason}"
    )]
    Contradiction {
        /// The height of the block.
        height: Height,
        /// The block that is committed.
        block: BlockId,
        /// The reason why execution refuses it.
        reason: String,
    },
    /// A decided block was executed on a state other than the last decided one. The value is its
    /// height.
    #[error("the execution of the block at height {0} is stale: this is a bug, please report it")]
    Stale(Height),
}

/// Counts of things that were seen, dropped or refused, for metrics. They only grow.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Statements of another height, swarm or set, from strangers, or held already.
    pub statements_dropped: u64,
    /// Messages that only members may send, from others.
    pub strangers: u64,
    /// Anything whose signature or quorum did not hold, and accused blocks that were not bad.
    pub unauthentic: u64,
    /// Blocks that nobody asked for.
    pub blocks_dropped: u64,
    /// Operations that were known, too old, too far ahead, or did not fit.
    pub operations_dropped: u64,
    /// Blocks that were judged invalid.
    pub blocks_invalid: u64,
    /// Equivocations and bad blocks that were seen.
    pub evidence: u64,
    /// Evidence from peers that convicts nobody, or nobody any more.
    pub evidence_dropped: u64,
    /// Signatures that were handed out to be checked.
    pub signatures: u64,
}
