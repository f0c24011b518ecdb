//! Invariant 5 (certificates): every certificate that a correct validator hands out verifies with
//! the trust root alone.

use std::collections::BTreeSet;

use quorate_certificate::{Judgement, Policy, verify};
use quorate_types::Hash;

use super::invariant::Invariant;
use crate::seen::Seen;
use crate::world::World;

/// Invariant 5, with the hashes of the certificates that were verified, so that each is verified
/// once.
#[derive(Debug, Default)]
pub(super) struct Certificates {
    verified: BTreeSet<Hash>,
}

impl Invariant for Certificates {
    fn number(&self) -> u8 {
        5
    }

    fn name(&self) -> &'static str {
        "certificates-verify"
    }

    fn see(&mut self, world: &World, seen: &Seen) -> Result<(), String> {
        let Seen::Certificate { validator, bytes } = seen else {
            return Ok(());
        };

        let name = Hash::derive("quorate 1 checked certificate", &[bytes]);
        if !world.validators()[*validator].is_correct() || self.verified.contains(&name) {
            return Ok(());
        }

        let verdict = verify(bytes, world.root(), &Policy::default());
        if verdict.verdict != Judgement::Verified {
            return Err(format!(
                "a certificate of validator {validator} does not verify: {:?}",
                verdict.reason
            ));
        }

        self.verified.insert(name);
        Ok(())
    }
}
