//! The outputs of a replica: actions for the world, and writes for this node's disk and key.

use std::sync::Arc;

use quorate_crypto::Verified;
use quorate_ledger::Committed;
use quorate_types::message::{Call, ClientMessage, PeerMessage};
use quorate_types::operation::Suspicion;
use quorate_types::{Block, Height, Operation, PublicKey, QuorumCertificate, Round, Statement};

use crate::event::HaltReason;
use crate::ordering::LogRecord;
use crate::work::Work;

/// The effects that a replica asks for. The driver carries actions out in the order in which it
/// polls them.
///
/// `D` is the form in which the disk's part comes: as a [`Write`] from a bare [`crate::Replica`].
/// Whoever owns the disk carries writes out itself, and hands on what they gave.
#[derive(Debug)]
pub enum Action<D = Write> {
    /// A write, or the result of one.
    Disk(D),
    /// Run [`Work::run`], at once if [`Work::is_quick`], otherwise on another thread; answer with
    /// the event that it returns. Other events may come before that one.
    Run(Box<Work>),
    /// Send a message to peers.
    Send(Recipients, PeerMessage),
    /// Send an answer to an agent or requester.
    Reply(PublicKey, ClientMessage),
    /// Send the same message to these agents and requesters. It is encoded once for all.
    Notify(Vec<PublicKey>, ClientMessage),
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
}

impl Action {
    /// Carries out the disk's part by `write`, which may leave something for the driver to do. The
    /// other actions stay as they are.
    ///
    /// # Errors
    /// The error of `write`.
    pub fn with_disk<D, E>(
        self,
        write: impl FnOnce(Write) -> Result<Option<D>, E>,
    ) -> Result<Option<Action<D>>, E> {
        Ok(Some(match self {
            Self::Disk(disk) => return Ok(write(disk)?.map(Action::Disk)),
            Self::Run(work) => Action::Run(work),
            Self::Send(to, message) => Action::Send(to, message),
            Self::Reply(to, message) => Action::Reply(to, message),
            Self::Notify(to, message) => Action::Notify(to, message),
            Self::Call(call) => Action::Call(call),
            Self::Committed {
                round,
                block,
                commit,
                committed,
            } => Action::Committed {
                round,
                block,
                commit,
                committed,
            },
        }))
    }
}

/// The part of the actions that needs this node's disk or key, or ends its run.
#[derive(Debug)]
pub enum Write {
    /// Append a record of this height to the write-ahead log; durable with the next
    /// [`Write::Sign`].
    Log(Height, LogRecord),
    /// Sync the log, ask the guard, then sign; answer with the `Signed*` event of its kind.
    Sign(ToSign),
    /// Append a decided block and its commit, durably; answer with [`crate::Event::Persisted`].
    Persist {
        /// The decided block.
        block: Arc<Verified<Block>>,
        /// The precommits that decided it.
        commit: QuorumCertificate,
    },
    /// Make the signing guard, which is lost, durably, and at once so that it permits nothing below
    /// this height; answer with [`crate::Event::GuardRaised`]. Only under
    /// [`Voting::Rejoining`](crate::Voting::Rejoining), once.
    RaiseGuard(Height),
    /// Send decided blocks from the store to a peer, as many as are useful at once.
    ServeDecided {
        /// The peer to send to.
        to: PublicKey,
        /// The height of the first block to send.
        from: Height,
    },
    /// Stop, since going on would be wrong. The reason is for the operator. No action follows.
    Halt(HaltReason),
}

/// The payload that [`Write::Sign`] signs.
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
