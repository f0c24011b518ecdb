//! Proposes blocks and never sends a body: not when it built one, not when it is asked for one.
//!
//! Borne because nobody votes for a block that is not there: its rounds end by their timeouts, and
//! after a few missed turns it is benched.

use quorate_types::PublicKey;
use quorate_types::message::PeerMessage;

use super::{Lie, Mouth};

/// See the module.
#[derive(Debug)]
pub(super) struct Withholder;

impl Lie for Withholder {
    fn says(
        &mut self,
        mouth: &mut Mouth<'_>,
        _: PublicKey,
        message: PeerMessage,
    ) -> Vec<PeerMessage> {
        if matches!(message, PeerMessage::Block(_)) {
            mouth.lies += 1;
            return Vec::new();
        }
        vec![message]
    }
}
