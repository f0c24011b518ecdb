//! What came of scenarios.

use serde::Serialize;

use quorate_types::Hash;

/// What came of one scenario.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcome {
    /// The first thing that did not hold.
    pub violation: Option<String>,
    /// A correct host decided before healing.
    pub decided: bool,
    /// After some round a correct host had precommitted a block and not decided.
    pub locked: bool,
    /// A correct host proposed again what had a polka.
    pub reproposed: bool,
    /// One correct host heard a node contradict itself.
    pub conflict: bool,
    /// Nodes convicted at the end.
    pub convicted: usize,
    /// Rounds of the protocol that passed at height 1 before healing.
    pub rounds: u64,
    /// Digest of every signature and decision, in 64 hexadecimal digits.
    pub digest: String,
}

/// What came of many scenarios.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TwinsReport {
    /// Keys.
    pub num_nodes: usize,
    /// Keys with two instances.
    pub num_twins: usize,
    /// Whether the twins have less than a third of the power, so that everything must hold.
    pub tolerated: bool,
    /// Scenarios run.
    pub scenarios: usize,
    /// Of them: a correct host decided before healing.
    pub decided: usize,
    /// Of them: after some round a correct host had precommitted a block and not decided.
    pub locked: usize,
    /// Of them: a correct host proposed again what had a polka.
    pub reproposed: usize,
    /// Of them: one correct host heard a node contradict itself.
    pub conflicts: usize,
    /// Of them: a node was convicted.
    pub convicted: usize,
    /// Rounds of the protocol that passed before healing, of all of them.
    pub rounds: u64,
    /// What did not hold.
    pub violations: Vec<TwinsViolation>,
    /// Digest of every signature and decision, in 64 hexadecimal digits.
    pub digest: String,
}

/// A scenario that did not hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TwinsViolation {
    /// Its index, from 0.
    pub scenario: usize,
    /// What did not hold.
    pub how: String,
}

impl TwinsReport {
    /// No scenario run yet.
    pub fn new(num_nodes: usize, num_twins: usize) -> Self {
        Self {
            num_nodes,
            num_twins,
            tolerated: 3 * num_twins < num_nodes,
            scenarios: 0,
            decided: 0,
            locked: 0,
            reproposed: 0,
            conflicts: 0,
            convicted: 0,
            rounds: 0,
            violations: Vec::new(),
            digest: String::new(),
        }
    }

    /// Takes in the outcome of scenario `at`.
    pub fn add(&mut self, at: usize, outcome: Outcome) {
        self.scenarios += 1;
        self.decided += usize::from(outcome.decided);
        self.locked += usize::from(outcome.locked);
        self.reproposed += usize::from(outcome.reproposed);
        self.conflicts += usize::from(outcome.conflict);
        self.convicted += usize::from(outcome.convicted > 0);
        self.rounds += outcome.rounds;
        let parts = [self.digest.as_bytes(), outcome.digest.as_bytes()];
        self.digest = Hash::derive("quorate 1 twins report", &parts).to_string();
        let violation = outcome
            .violation
            .map(|how| TwinsViolation { scenario: at, how });
        self.violations.extend(violation);
    }

    /// Whether everything held.
    pub fn holds(&self) -> bool {
        self.violations.is_empty()
    }
}

impl std::fmt::Display for TwinsViolation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "scenario {}: {}", self.scenario, self.how)
    }
}
