//! The form of a file of Twins scenarios, and its checks.

use serde::{Deserialize, Serialize};

use crate::error::TwinsError;

/// The greatest number of nodes. Until it is a leader's turn, up to as many rounds have to pass.
const NODES: usize = 16;
/// The greatest number of rounds of a scenario.
const ROUNDS: usize = 16;

/// Groups of hosts that hear each other. A host in no group is alone.
pub type Groups = Vec<Vec<usize>>;
/// One scenario: an entry for each round.
pub type Schedule = Vec<Entry>;

/// A committee, and scenarios for it. The fields are those of the file; the crate documents them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenarios {
    /// The number of keys, 1 to 16.
    pub num_nodes: usize,
    /// The number of nodes, from node 0 on, that have a second instance.
    pub num_twins: usize,
    /// The greatest number of groups of an entry.
    pub partitions: usize,
    /// The number of entries of each scenario, 1 to 16.
    pub rounds: usize,
    /// The scenarios, each with as many entries as `rounds` says.
    pub scenarios: Vec<Schedule>,
}

/// One round of a scenario.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// The node that proposes.
    pub leader: usize,
    /// The groups of hosts that hear each other.
    pub partitions: Groups,
    /// The groups for precommits and commits, if they differ from `partitions`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub precommits: Option<Groups>,
}

impl Scenarios {
    /// Reads a file and checks it.
    ///
    /// # Errors
    /// [`TwinsError`] names the place and the mistake.
    pub fn parse(text: &str) -> Result<Self, TwinsError> {
        let read: Self = serde_json::from_str(text).map_err(|error| TwinsError::Form {
            line: error.line(),
            message: error.to_string(),
        })?;

        read.check()?;
        Ok(read)
    }

    /// Checks everything that the types do not.
    pub(crate) fn check(&self) -> Result<(), TwinsError> {
        check_size(self.num_nodes, self.num_twins)?;
        ranged(
            "partitions",
            self.partitions,
            1,
            self.num_nodes + self.num_twins,
        )?;
        ranged("rounds", self.rounds, 1, ROUNDS)?;

        for (scenario, schedule) in self.scenarios.iter().enumerate() {
            let found = schedule.len();
            let rounds = self.rounds;

            if found != rounds {
                return Err(TwinsError::Length {
                    scenario,
                    found,
                    rounds,
                });
            }

            for (round, entry) in schedule.iter().enumerate() {
                self.check_entry(scenario, round, entry)?;
            }
        }

        Ok(())
    }

    /// Checks the entry of a round of a scenario.
    fn check_entry(&self, scenario: usize, round: usize, entry: &Entry) -> Result<(), TwinsError> {
        if entry.leader >= self.num_nodes {
            return Err(TwinsError::Leader {
                scenario,
                round,
                leader: entry.leader,
                nodes: self.num_nodes,
            });
        }

        for groups in std::iter::once(&entry.partitions).chain(&entry.precommits) {
            if groups.len() > self.partitions {
                return Err(TwinsError::Groups {
                    scenario,
                    round,
                    most: self.partitions,
                });
            }

            if let Some(host) = self.misplaced(groups) {
                return Err(TwinsError::Host {
                    scenario,
                    round,
                    host,
                });
            }
        }

        Ok(())
    }

    /// The first host in some groups that does not exist, or that another group names too. Groups
    /// may leave hosts out.
    fn misplaced(&self, groups: &Groups) -> Option<usize> {
        let mut met = vec![false; self.num_nodes + self.num_twins];

        for host in groups.iter().flatten().copied() {
            match met.get_mut(host) {
                Some(met) if !*met => *met = true,
                _ => return Some(host),
            }
        }

        None
    }
}

/// Checks that a committee of this size can be run.
pub(crate) fn check_size(nodes: usize, twins: usize) -> Result<(), TwinsError> {
    ranged("num_nodes", nodes, 1, NODES)?;
    ranged("num_twins", twins, 0, nodes)
}

/// Checks that a number is in a range.
fn ranged(field: &'static str, value: usize, least: usize, most: usize) -> Result<(), TwinsError> {
    match (least..=most).contains(&value) {
        true => Ok(()),
        false => Err(TwinsError::Range {
            field,
            value,
            least,
            most,
        }),
    }
}
