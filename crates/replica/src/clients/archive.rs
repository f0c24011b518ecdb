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

        let is_told = |key: &PublicKey| keys.contains(key);
        let mut concerned_keys = decision.outcomes.iter().flat_map(concerned);

        // Certificates are costly to make, so none is made for a height that concerns none of them.
        if !concerned_keys.any(|key| is_told(&key)) {
            return Vec::new();
        }

        let mut sent = Vec::new();
        for certificate in self.all_certificates(decision) {
            let mut told = concerned(&certificate.outcome);
            told.retain(is_told);

            if !told.is_empty() {
                let encoded = Owned(certificate.encode());
                sent.extend(told.into_iter().map(|key| (key, encoded.clone())));
            }
        }

        sent
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
