//! Admit, attest, revoke: the members, and the attestations of each.

use std::sync::Arc;

use quorate_types::operation::{Attest, Operation, OperationBody, Revoke};
use quorate_types::slots::ensure_slots;
use quorate_types::{
    Attestation, Capabilities, Genesis, Hash, PublicKey, Reason, SignedOperation, SwarmId,
    UnixMillis, genesis, limits,
};

use crate::cost;
use crate::run::{Items, Run};
use crate::state::{Attested, Entry, Key, Revocation, View};

use super::perform::{Perform, as_a_whole};

/// The swarm and the moment, which decide whether an attestation counts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Admission<'a> {
    pub genesis: &'a Genesis,
    pub swarm: SwarmId,
    /// The block time.
    pub wall: UnixMillis,
}

/// Returns whether the first operation of a stranger makes it a member: an admission with a valid
/// attestation by an attester of this swarm (L-10). If not, a block that holds the operation is
/// invalid, so that nobody adds to the state without an attester's word.
pub(crate) fn admits(admission: &Admission<'_>, view: &View<'_>, operation: &Operation) -> bool {
    let open = admission.genesis.admission == genesis::Admission::Attestation;
    match &operation.body {
        OperationBody::Admit(admit) if open => admission
            .check(view, operation.agent, &admit.attestation)
            .is_ok(),
        _ => false,
    }
}

impl Admission<'_> {
    /// Checks that an attestation speaks for `agent` here and now (L-11).
    ///
    /// # Errors
    /// The first of the reasons 101 to 105 that applies. The signature is checked last.
    fn check(
        &self,
        view: &View<'_>,
        agent: PublicKey,
        attestation: &Attestation,
    ) -> Result<(), Reason> {
        let claims = &attestation.payload;

        if attestation.signer != claims.issuer || !self.genesis.is_attester(&claims.issuer) {
            return Err(Reason::UnknownAttester);
        }

        if claims.subject != agent || claims.audience != self.swarm {
            return Err(Reason::AttestationSubject);
        }

        if !claims.is_valid_at(self.wall) {
            return Err(Reason::AttestationExpired);
        }

        if view.is_revoked(claims.issuer, attestation.id()) {
            return Err(Reason::AttestationRevoked);
        }

        quorate_crypto::verify(attestation.clone())
            .map(|_| ())
            .map_err(|_| Reason::AttestationSignature)
    }
}

impl Perform for Attest {
    fn cost(&self) -> u64 {
        cost::SIGNATURE
    }

    fn perform(&self, run: &mut Run<'_>, signed: &SignedOperation) -> Result<Items, Reason> {
        // A stranger is registered before anything is performed, so a member asks here.
        if let OperationBody::Admit(_) = signed.payload.body {
            return Err(Reason::AlreadyAdmitted);
        }

        as_a_whole(run.attest(signed.payload.agent, &self.attestation))
    }
}

impl Perform for Revoke {
    fn perform(&self, run: &mut Run<'_>, signed: &SignedOperation) -> Result<Items, Reason> {
        as_a_whole(run.revoke(signed.payload.agent, self))
    }
}

