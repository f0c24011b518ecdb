//! The committee: the validator set of each height, the convicted keys, and the proposers on the
//! bench.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use quorate_crypto::{Fault, judge_fault};
use quorate_types::{
    Evidence, Height, ProposerSchedule, PublicKey, SwarmId, Turn, ValidatorSet, cbor, limits,
};
use serde::Serialize;
use serde_tuple::Serialize_tuple;

use crate::EvidenceError;

/// The number of heights for which evidence may be brought, after the height that it speaks of
/// (L-20).
pub const EVIDENCE_HEIGHTS: Height = 1000;
/// The number of misses in a row after which a validator is benched (L-21).
const BENCH_AFTER: u32 = 3;
/// The number of heights of the first benching. Each further one doubles it.
const BENCH_HEIGHTS: Height = 16;
/// The greatest number of times that it is doubled.
const BENCH_DOUBLINGS: u32 = 6;

/// The validator sets that evidence may speak of, and the convicted keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Committee {
    /// The sets, each with the height from which on it is in force; ascending, never empty.
    sets: Vec<(Height, Arc<ValidatorSet>)>,
    /// The keys that evidence convicted. They lose their power, unless no other validator is left.
    convicted: BTreeSet<PublicKey>,
}

impl Committee {
    /// Returns the first committee, which is in force from the start.
    pub(crate) fn first(validators: ValidatorSet) -> Self {
        Self {
            sets: vec![(0, Arc::new(validators))],
            convicted: BTreeSet::new(),
        }
    }

    /// Returns the set in force at `height`. For a height before all sets that are kept, that is
    /// the oldest one kept.
    pub(crate) fn at(&self, height: Height) -> &Arc<ValidatorSet> {
        let after = self.sets.partition_point(|(from, _)| *from <= height);
        &self.sets[after.saturating_sub(1)].1
    }

    /// Returns the set that was decided on last, which is in force from its first height on.
    pub(crate) fn latest(&self) -> &Arc<ValidatorSet> {
        self.at(Height::MAX)
    }

    /// Returns the fault of which evidence convicts a validator if a block of `height` carries it.
    /// Signatures were checked before.
    ///
    /// # Errors
    /// [`EvidenceError`], the reason why the evidence convicts nobody.
    pub(crate) fn check<'a>(
        &self,
        evidence: &'a Evidence,
        swarm: &SwarmId,
        height: Height,
    ) -> Result<Fault<'a>, EvidenceError> {
        // Evidence may speak of the height in progress, but of none above it (L-20).
        let in_force = |at: Height| {
            let age = height.checked_sub(at)?;
            (at > 0 && age <= EVIDENCE_HEIGHTS).then(|| &**self.at(at))
        };

        let fault = judge_fault(evidence, swarm, in_force)?;

        if self.convicted.contains(&fault.culprit) {
            return Err(EvidenceError::Convicted(fault.culprit));
        }

        Ok(fault)
    }

    /// Takes the power of `culprit` away, from [`limits::VALIDATOR_SET_DELAY`] heights after
    /// `height` on (N-25). The last validator keeps its power: a set is never empty.
    pub(crate) fn convict(&mut self, culprit: PublicKey, height: Height) {
        self.convicted.insert(culprit);

        let from = height.saturating_add(limits::VALIDATOR_SET_DELAY);
        let rest = self
            .at(from)
            .iter()
            .filter(|validator| validator.key != culprit)
            .cloned();

        // `new` fails for an empty set, and the last validator stays.
        if let Ok(set) = ValidatorSet::new(rest.collect()) {
            self.sets.retain(|(at, _)| *at != from);
            self.sets.push((from, Arc::new(set)));
        }

        // Evidence reaches back to this height, so the set in force there is the oldest one needed.
        let oldest = height.saturating_sub(EVIDENCE_HEIGHTS);
        let outdated = self
            .sets
            .partition_point(|(at, _)| *at <= oldest)
            .saturating_sub(1);

        self.sets.drain(..outdated);
    }

    /// Refuses all further evidence against `culprit`. Its power stays.
    pub(crate) fn bar(&mut self, culprit: PublicKey) {
        self.convicted.insert(culprit);
    }

    /// Returns the canonical CBOR, which the state root binds.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let sets: Vec<(Height, &ValidatorSet)> = self
            .sets
            .iter()
            .map(|(from, set)| (*from, &**set))
            .collect();
        cbor::encode(&(sets, &self.convicted))
    }
}

/// The parts of a decided block from which the turns of its height are counted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Turns<'a> {
    pub height: Height,
    pub schedule: &'a ProposerSchedule,
    pub validators: &'a ValidatorSet,
    pub builder: PublicKey,
    pub missed_turns: Turn,
}

impl Turns<'_> {
    /// Returns the validators that missed a turn before that of the block.
    fn missed(&self) -> BTreeSet<PublicKey> {
        // The schedule repeats after its slots: further turns have no further proposers.
        let passed = u64::from(self.missed_turns).min(limits::SCHEDULE_SLOTS) as Turn;
        let mut missed: BTreeSet<PublicKey> = (0..passed)
            .map(|turn| self.schedule.proposer(self.height, turn))
            .collect();

        // A builder that missed an earlier turn took one in the end.
        missed.remove(&self.builder);
        missed
    }
}

/// The records of the validators that missed a turn lately or are benched.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub(crate) struct Proposers {
    records: BTreeMap<PublicKey, ProposerRecord>,
}

/// The record of one validator's turns to propose.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize_tuple)]
struct ProposerRecord {
    /// The number of heights in a row at which it missed its turn.
    misses: u32,
    /// The number of times that it was benched since it last built a block.
    benchings: u32,
    /// The first height at which it is not benched any more.
    benched_until: Height,
}

impl Proposers {
    /// Returns the validators that do not propose at `height`.
    pub(crate) fn benched(&self, height: Height) -> BTreeSet<PublicKey> {
        let benched = self
            .records
            .iter()
            .filter(|(_, record)| record.benched_until > height);
        benched.map(|(key, _)| *key).collect()
    }

    /// Counts a decided block (L-21). The record of its builder is deleted. A validator whose turn
    /// passed before that of the block missed one turn, even if several turns of it passed. A
    /// validator that missed [`BENCH_AFTER`] turns in a row is benched, unless a third of the power
    /// would be benched then.
    pub(crate) fn count(&mut self, turns: &Turns<'_>) {
        // Validators that have left the set need no record.
        self.records
            .retain(|key, _| turns.validators.get(key).is_some());
        self.records.remove(&turns.builder);

        for key in turns.missed() {
            let record = self.records.entry(key).or_default();

            record.misses = record.misses.saturating_add(1);

            if record.misses >= BENCH_AFTER && self.has_room(key, turns) {
                self.bench(key, turns.height);
            }
        }
    }

    /// Returns whether less than a third of the power is benched if `key` is benched too.
    fn has_room(&self, key: PublicKey, turns: &Turns<'_>) -> bool {
        let mut benched = self.benched(turns.height.saturating_add(1));
        benched.insert(key);
        let power = turns.validators.power_of(&benched);
        u128::from(power) * 3 < u128::from(turns.validators.total())
    }

    fn bench(&mut self, key: PublicKey, height: Height) {
        let record = self.records.entry(key).or_default();
        let heights = BENCH_HEIGHTS << record.benchings.min(BENCH_DOUBLINGS);
        record.benchings = record.benchings.saturating_add(1);
        record.misses = 0;
        record.benched_until = height.saturating_add(1).saturating_add(heights);
    }
}
