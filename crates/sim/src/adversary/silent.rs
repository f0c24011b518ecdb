//! Says nothing at all: it is as good as dead, but its connections stand.
//!
//! The protocol bears it because the other validators are a quorum, and clients ask so many
//! validators that an honest one is among them. After a few missed turns the liar is benched.

use quorate_types::PublicKey;
use quorate_types::message::{ClientMessage, PeerMessage};

use super::{LiarContext, Lie};

#[derive(Debug, Default)]
pub(super) struct Silent;

impl Lie for Silent {
    fn says(
        &mut self,
        context: &mut LiarContext<'_>,
        _: PublicKey,
        _: PeerMessage,
    ) -> Vec<PeerMessage> {
        context.lies += 1;
        Vec::new()
    }

    fn answers(
        &mut self,
        context: &mut LiarContext<'_>,
        _: PublicKey,
        _: ClientMessage,
    ) -> Vec<ClientMessage> {
        context.lies += 1;
        Vec::new()
    }
}
