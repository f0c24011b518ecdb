//! The effects that a durable replica leaves to its driver.

use quorate_replica::Action;
use quorate_types::PublicKey;

/// Something that touches the world outside the disk, or takes long. The driver carries effects out
/// in order. All writes are done already; of the disk's part only [`Served`] is left.
pub type Effect = Action<Served>;

/// Decided blocks that were read for a peer: to be sent to it.
#[derive(Debug)]
pub struct Served {
    /// The peer that lacks them.
    pub to: PublicKey,
    /// Each is a `PeerMessage::Decided` in canonical CBOR.
    pub frames: Vec<Vec<u8>>,
}
