//! Dossiers: fetches the inputs of clearings, and checks them.
//!
//! A dossier is named by the hash of its record, and the record binds all inputs by their root. So
//! a validator can withhold a dossier, but cannot pass off a false one. The next validator is asked
//! then.

use std::sync::Arc;

use quorate_certificate::Dossier;
use quorate_types::cose::Owned;
use quorate_types::{Hash, MonotonicMillis, Outcome, PublicKey};

use super::fetches::Wanted;
use super::{ClientEvent, DossierBundle, LightClient};

impl LightClient {
    /// Fetches the dossier of a clearing, named by the hash of its record, and the certificate of
    /// the record. The answer is [`ClientEvent::Dossier`], once for all requests that come
    /// meanwhile.
    pub fn fetch_dossier(&mut self, clearing: Hash, now: MonotonicMillis) {
        self.fetch(Wanted::Dossier(clearing), now);
    }

    /// Takes the bytes of a dossier, and asks for the certificate of its record. Returns `false` if
    /// they are not the dossier of the clearing.
    pub(super) fn take_dossier(
        &mut self,
        from: PublicKey,
        clearing: Hash,
        bytes: Vec<u8>,
        now: MonotonicMillis,
    ) -> bool {
        let wanted = Wanted::Dossier(clearing);
        let fetch = self
            .fetches
            .get_mut(&wanted)
            .filter(|_| is_of(&bytes, &clearing));
        let Some(fetch) = fetch else { return false };

        fetch.dossier = Some(bytes);
        self.ask_for_rest(from, &wanted, now);
        true
    }

    /// Handles the certificate of a clearing, or the answer that there is none.
    pub(super) fn handle_clearing(
        &mut self,
        from: PublicKey,
        clearing: Hash,
        certificates: Vec<Owned>,
        now: MonotonicMillis,
    ) {
        let wanted = Wanted::Dossier(clearing);
        let Some(fetch) = self.fetches.get(&wanted) else {
            return;
        };
        if !fetch.is_asked_of(&from) || fetch.dossier.is_none() {
            return;
        }

        let is_certified = |bytes: &Owned| match self.verifier.verify(&bytes.0) {
            Some(Outcome::Clearing(record)) => record.hash() == clearing,
            _ => false,
        };

        match certificates.into_iter().next().filter(is_certified) {
            Some(Owned(certificate)) => self.conclude_dossier(clearing, Some(certificate)),
            None => self.ask_next(&wanted, now),
        }
    }

    pub(super) fn conclude_dossier(&mut self, clearing: Hash, certificate: Option<Vec<u8>>) {
        let fetch = self.fetches.remove(&Wanted::Dossier(clearing));
        let dossier = fetch.and_then(|fetch| fetch.dossier);
        let found = dossier.map(|dossier| {
            Arc::new(DossierBundle {
                dossier,
                certificate,
            })
        });

        self.event(ClientEvent::Dossier { clearing, found });
    }
}

/// Returns whether these bytes are the dossier of the record with this hash.
fn is_of(bytes: &[u8], clearing: &Hash) -> bool {
    Dossier::decode(bytes)
        .is_ok_and(|dossier| dossier.record.hash() == *clearing && dossier.check_root().is_ok())
}
