//! The attestations that were committed (L-12).

use std::collections::{BTreeMap, BTreeSet};

use quorate_types::{Attestation, Capabilities, Hash, PublicKey, UnixMillis};

use crate::task::SLOTS;

/// All attestations that were committed, and those of them that were revoked.
#[derive(Debug, Default)]
pub(crate) struct Attestations {
    /// All attestations of an agent, by name.
    attested: BTreeMap<PublicKey, BTreeMap<Hash, Attestation>>,
    /// Revoked attestations, by issuer and name.
    revoked: BTreeSet<(PublicKey, Hash)>,
}

impl Attestations {
    /// Adds an attestation that an agent showed.
    pub(crate) fn add(&mut self, agent: PublicKey, attestation: &Attestation) {
        let held = self.attested.entry(agent).or_default();
        held.insert(attestation.id(), attestation.clone());
    }

    /// Revokes an attestation of an issuer.
    pub(crate) fn revoke(&mut self, issuer: PublicKey, name: Hash) {
        self.revoked.insert((issuer, name));
    }

    /// The attestations of an agent that are in force at a block time, with their names.
    pub(crate) fn in_force(
        &self,
        agent: &PublicKey,
        wall: UnixMillis,
    ) -> impl Iterator<Item = (&Hash, &Attestation)> {
        // Attestations count seconds, block time counts milliseconds.
        let seconds = wall.seconds();

        let valid = move |(name, attestation): &(&Hash, &Attestation)| {
            let claims = &attestation.payload;
            claims.not_before <= seconds
                && seconds < claims.expires
                && !self.revoked.contains(&(claims.issuer, **name))
        };

        self.attested.get(agent).into_iter().flatten().filter(valid)
    }

    /// The capabilities of an agent at a block time (L-12). An agent with an attestation in force
    /// and no word on slots has one slot (M-9).
    pub(crate) fn capabilities(&self, agent: &PublicKey, wall: UnixMillis) -> Capabilities {
        let mut all = Capabilities::new();
        let mut any = false;

        for (_, attestation) in self.in_force(agent, wall) {
            any = true;
            let can = &attestation.payload.capabilities;
            all.labels.extend(can.labels.iter().cloned());

            for (name, amount) in &can.amounts {
                let most = all.amounts.entry(name.clone()).or_insert(*amount);
                *most = (*most).max(*amount);
            }
        }

        // Without an attestation in force there is no slot either.
        if any && let Ok(slots) = SLOTS.parse() {
            all.amounts.entry(slots).or_insert(1);
        }

        all
    }
}
