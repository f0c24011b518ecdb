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
use super::{LiarContext, Lie};

#[derive(Debug, Default)]
pub(super) struct BadBlock {
    doubles: Doubles,
}

impl Lie for BadBlock {
    fn propose(&mut self, context: &mut LiarContext<'_>, proposal: &mut Proposal) {
        if context.dice.chance(500)
            && let Some(other) = context.any_peer()
        {
            proposal.builder = other;
            context.lies += 1;
        }
    }

    fn built(&mut self, context: &mut LiarContext<'_>, block: &Block) {
        // A block in the name of another builder is a lie already.
        if block.header.builder != context.me() {
            return;
        }

        let mut double = block.clone();
        let header = &mut double.header;

        let root = if context.dice.chance(500) {
            &mut header.state
        } else {
            &mut header.outcomes
        };

        *root = Hash::derive("quorate 1 simulated lie", &[&root.0]);
        self.doubles.put(block, double);
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
        vec![self.doubles.replace(context, message)]
    }
}