impl Run<'_> {
    /// Registers a further attestation of a member.
    fn attest(&mut self, agent: PublicKey, attestation: &Attestation) -> Result<(), Reason> {
        let admission = Admission {
            genesis: self.genesis,
            swarm: self.swarm,
            wall: self.now.wall,
        };

        admission.check(&self.view, agent, attestation)?;
        self.register(agent, attestation)
    }

    /// Registers an attestation that was checked. Attestations that are void are removed to make
    /// room for it.
    pub(super) fn register(
        &mut self,
        agent: PublicKey,
        attestation: &Attestation,
    ) -> Result<(), Reason> {
        let hash = attestation.id();
        self.make_room_for(agent, hash)?;

        let claims = &attestation.payload;
        let attested = Attested {
            issuer: claims.issuer,
            expires: claims.expires,
            not_before: claims.not_before,
            capabilities: claims.capabilities.clone(),
        };

        self.view.put(
            Key::Attestation(agent, hash),
            Entry::Attestation(Arc::new(attested)),
        );

        Ok(())
    }

    /// Removes the attestations of a member that are void, and checks that one more has room
    /// beside those that are in force.
    fn make_room_for(&mut self, agent: PublicKey, hash: Hash) -> Result<(), Reason> {
        // The same attestation again takes its own place, so it is not counted.
        let others = self
            .view
            .attestations(agent)
            .filter(|(other, _)| *other != hash);

        let wall = self.now.wall;
        let (in_force, void): (Vec<_>, Vec<_>) =
            others.partition(|(hash, attested)| self.view.is_in_force(*hash, attested, wall));

        let count = in_force.len();
        let void: Vec<Hash> = void.into_iter().map(|(hash, _)| hash).collect();

        for hash in void {
            self.view.remove(Key::Attestation(agent, hash));
        }

        if count >= limits::ATTESTATIONS_PER_AGENT {
            return Err(Reason::QuotaExceeded);
        }

        Ok(())
    }

    /// Revokes an attestation that the signer issued, also one that was never registered here
    /// (L-13).
    fn revoke(&mut self, issuer: PublicKey, revoke: &Revoke) -> Result<(), Reason> {
        let registered = self
            .view
            .entry(&Key::Attestation(revoke.subject, revoke.attestation));

        // The attestation may be unknown here: a revocation only counts under its own issuer.
        let foreign = match registered {
            Some(Entry::Attestation(attested)) => attested.issuer != issuer,
            _ => false,
        };

        if foreign || !self.genesis.is_attester(&issuer) {
            return Err(Reason::NotIssuer);
        }

        if self.view.is_revoked(issuer, revoke.attestation) {
            return Err(Reason::AttestationRevoked);
        }

        let revocation = Entry::Revocation(Revocation {
            height: self.now.height,
        });
        self.view
            .put(Key::Revocation(issuer, revoke.attestation), revocation);

        Ok(())
    }
}

impl View<'_> {
    /// Returns the attestations registered for a member, ascending by hash.
    pub(crate) fn attestations(&self, agent: PublicKey) -> impl Iterator<Item = (Hash, &Attested)> {
        self.entries(Key::attestations(agent))
            .filter_map(|(key, entry)| match (key, entry) {
                (Key::Attestation(_, hash), Entry::Attestation(attested)) => {
                    Some((*hash, &**attested))
                }
                _ => None,
            })
    }

    /// Returns whether a registered attestation counts at block time `wall`.
    fn is_in_force(&self, hash: Hash, attested: &Attested, wall: UnixMillis) -> bool {
        let seconds = wall.seconds();
        let valid = attested.not_before <= seconds && seconds < attested.expires;
        valid && !self.is_revoked(attested.issuer, hash)
    }

    /// Returns the capabilities that are attested of a member at block time `wall`, and the hashes
    /// of the attestations that give them: all labels, and of each amount the greatest (L-12). A
    /// sum would double an amount that is attested twice. A member with an attestation in force
    /// that has no amount for `slots` has one slot (M-9).
    pub(crate) fn capabilities(
        &self,
        agent: PublicKey,
        wall: UnixMillis,
    ) -> (Capabilities, Vec<Hash>) {
        let mut all = Capabilities::new();
        let mut hashes = Vec::new();

        for (hash, attested) in self.attestations(agent) {
            if !self.is_in_force(hash, attested, wall) {
                continue;
            }

            hashes.push(hash);
            unite(&mut all, &attested.capabilities);
        }

        // A member without a word on `slots` has one (M-9).
        if !hashes.is_empty() {
            ensure_slots(&mut all.amounts);
        }

        (all, hashes)
    }
}

/// Adds labels and amounts to `all`. Of each amount the greatest counts (L-12).
fn unite(all: &mut Capabilities, more: &Capabilities) {
    all.labels.extend(more.labels.iter().cloned());

    for (name, amount) in &more.amounts {
        let most = all.amounts.entry(name.clone()).or_insert(*amount);
        *most = (*most).max(*amount);
    }
}
