//! Says nothing at all: as good as dead, but its connections stand.
//!
//! Borne because a quorum needs no more than two thirds of the power, and clients ask enough
//! validators that an honest one is among them; after a few missed turns it is benched.

use quorate_types::PublicKey;
use quorate_types::message::{ClientMessage, PeerMessage};

use super::{Lie, Mouth};

/// See the module.
#[derive(Debug)]
pub(super) struct Silent;

impl Lie for Silent {
    fn says(&mut self, mouth: &mut Mouth<'_>, _: PublicKey, _: PeerMessage) -> Vec<PeerMessage> {
        mouth.lies += 1;
        Vec::new()
    }

    fn answers(
        &mut self,
        mouth: &mut Mouth<'_>,
        _: PublicKey,
        _: ClientMessage,
    ) -> Vec<ClientMessage> {
        mouth.lies += 1;
        Vec::new()
    }
}
