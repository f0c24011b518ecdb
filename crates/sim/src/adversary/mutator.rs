//! Changes one small thing in a correct message, signs again what it can sign, and sends the result
//! before, after or in place of the correct message. Now and then it changes a header of its own,
//! or a single byte of a frame.
//!
//! The protocol bears it because every field is under a signature, a hash or a bound that is
//! checked before the field is used. This liar finds checks that were forgotten: small-scope
//! mutation found most of the mistakes that others published.

use quorate_types::message::PeerMessage;
use quorate_types::{Block, PublicKey, cbor};

use super::doubles::Doubles;
use super::{LiarContext, Lie, mutations};

/// Of a thousand messages, the number that are changed.
const MESSAGES_PERMILLE: u64 = 150;
/// Of a thousand headers, the number that are changed. They are few, because a bad block convicts
/// the liar, which ends its lies.
const HEADERS_PERMILLE: u64 = 150;

#[derive(Debug, Default)]
pub(super) struct Mutator {
    doubles: Doubles,
    /// The last message that it sent.
    last: Option<PeerMessage>,
}

impl Lie for Mutator {
    fn built(&mut self, context: &mut LiarContext<'_>, block: &Block) {
        if context.dice.chance(HEADERS_PERMILLE) {
            let mut double = block.clone();
            mutations::header(context.dice, &mut double.header);
            self.doubles.put(block, double);
        }
    }

    fn hears(
        &mut self,
        _: &mut LiarContext<'_>,
        _: PublicKey,
        said: &PeerMessage,
    ) -> Vec<PeerMessage> {
        self.doubles.serve(said)
    }

    fn says(
        &mut self,
        context: &mut LiarContext<'_>,
        _: PublicKey,
        message: PeerMessage,
    ) -> Vec<PeerMessage> {
        let message = self.doubles.replace(context, message);
        self.last = Some(message.clone());

        if !context.dice.chance(MESSAGES_PERMILLE) {
            return vec![message];
        }

        let mut mutant = message.clone();
        mutations::message(context, &mut mutant);
        // The change may give the same message, which is not a lie.
        context.lies += u64::from(mutant != message);

        match context.dice.below(3) {
            0 => vec![mutant],
            1 => vec![mutant, message],
            _ => vec![message, mutant],
        }
    }

    fn noise(&mut self, context: &mut LiarContext<'_>) -> Vec<(PublicKey, Vec<u8>)> {
        let Some(last) = &self.last else {
            return Vec::new();
        };

        let mut frame = cbor::encode(last);
        mutations::byte(context.dice, &mut frame);

        context.lies += 1;

        context
            .any_peer()
            .map(|peer| (peer, frame))
            .into_iter()
            .collect()
    }
}
