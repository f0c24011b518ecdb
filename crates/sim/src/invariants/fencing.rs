//! Invariant 12 (fencing): a task and token have one assignee, tokens grow by one, and a report
//! under another token than the one in force has no effect. Blocks are judged, and certificates.

use std::collections::BTreeSet;

use quorate_certificate::Certificate;
use quorate_oracle::{Judge, Rule};
use quorate_types::{Hash, Outcome};

use super::invariant::Invariant;
use super::observed::decided;
use crate::seen::Seen;
use crate::world::World;

/// Invariant 12, with the certificates that were read.
#[derive(Debug, Default)]
pub(super) struct Fencing {
    /// The rule for blocks, with the assignees seen so far.
    blocks: Judge<quorate_oracle::Fencing>,
    /// Hashes of the certificates that were read, so that each is read once.
    read: BTreeSet<Hash>,
}

impl Invariant for Fencing {
    fn number(&self) -> u8 {
        quorate_oracle::Fencing::NUMBER
    }

    fn name(&self) -> &'static str {
        quorate_oracle::Fencing::NAME
    }

    fn see(&mut self, world: &World, seen: &Seen) -> Result<(), String> {
        self.blocks.follow(world.genesis(), decided(world, seen))?;

        let Seen::Certificate { validator, bytes } = seen else {
            return Ok(());
        };

        let name = Hash::derive("quorate 1 checked certificate", &[bytes]);
        if !world.validators()[*validator].is_correct() || !self.read.insert(name) {
            return Ok(());
        }

        // Of the outcomes that are certified, only an assignment names an assignee.
        match Certificate::decode(bytes).map(|certificate| certificate.outcome) {
            Ok(Outcome::Assignment(assignment)) => {
                self.blocks
                    .rule_mut()
                    .certify(assignment.task, assignment.token, assignment.agent)
            }
            _ => Ok(()),
        }
    }
}
