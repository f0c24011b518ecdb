//! The effects that a durable replica leaves to its driver.

use std::sync::Arc;

use quorate_crypto::Verified;
use quorate_ledger::{Committed, Ledger, Proposal};
use quorate_replica::{Action, Recipients, Work};
use quorate_types::message::{Call, ClientMessage, PeerMessage};
use quorate_types::{Block, PublicKey, QuorumCertificate, Round};

/// Something that touches the world outside the disk, or takes long. The driver carries effects out
/// in order.
#[derive(Debug)]
pub enum Effect {
    /// Run [`Work::run`]; answer with `Event::Verified` or `Event::Refused`.
    Verify(Box<Work>),
    /// Execute a block; answer with `Event::Executed`.
    Execute {
        /// The state to execute on.
        ledger: Arc<Ledger>,
        /// The block to execute.
        block: Arc<Verified<Block>>,
    },
    /// Build a block; answer with `Event::Proposed`.
    Propose {
        /// The state to build on.
        ledger: Arc<Ledger>,
        /// The round that the block is for.
        round: Round,
        /// The contents of the block.
        proposal: Box<Proposal>,
    },
    /// Send a message to peers.
    Send(Recipients, PeerMessage),
    /// Send these frames to a peer. Each is a `PeerMessage::Decided` in canonical CBOR.
    Serve(PublicKey, Vec<Vec<u8>>),
    /// Send a message to an agent.
    Reply(PublicKey, ClientMessage),
    /// Gossip a call for bids.
    Call(Call),
    /// A block was decided. It is on disk and part of the state.
    Committed {
        /// The round in which it was decided.
        round: Round,
        /// The decided block.
        block: Arc<Verified<Block>>,
        /// The precommits that decided it.
        commit: QuorumCertificate,
        /// The changes and outcomes that the block brought.
        committed: Arc<Committed>,
    },
}

impl Effect {
    /// Returns the effect of an action that is left to the driver; `None` for an action that is
    /// carried out on the disk.
    pub(crate) fn of(action: Action) -> Option<Self> {
        let effect = match action {
            Action::Verify(work) => Self::Verify(work),
            Action::Execute { ledger, block } => Self::Execute { ledger, block },

            Action::Propose {
                ledger,
                round,
                proposal,
            } => Self::Propose {
                ledger,
                round,
                proposal,
            },

            Action::Send(to, message) => Self::Send(to, message),
            Action::Reply(to, message) => Self::Reply(to, message),
            Action::Call(call) => Self::Call(call),

            Action::Committed {
                round,
                block,
                commit,
                committed,
            } => Self::Committed {
                round,
                block,
                commit,
                committed,
            },

            Action::Log(..)
            | Action::Sign(_)
            | Action::Persist { .. }
            | Action::RaiseGuard(_)
            | Action::ServeDecided { .. }
            | Action::Halt(_) => return None,
        };

        Some(effect)
    }
}
