//! The recent outcomes with what proves them, and the certificates made of them.

use std::collections::{BTreeMap, BTreeSet};

use quorate_certificate::{Certificate, Handover};
use quorate_types::cose::Owned;
use quorate_types::{Header, Height, Outcome, PublicKey, QuorumCertificate, TaskId, ValidatorSet};

/// The number of outcomes kept in memory for certificates; beyond it the oldest heights are
/// dropped.
const KEPT_OUTCOMES: usize = 100_000;

/// The place of an outcome: its height, and its index among the outcomes of its block.
type Place = (Height, usize);

/// The decided blocks from which certificates can be made.
#[derive(Debug, Default)]
pub(super) struct Archive {
    heights: BTreeMap<Height, Decision>,
    /// The number of outcomes in `heights`.
    kept: usize,
    by_task: BTreeMap<TaskId, Vec<Place>>,
    by_key: BTreeMap<PublicKey, Vec<Place>>,
    handovers: Vec<Handover>,
}

/// The parts of a decided block that its certificates need.
#[derive(Debug)]
struct Decision {
    header: Header,
    commit: QuorumCertificate,
    outcomes: Vec<Outcome>,
}

impl Archive {
    /// Takes in a decided block.
    pub(super) fn record(
        &mut self,
        header: &Header,
        commit: &QuorumCertificate,
        outcomes: &[Outcome],
    ) {
        let height = header.height;
        self.index_outcomes(height, outcomes);

        // A height without outcomes has no certificates, so its header is not kept.
        if !outcomes.is_empty() {
            let decision = Decision {
                header: header.clone(),
                commit: commit.clone(),
                outcomes: outcomes.to_vec(),
            };

            self.kept += outcomes.len();
            self.heights.insert(height, decision);
        }

        // The latest height stays, however many outcomes it has.
        while self.kept > KEPT_OUTCOMES && self.heights.len() > 1 {
            self.drop_oldest();
        }
    }

    /// Keeps the hand-over if the header names another validator set for the next height.
    /// `validators` is the set of the next height.
    pub(super) fn note_handover(
        &mut self,
        header: &Header,
        commit: &QuorumCertificate,
        validators: &ValidatorSet,
    ) {
        if header.next_validators != header.validators {
            self.handovers.push(Handover {
                header: header.clone(),
                commit: commit.clone(),
                validators: validators.clone(),
            });
        }
    }

    /// The places of the outcomes of a task, oldest first.
    pub(super) fn of_task(&self, task: &TaskId) -> impl Iterator<Item = Place> {
        self.by_task.get(task).into_iter().flatten().copied()
    }

    /// The places of the outcomes since `from` that concern a key, oldest first.
    pub(super) fn of_key(&self, key: &PublicKey, from: Height) -> impl Iterator<Item = Place> {
        let places = self.by_key.get(key).into_iter().flatten().copied();
        places.filter(move |(height, _)| *height >= from)
    }

    /// Notes the place of each outcome under its task and under the keys that it concerns.
    fn index_outcomes(&mut self, height: Height, outcomes: &[Outcome]) {
        for (at, outcome) in outcomes.iter().enumerate() {
            let place = (height, at);

            if let Some(task) = outcome.task() {
                self.by_task.entry(task).or_default().push(place);
            }

            for key in concerned(outcome) {
                self.by_key.entry(key).or_default().push(place);
            }
        }
    }

    fn drop_oldest(&mut self) {
        let Some((height, decision)) = self.heights.pop_first() else {
            return;
        };

        let outcomes = &decision.outcomes;
        self.kept -= outcomes.len();

        // No older height is left, so every place up to this one goes.
        let tasks: BTreeSet<TaskId> = outcomes.iter().filter_map(Outcome::task).collect();
        for task in &tasks {
            forget(&mut self.by_task, task, height);
        }

        let keys: BTreeSet<PublicKey> = outcomes.iter().flat_map(concerned).collect();
        for key in &keys {
            forget(&mut self.by_key, key, height);
        }
    }

