//! Twins scenarios as a file has them.

use serde::{Deserialize, Serialize};

use super::{Runner, TwinsReport, Withheld};

/// Nodes of a committee at most: passing rounds until it is a leader's turn takes as many.
const NODES: usize = 16;
/// Rounds of a scenario at most.
const ROUNDS: usize = 16;

/// Groups of hosts that hear each other; who is in none is alone.
pub type Groups = Vec<Vec<usize>>;
/// One scenario: an entry for each round.
pub type Schedule = Vec<Entry>;

/// A committee, and scenarios for it. The fields are those of the file; see the module.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenarios {
    /// Keys, 1 to 16.
    pub num_nodes: usize,
    /// How many of them, from node 0, have a second instance.
    pub num_twins: usize,
    /// Groups that an entry has at most.
    pub partitions: usize,
    /// Entries of a scenario, 1 to 16.
    pub rounds: usize,
    /// The scenarios.
    pub scenarios: Vec<Schedule>,
}

/// One round of a scenario.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Node that proposes.
    pub leader: usize,
    /// Who hears whom.
    pub partitions: Groups,
    /// Who hears whose precommits, where that is another question.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub precommits: Option<Groups>,
}

/// What is wrong with a file. Scenarios, rounds and hosts count from 0.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TwinsError {
    /// No JSON, or a field that is unknown, missing or of another kind.
    #[error("line {line}: {message}")]
    Form {
        /// Line, from 1.
        line: usize,
        /// What the parser says.
        message: String,
    },
    /// A number of the head.
    #[error("`{field}` is {value}; it may be {least} to {most}")]
    Range {
        /// Which number.
        field: &'static str,
        /// As written.
        value: usize,
        /// The least there may be.
        least: usize,
        /// The most there may be.
        most: usize,
    },
    /// A scenario of another length than `rounds`.
    #[error("scenario {scenario} has {found} entries, and `rounds` is {rounds}")]
    Length {
        /// Which one.
        scenario: usize,
        /// Its entries.
        found: usize,
        /// How many there should be.
        rounds: usize,
    },
    /// A leader that is no node.
    #[error("scenario {scenario}, round {round}: leader {leader} is none of the {nodes} nodes")]
    Leader {
        /// Which one.
        scenario: usize,
        /// Entry of it.
        round: usize,
        /// As written.
        leader: usize,
        /// Nodes there are.
        nodes: usize,
    },
    /// A host that is not there, or in two groups.
    #[error("scenario {scenario}, round {round}: host {host} is not there, or in two groups")]
    Host {
        /// Which one.
        scenario: usize,
        /// Entry of it.
        round: usize,
        /// As written.
        host: usize,
    },
    /// More groups than `partitions` says.
    #[error("scenario {scenario}, round {round}: more than {most} groups")]
    Groups {
        /// Which one.
        scenario: usize,
        /// Entry of it.
        round: usize,
        /// How many there may be.
        most: usize,
    },
}

impl Scenarios {
    /// Reads a file.
    ///
    /// # Errors
    /// [`TwinsError`] saying where and what.
    pub fn parse(text: &str) -> Result<Self, TwinsError> {
        let read: Self = serde_json::from_str(text).map_err(|error| TwinsError::Form {
            line: error.line(),
            message: error.to_string(),
        })?;
        read.check()?;
        Ok(read)
    }

    /// Runs all scenarios in order, goes on after violations, and tells `on_progress` after each
    /// how many are done; it ends early when that says `false`.
    ///
    /// # Errors
    /// [`TwinsError`] where these are no scenarios that [`Self::parse`] would have given.
    pub fn run(
        &self,
        withheld: Withheld,
        mut on_progress: impl FnMut(usize) -> bool,
    ) -> Result<TwinsReport, TwinsError> {
        self.check()?;
        let mut runner = Runner::new(self.num_nodes, self.num_twins)?;
        let mut report = TwinsReport::new(self.num_nodes, self.num_twins);
        for (at, schedule) in self.scenarios.iter().enumerate() {
            report.add(at, runner.run(schedule, withheld));
            if !on_progress(at + 1) {
                break;
            }
        }
        Ok(report)
    }

    fn check(&self) -> Result<(), TwinsError> {
        check_size(self.num_nodes, self.num_twins)?;
        ranged(
            "partitions",
            self.partitions,
            1,
            self.num_nodes + self.num_twins,
        )?;
        ranged("rounds", self.rounds, 1, ROUNDS)?;
        for (scenario, schedule) in self.scenarios.iter().enumerate() {
            let (found, rounds) = (schedule.len(), self.rounds);
            if found != rounds {
                return Err(TwinsError::Length {
                    scenario,
                    found,
                    rounds,
                });
            }
            for (round, entry) in schedule.iter().enumerate() {
                self.check_entry((scenario, round), entry)?;
            }
        }
        Ok(())
    }

    fn check_entry(&self, at: (usize, usize), entry: &Entry) -> Result<(), TwinsError> {
        let ((scenario, round), leader, nodes) = (at, entry.leader, self.num_nodes);
        if leader >= nodes {
            return Err(TwinsError::Leader {
                scenario,
                round,
                leader,
                nodes,
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
            let mut met = vec![false; nodes + self.num_twins];
            for host in groups.iter().flatten().copied() {
                let free = met.get_mut(host).filter(|met| !**met);
                *free.ok_or(TwinsError::Host {
                    scenario,
                    round,
                    host,
                })? = true;
            }
        }
        Ok(())
    }
}

/// Whether a committee of this size can be run.
pub(super) fn check_size(nodes: usize, twins: usize) -> Result<(), TwinsError> {
    ranged("num_nodes", nodes, 1, NODES)?;
    ranged("num_twins", twins, 0, nodes)
}

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
