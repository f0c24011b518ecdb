//! Proposes blocks and never sends a body, neither when it built a block nor when it is asked for
//! one.
//!
//! The protocol bears it because no validator votes for a block that it does not have. The liar's
//! rounds end by their timeouts, and after a few missed turns it is benched.

use quorate_types::PublicKey;
use quorate_types::message::PeerMessage;

use super::{LiarContext, Lie};

#[derive(Debug, Default)]
pub(super) struct Withholder;

impl Lie for Withholder {
    fn says(
        &mut self,
        context: &mut LiarContext<'_>,
        _: PublicKey,
        message: PeerMessage,
    ) -> Vec<PeerMessage> {
        if matches!(message, PeerMessage::Block(_)) {
            context.lies += 1;
            return Vec::new();
        }

        vec![message]
    }
}
