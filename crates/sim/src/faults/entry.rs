//! The entry of a fault in a scenario file.

use quorate_types::Millis;

use super::tear::TearPlan;

/// The keys of an entry, with names resolved. Keys that were not written have the value that stands
/// for their absence. Those that a kind needs are there, because they were checked.
#[derive(Debug)]
pub(crate) struct Entry {
    /// `validators`
    pub(crate) validators: Vec<usize>,
    /// `agents`
    pub(crate) agents: Vec<usize>,
    /// `groups`
    pub(crate) groups: Vec<Vec<usize>>,
    /// `times`, 1 to 1000
    pub(crate) times: u64,
    /// `after_writes`
    pub(crate) after_writes: u64,
    /// `tear`
    pub(crate) tear: TearPlan,
    /// `by_ms`
    pub(crate) by_ms: i64,
    /// `sync`, in milliseconds
    pub(crate) sync_ms: Millis,
}

impl Entry {
    /// A fault for each validator that the entry names.
    pub(crate) fn each_validator<F>(&self, make: impl Fn(usize) -> F) -> Vec<F> {
        self.validators.iter().copied().map(make).collect()
    }

    /// A fault for each agent that the entry names.
    pub(crate) fn each_agent<F>(&self, make: impl Fn(usize) -> F) -> Vec<F> {
        self.agents.iter().copied().map(make).collect()
    }
}
