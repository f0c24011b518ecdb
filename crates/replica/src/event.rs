//! The inputs of a replica, and the values that it is asked for.

use quorate_crypto::Verified;
use quorate_ledger::{Execution, InvalidBlock};
use quorate_types::message::{ClientRequest, PeerMessage};
use quorate_types::operation::Suspicion;
use quorate_types::{
    Block, BlockId, Evidence, Height, MonotonicMillis, PublicKey, QuorumCertificate, Round, Sign1,
    SignedOperation, SignedStatement, UnixMillis,
};

/// The time, as the driver of a replica tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// The clock of this process, which never goes back: timeouts run on it.
    pub monotonic: MonotonicMillis,
    /// The clock of this node's computer: block times are proposed and judged by it.
    pub unix: UnixMillis,
}

/// The origin of something unverified, which is charged if it does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The peer with this key.
    Peer(PublicKey),
    /// A request of a client, which waits for an answer.
    Client {
        /// The client's key.
        from: PublicKey,
        /// The number of the request, chosen by the client.
        id: u64,
    },
    /// This process itself.
    Local,
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
    /// A check failed: something from this origin is not authentic.
    Refused(Origin),
    /// A proposal or vote, whose signature holds.
    Statement(Verified<SignedStatement>),
    /// A polka or commit certificate, whose quorum holds.
    Certificate(Verified<QuorumCertificate>),
    /// A block body whose signatures all hold.
    Block(Box<Verified<Block>>),
    /// The body that a header binds, with a signature in it that does not hold.
    ForgedBlock {
        /// The peer that sent the body.
        from: PublicKey,
        /// The body.
        block: Box<Block>,
    },
    /// A decided block with its commit, which both hold.
    Decided {
        /// The peer that sent the block.
        from: PublicKey,
        /// The decided block.
        block: Box<Verified<Block>>,
        /// The precommits that decided it.
        commit: Verified<QuorumCertificate>,
    },
    /// Operations whose signatures were checked.
    Operations {
        /// The origin of the operations.
        origin: Origin,
        /// Those whose signatures hold.
        held: Vec<Verified<SignedOperation>>,
        /// The number of those whose signatures do not.
        refused: u64,
    },
    /// Evidence that convicts a validator. An accused block was executed for it.
    Evidence {
        /// The origin of the evidence.
        origin: Origin,
        /// The evidence.
        evidence: Box<Verified<Evidence>>,
    },
    /// A suspicion of an assignee by a validator, whose signature holds.
    Suspicion(Verified<Sign1<Suspicion>>),
    /// [`Work::Execute`](crate::Work::Execute) is done.
    Executed {
        /// The block that was executed.
        block: BlockId,
        /// The outcome of the execution, or the reason why the block is invalid.
        result: Result<Box<Execution>, InvalidBlock>,
    },
    /// [`Work::Propose`](crate::Work::Propose) is done.
    Proposed {
        /// The round that the block was asked for.
        round: Round,
        /// The block that was built.
        block: Box<Verified<Block>>,
    },
    /// [`Write::Sign`](crate::Write::Sign) of a statement is done, and durable.
    SignedStatement(Verified<SignedStatement>),
    /// [`Write::Sign`](crate::Write::Sign) of an operation is done.
    SignedOperation(Box<Verified<SignedOperation>>),
    /// [`Write::Sign`](crate::Write::Sign) of a suspicion is done.
    SignedSuspicion(Verified<Sign1<Suspicion>>),
    /// [`Write::Persist`](crate::Write::Persist) is done: the decision is on disk.
    Persisted(Height),
    /// [`Write::RaiseGuard`](crate::Write::RaiseGuard) is done, durably.
    GuardRaised(Height),
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
