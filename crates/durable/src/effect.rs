//! What a durable replica leaves to its driver.

use std::sync::Arc;

use quorate_crypto::Verified;
use quorate_ledger::{Committed, Ledger, Proposal};
use quorate_replica::{Recipients, Work};
use quorate_types::message::{Call, ClientMessage, PeerMessage};
use quorate_types::{Block, PublicKey, QuorumCertificate, Round};

/// Something that touches the world outside the disk, or takes long. Carried out in order.
#[derive(Debug)]
pub enum Effect {
    /// Run [`Work::run`]; answer with `Event::Verified` or `Event::Refused`.
    Verify(Box<Work>),
    /// Execute a block; answer with `Event::Executed`.
    Execute {
        /// State to execute on.
        ledger: Arc<Ledger>,
        /// Block.
        block: Arc<Verified<Block>>,
    },
    /// Build a block; answer with `Event::Proposed`.
    Propose {
        /// State to build on.
        ledger: Arc<Ledger>,
        /// Round it is for.
        round: Round,
        /// What goes in.
        proposal: Box<Proposal>,
    },
    /// Send to peers.
    Send(Recipients, PeerMessage),
    /// Send these frames, each a `PeerMessage::Decided` in canonical CBOR, to a peer.
    Serve(PublicKey, Vec<Vec<u8>>),
    /// Send to an agent.
    Reply(PublicKey, ClientMessage),
    /// Gossip a call for bids.
    Call(Call),
    /// A block was decided, is on disk and part of the state.
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
}
