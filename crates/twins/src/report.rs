//! The results of Twins scenarios.

use serde::Serialize;

use quorate_types::Hash;

/// The result of one scenario.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ScheduleOutcome {
    /// The first rule that did not hold, described for people.
    pub violation: Option<String>,
    /// Whether a correct host decided before healing.
    pub decided: bool,
    /// Whether after some round a correct host had precommitted a block and not decided.
    pub locked: bool,
    /// Whether a correct host proposed a block again that had a polka.
    pub reproposed: bool,
    /// Whether one correct host heard conflicting statements of one key.
    pub conflict: bool,
    /// The number of nodes that are convicted at the end.
    pub convicted: usize,
    /// The number of rounds of the protocol that passed at height 1 before healing.
    pub rounds: u64,
    /// The digest of every signature and decision, in 64 hexadecimal digits.
    pub digest: String,
}

/// The results of many scenarios, added up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TwinsReport {
    /// The number of keys.
    pub num_nodes: usize,
    /// The number of keys with two instances.
    pub num_twins: usize,
    /// Whether the twins have less than a third of the power, so that everything must hold.
    pub tolerated: bool,
    /// The number of scenarios that were run.
    pub scenarios: usize,
    /// The number of them in which a correct host decided before healing.
    pub decided: usize,
    /// The number of them in which, after some round, a correct host had precommitted a block and
    /// not decided.
    pub locked: usize,
    /// The number of them in which a correct host proposed a block again that had a polka.
    pub reproposed: usize,
    /// The number of them in which one correct host heard conflicting statements of one key.
    pub conflicts: usize,
    /// The number of them in which a node was convicted.
    pub convicted: usize,
    /// The number of rounds of the protocol that passed before healing, over all scenarios.
    pub rounds: u64,
    /// The scenarios in which something did not hold.
    pub violations: Vec<TwinsViolation>,
    /// The digest of the digests of all scenarios, in 64 hexadecimal digits.
    pub digest: String,
}

/// A scenario in which something did not hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TwinsViolation {
    /// The index of the scenario, counted from 0.
    pub scenario: usize,
    /// The rule that did not hold, described for people.
    pub how: String,
}

impl TwinsReport {
    /// The report before any scenario was run.
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

    /// Adds the outcome of scenario `at`.
    pub fn add(&mut self, at: usize, outcome: ScheduleOutcome) {
        self.scenarios += 1;
        self.decided += usize::from(outcome.decided);
        self.locked += usize::from(outcome.locked);
        self.reproposed += usize::from(outcome.reproposed);
        self.conflicts += usize::from(outcome.conflict);
        self.convicted += usize::from(outcome.convicted > 0);
        self.rounds += outcome.rounds;

        // The digests form a chain, so the order of the scenarios counts.
        let parts = [self.digest.as_bytes(), outcome.digest.as_bytes()];
        self.digest = Hash::derive("quorate 1 twins report", &parts).to_string();

        if let Some(how) = outcome.violation {
            let violation = TwinsViolation { scenario: at, how };
            self.violations.push(violation);
        }
    }

    /// Whether everything held in all scenarios.
    pub fn holds(&self) -> bool {
        self.violations.is_empty()
    }
}

impl std::fmt::Display for TwinsViolation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "scenario {}: {}", self.scenario, self.how)
    }
}