    /// The certificates of all outcomes of a block. The outcome tree is hashed once for all of
    /// them.
    fn all_certificates(&self, decision: &Decision) -> Vec<Certificate> {
        let Decision {
            header,
            commit,
            outcomes,
        } = decision;

        // A verifier starts from the genesis, so it needs every hand-over before this height.
        let earlier = self
            .handovers
            .iter()
            .filter(|of| of.header.height < header.height);
        let earlier: Vec<_> = earlier.cloned().collect();

        Certificate::assemble_all(header, commit, outcomes, &earlier).unwrap_or_default()
    }

    /// The certificates of a height that concern these keys, each with its recipient.
    pub(super) fn certificates_for(
        &self,
        height: Height,
        keys: &BTreeSet<PublicKey>,
    ) -> Vec<(PublicKey, Owned)> {
        let Some(decision) = self.heights.get(&height) else {
            return Vec::new();
        };

        // Certificates are costly to make, so none is made for a height that concerns none of them.
        let mut concerned_keys = decision.outcomes.iter().flat_map(concerned);
        if !concerned_keys.any(|key| keys.contains(&key)) {
            return Vec::new();
        }

        let certificates = self.all_certificates(decision).into_iter();
        certificates.flat_map(|of| copies(&of, keys)).collect()
    }

    /// The certificate of an outcome; `None` if its block is not kept any more.
    pub(super) fn certificate(&self, (height, index): Place) -> Option<Owned> {
        let decision = self.heights.get(&height)?;

        let earlier = self
            .handovers
            .iter()
            .filter(|handover| handover.header.height < height);

        let certificate = Certificate::assemble(
            decision.header.clone(),
            decision.commit.clone(),
            &decision.outcomes,
            index,
            earlier.cloned().collect(),
        )?;

        Some(Owned(certificate.encode()))
    }
}

/// A copy of a certificate for each of these keys that its outcome concerns.
fn copies(certificate: &Certificate, keys: &BTreeSet<PublicKey>) -> Vec<(PublicKey, Owned)> {
    let mut told = concerned(&certificate.outcome);
    told.retain(|key| keys.contains(key));

    // Most outcomes concern nobody here, and encoding takes time.
    if told.is_empty() {
        return Vec::new();
    }

    let encoded = Owned(certificate.encode());
    told.into_iter().map(|key| (key, encoded.clone())).collect()
}

/// Forgets the places that stand under `key` up to a height.
fn forget<K: Ord>(places: &mut BTreeMap<K, Vec<Place>>, key: &K, height: Height) {
    let Some(of_key) = places.get_mut(key) else {
        return;
    };

    of_key.retain(|(at, _)| *at > height);
    if of_key.is_empty() {
        places.remove(key);
    }
}

/// The keys that an outcome concerns: the assignee or bidder, and the requester.
fn concerned(outcome: &Outcome) -> BTreeSet<PublicKey> {
    let requester = outcome.task().map(|task| task.requester);
    outcome.agent().into_iter().chain(requester).collect()
}

#[cfg(test)]
mod tests {
    use quorate_crypto::merkle;
    use quorate_types::outcome::{Expiry, Refusal};
    use quorate_types::{FencingToken, OperationId, Reason, cbor};

    use super::*;
    use crate::testing::{Bench, public};

    fn refusal(agent: PublicKey) -> Outcome {
        Outcome::Refusal(Refusal {
            operation: OperationId([0; 32]),
            agent,
            items: Vec::new(),
        })
    }

    /// Records the next block of the bench as if it had these outcomes. `changes_set` says whether
    /// its header names another set for the next height.
    fn record_as(
        archive: &mut Archive,
        bench: &mut Bench,
        outcomes: &[Outcome],
        changes_set: bool,
    ) {
        let past = bench.commit(Vec::new());
        let mut header = past.block.header.clone();
        let leaves: Vec<_> = outcomes.iter().map(cbor::encode).collect();
        header.outcomes = merkle::root(&leaves);
        header.next_validators.0[0] ^= u8::from(changes_set);
        archive.note_handover(&header, &past.commit, bench.ledger().validators());
        archive.record(&header, &past.commit, outcomes);
    }

