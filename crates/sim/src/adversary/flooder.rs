//! Claims absurd heights, asks for everything over and over, and sends frames that are too long, or
//! too deep, to be messages.
//!
//! Borne because a claim of a height is only a reason to ask, an answer to the same peer has its
//! pause, and a frame is measured before it is read.

use quorate_types::message::{FetchBlock, FetchDecided, Located, PeerMessage, PeerStatus};
use quorate_types::{BlockId, Hash, PublicKey, limits};

use super::{Lie, Mouth};

/// Requests to one peer on each occasion.
const REQUESTS: usize = 8;
/// Occasions of a thousand on which a frame is too long.
const LONG_PERMILLE: u64 = 20;

/// See the module.
#[derive(Debug)]
pub(super) struct Flooder;

impl Lie for Flooder {
    fn hears(
        &mut self,
        mouth: &mut Mouth<'_>,
        _: PublicKey,
        said: &PeerMessage,
    ) -> Vec<PeerMessage> {
        let PeerMessage::Locate(asked) = said else {
            return Vec::new();
        };
        mouth.lies += 1;
        let height = if mouth.dice.chance(500) {
            1
        } else {
            mouth.dice.number()
        };
        vec![PeerMessage::Located(Located {
            challenge: asked.challenge,
            height,
        })]
    }

    fn volunteers(&mut self, mouth: &mut Mouth<'_>) -> Vec<(PublicKey, PeerMessage)> {
        let mut said = Vec::new();
        for peer in mouth.peers() {
            said.extend((0..REQUESTS).map(|_| (peer, request(mouth))));
        }
        mouth.lies += said.len() as u64;
        said
    }

    fn noise(&mut self, mouth: &mut Mouth<'_>) -> Vec<(PublicKey, Vec<u8>)> {
        let frame = match mouth.dice.chance(LONG_PERMILLE) {
            true => vec![0; limits::BULK_FRAME_BYTES + 1],
            // Arrays of one in arrays of one.
            false => vec![0x81; 4096],
        };
        mouth.lies += 1;
        mouth
            .any_peer()
            .map(|peer| (peer, frame))
            .into_iter()
            .collect()
    }
}

fn request(mouth: &mut Mouth<'_>) -> PeerMessage {
    let any = mouth.dice.number();
    match mouth.dice.below(4) {
        0 => PeerMessage::Status(PeerStatus {
            height: any,
            round: any as u32,
        }),
        1 => PeerMessage::FetchDecided(FetchDecided { from: 1 }),
        2 => PeerMessage::FetchDecided(FetchDecided { from: any }),
        _ => {
            let height = mouth.replica.height();
            let block = Hash::derive("quorate 1 simulated lie", &[&any.to_le_bytes()]);
            PeerMessage::FetchBlock(FetchBlock {
                height,
                block: BlockId(block.0),
            })
        }
    }
}
