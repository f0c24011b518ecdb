//! Proposes blocks with another state root or outcome root than executing them gives, and sound
//! blocks in the name of another builder.
//!
//! The protocol bears it because every validator executes a block before it votes, and prevotes nil
//! for a bad one. The signed proposal and the block are evidence: every validator that executes the
//! block sees that it is bad (N-24). Only its builder may propose a block, in the round that the
//! block names (N-9).

use quorate_ledger::Proposal;
use quorate_types::message::PeerMessage;
use quorate_types::{Block, Hash, PublicKey};

use super::doubles::Doubles;
use super::{Lie, Mouth};

#[derive(Debug, Default)]
pub(super) struct BadBlock {
    doubles: Doubles,
}

impl Lie for BadBlock {
    fn propose(&mut self, mouth: &mut Mouth<'_>, proposal: &mut Proposal) {
        if mouth.dice.chance(500)
            && let Some(other) = mouth.any_peer()
        {
            proposal.builder = other;
            mouth.lies += 1;
        }
    }

    fn built(&mut self, mouth: &mut Mouth<'_>, block: &Block) {
        // A block in the name of another builder is a lie already.
        if block.header.builder != mouth.me() {
            return;
        }

        let mut double = block.clone();
        let header = &mut double.header;

        let root = if mouth.dice.chance(500) {
            &mut header.state
        } else {
            &mut header.outcomes
        };

        *root = Hash::derive("quorate 1 simulated lie", &[&root.0]);
        self.doubles.put(block, double);
    }

    fn hears(&mut self, _: &mut Mouth<'_>, _: PublicKey, said: &PeerMessage) -> Vec<PeerMessage> {
        self.doubles.serve(said)
    }

    fn says(
        &mut self,
        mouth: &mut Mouth<'_>,
        _: PublicKey,
        message: PeerMessage,
    ) -> Vec<PeerMessage> {
        vec![self.doubles.replace(mouth, message)]
    }
}
