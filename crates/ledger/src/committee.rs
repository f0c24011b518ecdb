//! The committee: who votes from when on, who is convicted, and who is benched as proposer.

use std::collections::BTreeSet;
use std::sync::Arc;

use quorate_types::{
    Evidence, Height, ProposerSchedule, PublicKey, Round, SwarmId, ValidatorSet, limits,
};

use crate::EvidenceError;
use crate::state::{Committee, Proposers};

/// Evidence may be brought for this many heights after the one it speaks of.
pub const EVIDENCE_HEIGHTS: Height = 1000;
/// Misses in a row after which a validator does not propose for a while.
const BENCH_AFTER: u32 = 3;
/// Heights of the first time on the bench; each further time doubles them.
const BENCH_HEIGHTS: Height = 16;
/// Doublings, at most.
const BENCH_DOUBLINGS: u32 = 6;

impl Committee {
    /// The first committee, in force from the start.
    pub(crate) fn first(validators: ValidatorSet) -> Self {
        Self {
            sets: vec![(0, Arc::new(validators))],
            convicted: BTreeSet::new(),
        }
    }

    /// Who votes at `height`; for one before all that are kept, the oldest kept.
    pub(crate) fn at(&self, height: Height) -> &Arc<ValidatorSet> {
        let after = self.sets.partition_point(|(from, _)| *from <= height);
        &self.sets[after.saturating_sub(1)].1
    }

    /// The set decided on last, which votes from then on.
    pub(crate) fn latest(&self) -> &Arc<ValidatorSet> {
        self.at(Height::MAX)
    }

    /// Whether evidence convicts a validator at `height`, the height of the block that carries it.
    /// Signatures were checked before.
    ///
    /// # Errors
    /// [`EvidenceError`]: why it convicts nobody.
    pub(crate) fn check(
        &self,
        evidence: &Evidence,
        swarm: &SwarmId,
        height: Height,
    ) -> Result<(), EvidenceError> {
        if evidence
            .statements()
            .any(|signed| signed.statement.swarm != *swarm)
        {
            return Err(EvidenceError::Swarm);
        }
        let at = evidence.height();
        if at == 0 || at > height || height - at > EVIDENCE_HEIGHTS {
            return Err(EvidenceError::Height(at));
        }
        let (set, culprit) = (self.at(at), evidence.culprit());
        let in_force = set.hash();
        if evidence
            .statements()
            .any(|signed| signed.statement.validators != in_force)
        {
            return Err(EvidenceError::Validators);
        }
        if set.get(&culprit).is_none() {
            return Err(EvidenceError::Stranger(culprit));
        }
        if self.convicted.contains(&culprit) {
            return Err(EvidenceError::Convicted(culprit));
        }
        Ok(())
    }

    /// Takes the power of `culprit` away, [`limits::VALIDATOR_SET_DELAY`] heights after `height`
    /// (N-25). The last validator keeps it: a set is never empty.
    pub(crate) fn convict(&mut self, culprit: PublicKey, height: Height) {
        self.convicted.insert(culprit);
        let from = height.saturating_add(limits::VALIDATOR_SET_DELAY);
        let rest = self
            .at(from)
            .iter()
            .filter(|validator| validator.key != culprit)
            .cloned();
        if let Ok(set) = ValidatorSet::new(rest.collect()) {
            self.sets.retain(|(at, _)| *at != from);
            self.sets.push((from, Arc::new(set)));
        }
        let oldest = height.saturating_sub(EVIDENCE_HEIGHTS);
        let outdated = self
            .sets
            .partition_point(|(at, _)| *at <= oldest)
            .saturating_sub(1);
        self.sets.drain(..outdated);
    }
}

/// A decided block as the turns of its height see it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Turns<'a> {
    pub height: Height,
    pub schedule: &'a ProposerSchedule,
    pub validators: &'a ValidatorSet,
    pub builder: PublicKey,
    pub build_round: Round,
}

impl Proposers {
    /// Who does not propose at `height`.
    pub(crate) fn benched(&self, height: Height) -> BTreeSet<PublicKey> {
        let benched = self
            .records
            .iter()
            .filter(|(_, record)| record.benched_until > height);
        benched.map(|(key, _)| *key).collect()
    }

    /// Counts a block: its builder starts afresh; whoever was to propose in the rounds skipped
    /// before it missed one turn, however many rounds it was. A validator that missed
    /// [`BENCH_AFTER`] in a row is benched, unless a third of the power would be.
    pub(crate) fn count(&mut self, turns: &Turns<'_>) {
        self.records
            .retain(|key, _| turns.validators.get(key).is_some());
        self.records.remove(&turns.builder);
        // The schedule repeats after its slots: more rounds have no further proposers.
        let skipped = u64::from(turns.build_round).min(limits::SCHEDULE_SLOTS) as Round;
        let missed: BTreeSet<PublicKey> = (0..skipped)
            .map(|round| turns.schedule.proposer(turns.height, round))
            .collect();
        for key in missed.into_iter().filter(|key| *key != turns.builder) {
            let record = self.records.entry(key).or_default();
            record.misses = record.misses.saturating_add(1);
            if record.misses >= BENCH_AFTER && self.has_room(key, turns) {
                self.bench(key, turns.height);
            }
        }
    }

    /// Whether less than a third of the power is benched with `key` among them.
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