    fn record(archive: &mut Archive, bench: &mut Bench, outcomes: &[Outcome]) {
        record_as(archive, bench, outcomes, false);
    }

    fn heights(archive: &Archive, key: &PublicKey) -> BTreeSet<Height> {
        archive.of_key(key, 0).map(|(height, _)| height).collect()
    }

    #[test]
    fn the_oldest_heights_fall_out_with_all_that_names_them() {
        let (mut archive, mut bench) = (Archive::default(), Bench::new());
        let (first, second) = (public(60), public(61));
        let most = vec![refusal(first); KEPT_OUTCOMES - 1];
        record(&mut archive, &mut bench, &most);
        record(&mut archive, &mut bench, &[refusal(second)]);
        assert_eq!(archive.kept, KEPT_OUTCOMES);
        assert_eq!(heights(&archive, &first), [1].into());
        record(&mut archive, &mut bench, &[refusal(second)]);
        assert_eq!(archive.kept, 2);
        assert!(!archive.by_key.contains_key(&first));
        assert_eq!(heights(&archive, &second), [2, 3].into());
        assert!(archive.certificate((1, 0)).is_none());
    }

    #[test]
    fn the_latest_height_stays_however_many_outcomes_it_has() {
        let (mut archive, mut bench) = (Archive::default(), Bench::new());
        let key = public(60);
        record(&mut archive, &mut bench, &[refusal(key)]);
        let many = vec![refusal(key); KEPT_OUTCOMES + 1];
        record(&mut archive, &mut bench, &many);
        assert_eq!(heights(&archive, &key), [2].into());
        assert_eq!(archive.kept, KEPT_OUTCOMES + 1);
    }

    #[test]
    fn a_height_without_outcomes_is_not_kept() {
        let (mut archive, mut bench) = (Archive::default(), Bench::new());
        record(&mut archive, &mut bench, &[]);
        assert!(archive.heights.is_empty());
    }

    #[test]
    fn an_outcome_concerns_its_agent_and_the_requester_of_its_task() {
        let (mut archive, mut bench) = (Archive::default(), Bench::new());
        let task = TaskId {
            requester: public(60),
            number: 0,
        };
        let expiry = Outcome::Expiry(Expiry {
            task,
            token: FencingToken::ZERO,
            reason: Reason::DeadlinePassed,
        });
        record(&mut archive, &mut bench, &[refusal(public(61)), expiry]);
        let of = |seed| archive.of_key(&public(seed), 0).collect::<Vec<_>>();
        assert_eq!((of(60), of(61)), (vec![(1, 1)], vec![(1, 0)]));
        assert_eq!(archive.of_task(&task).collect::<Vec<_>>(), [(1, 1)]);
        let told = archive.certificates_for(1, &[public(60), public(62)].into());
        let to: Vec<_> = told.iter().map(|(key, _)| *key).collect();
        assert_eq!(to, [public(60)]);
        assert!(archive.certificates_for(1, &[public(62)].into()).is_empty());
    }

    #[test]
    fn n25_a_certificate_has_the_hand_overs_before_its_height_and_no_later_one() {
        let (mut archive, mut bench) = (Archive::default(), Bench::new());
        let handovers = |archive: &Archive, place| {
            let bytes = archive.certificate(place).unwrap();
            let certificate = Certificate::decode(&bytes.0).unwrap();
            let headers = certificate.handovers.into_iter().map(|of| of.header);
            headers.map(|header| header.height).collect::<Vec<_>>()
        };
        let key = public(60);
        for changes_set in [false, true, false] {
            record_as(&mut archive, &mut bench, &[refusal(key)], changes_set);
        }
        let found = [1, 2, 3].map(|height| handovers(&archive, (height, 0)));
        assert_eq!(found, [vec![], vec![], vec![2]]);
        let told = archive.certificates_for(3, &[key].into());
        let same = archive.certificate((3, 0)).unwrap();
        assert_eq!(told, [(key, same)]);
    }
}
