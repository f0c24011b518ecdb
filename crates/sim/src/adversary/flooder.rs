//! Claims absurd heights, asks for everything over and over, and sends frames that are too long or
//! too deep to be messages.
//!
//! The protocol bears it because a claimed height is only a reason to ask, there is a pause between
//! answers to the same peer, and a frame is measured before it is read.

use quorate_types::message::{FetchBlock, FetchDecided, Located, PeerMessage, PeerStatus};
use quorate_types::{BlockId, Hash, PublicKey, limits};

use super::{LiarContext, Lie};

/// The number of requests to each peer on one occasion.
const REQUESTS: usize = 8;
/// Of a thousand frames of noise, the number that are too long; the others are too deep.
const LONG_PERMILLE: u64 = 20;

#[derive(Debug, Default)]
pub(super) struct Flooder;

impl Lie for Flooder {
    fn hears(
        &mut self,
        context: &mut LiarContext<'_>,
        _: PublicKey,
        said: &PeerMessage,
    ) -> Vec<PeerMessage> {
        let PeerMessage::Locate(asked) = said else {
            return Vec::new();
        };

        context.lies += 1;

        // The height 1 is too low, and a random one is most likely too high.
        let height = if context.dice.chance(500) {
            1
        } else {
            context.dice.number()
        };

        vec![PeerMessage::Located(Located {
            challenge: asked.challenge,
            height,
        })]
    }

    fn volunteers(&mut self, context: &mut LiarContext<'_>) -> Vec<(PublicKey, PeerMessage)> {
        let mut said = Vec::new();
        for peer in context.peers() {
            said.extend((0..REQUESTS).map(|_| (peer, request(context))));
        }
        context.lies += said.len() as u64;
        said
    }

    fn noise(&mut self, context: &mut LiarContext<'_>) -> Vec<(PublicKey, Vec<u8>)> {
        let frame = match context.dice.chance(LONG_PERMILLE) {
            true => vec![0; limits::BULK_FRAME_BYTES + 1],
            // Arrays with one element each, nested in one another.
            false => vec![0x81; 4096],
        };

        context.lies += 1;
        context
            .any_peer()
            .map(|peer| (peer, frame))
            .into_iter()
            .collect()
    }
}

/// A claim of any height, or a request for blocks from the first, from anywhere, or unknown.
fn request(context: &mut LiarContext<'_>) -> PeerMessage {
    let any = context.dice.number();
    match context.dice.below(4) {
        0 => PeerMessage::Status(PeerStatus {
            height: any,
            round: any as u32,
        }),
        1 => PeerMessage::FetchDecided(FetchDecided { from: 1 }),
        2 => PeerMessage::FetchDecided(FetchDecided { from: any }),
        _ => {
            let height = context.replica.height();
            let block = Hash::derive("quorate 1 simulated lie", &[&any.to_le_bytes()]);
            PeerMessage::FetchBlock(FetchBlock {
                height,
                block: BlockId(block.0),
            })
        }
    }
}
