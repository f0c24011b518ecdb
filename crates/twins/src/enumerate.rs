//! Enumerates all scenarios of a space, or draws some of them by dice.

use quorate_sim::Dice;

use crate::error::TwinsError;
use crate::form::{Entry, Groups, Scenarios, Schedule, check_size};
use crate::symmetry::{Alphabet, Letter, numbered, partitions};

/// A set of scenarios, to enumerate or to draw from.
///
/// A scenario is a word of `rounds` entries. An entry has any leader that [`Leaders`] allows, any
/// partition of the hosts into at most `groups` groups, and precommits as [`Precommits`] allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Space {
    /// The number of keys, 1 to 16.
    pub nodes: usize,
    /// The number of nodes, from node 0 on, that have a second instance.
    pub twins: usize,
    /// The greatest number of groups of hosts, at least 1.
    pub groups: usize,
    /// The number of entries of a scenario, 1 to 16.
    pub rounds: usize,
    /// The nodes that may lead.
    pub leaders: Leaders,
    /// The groups in which precommits may be heard.
    pub precommits: Precommits,
}

/// The nodes that may lead a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leaders {
    /// Every node may.
    Any,
    /// Only nodes with twins may.
    Twins,
}

/// The groups in which precommits and commits may be heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precommits {
    /// The groups of everything else.
    Along,
    /// The groups of everything else, or no groups, so that nobody hears them.
    AlongOrNowhere,
    /// The groups of everything else, no groups, or any other partition.
    Any,
}

impl Space {
    /// The number of scenarios before those that differ in names only are left out.
    ///
    /// # Errors
    /// [`TwinsError::Range`] for a committee that cannot be run.
    pub fn generated(&self) -> Result<u128, TwinsError> {
        Ok(self.alphabet()?.count(self.rounds))
    }

    /// The number of scenarios that differ in more than names.
    ///
    /// # Errors
    /// [`TwinsError::Range`] for a committee that cannot be run.
    pub fn canonical(&self) -> Result<u128, TwinsError> {
        Ok(self.alphabet()?.count_canonical(self.rounds))
    }

    /// Calls `visit` with each scenario that differs from all before it in more than names, until
    /// it returns `false`.
    ///
    /// # Errors
    /// [`TwinsError::Range`] for a committee that cannot be run.
    pub fn visit(&self, mut visit: impl FnMut(&[Entry]) -> bool) -> Result<(), TwinsError> {
        let alphabet = self.alphabet()?;
        let entries: Vec<Entry> = alphabet.letters.iter().map(entry).collect();

        alphabet.visit(self.rounds, &mut |word| {
            let word = word.iter().map(|letter| entries[*letter].clone());
            let schedule: Schedule = word.collect();

            visit(&schedule)
        });

        Ok(())
    }

    /// Draws `count` scenarios by dice, in the form of a file. Half of the hosts join the first
    /// group and the others any group, so that quorums are not rare. Precommits are mostly heard by
    /// nobody, so that the first quorum does not end the scenario.
    ///
    /// # Errors
    /// [`TwinsError::Range`] for a committee that cannot be run.
    pub fn sample(&self, seed: u64, count: usize) -> Result<Scenarios, TwinsError> {
        check_size(self.nodes, self.twins)?;

        // Each scenario has dice of its own, so a longer sample begins like a shorter one.
        let draw = |index: usize| -> Schedule {
            let mut dice = Dice::new(seed, "twins", index as u64);

            (0..self.rounds)
                .map(|_| entry(&self.draw(&mut dice)))
                .collect()
        };

        Ok(Scenarios {
            num_nodes: self.nodes,
            num_twins: self.twins,
            partitions: self.groups,
            rounds: self.rounds,
            scenarios: (0..count).map(draw).collect(),
        })
    }

    /// All entries of the space, with their symmetries.
    fn alphabet(&self) -> Result<Alphabet, TwinsError> {
        check_size(self.nodes, self.twins)?;

        let parts = partitions(self.hosts(), self.groups);
        let own = self.own_precommits(&parts);
        let mut letters = Vec::new();

        for leader in 0..self.leaders() {
            for all in &parts {
                letters.push((leader, all.clone(), None));

                // The same partition again would be the entry without precommits.
                for own in own.iter().filter(|own| *own != all) {
                    letters.push((leader, all.clone(), Some(own.clone())));
                }
            }
        }

        Ok(Alphabet::new(letters, self.nodes, self.twins))
    }

    /// The partitions in which precommits may be heard that are not heard like everything else.
    fn own_precommits(&self, parts: &[Vec<usize>]) -> Vec<Vec<usize>> {
        match self.precommits {
            Precommits::Along => Vec::new(),
            Precommits::AlongOrNowhere => vec![self.nowhere()],
            Precommits::Any => [parts, &[self.nowhere()]].concat(),
        }
    }

    /// Draws an entry.
    fn draw(&self, dice: &mut Dice) -> Letter {
        let leader = dice.index(self.leaders());
        let all = self.draw_partition(dice);
        let side = dice.below(6);

        // In one entry of six, precommits are heard like everything else.
        let precommits = match (self.precommits, side) {
            (Precommits::Along, _) | (_, 0) => None,
            (Precommits::Any, 1) => Some(self.draw_partition(dice)),
            _ => Some(self.nowhere()),
        };

        (leader, all, precommits)
    }

    /// Draws a partition of the hosts.
    fn draw_partition(&self, dice: &mut Dice) -> Vec<usize> {
        let group = |_| match dice.below(2) {
            0 => dice.index(self.groups),
            _ => 0,
        };
        numbered(&(0..self.hosts()).map(group).collect::<Vec<_>>())
    }

    fn hosts(&self) -> usize {
        self.nodes + self.twins
    }

    fn leaders(&self) -> usize {
        match self.leaders {
            Leaders::Any => self.nodes,
            Leaders::Twins => self.twins,
        }
    }

    /// The partition in which every host is alone.
    fn nowhere(&self) -> Vec<usize> {
        (0..self.hosts()).collect()
    }
}

/// A letter in the form of a file.
fn entry((leader, all, precommits): &Letter) -> Entry {
    let precommits = precommits.as_ref().map(|own| listed(own));
    Entry {
        leader: *leader,
        partitions: listed(all),
        precommits,
    }
}

/// The groups as lists of hosts. The list is empty if every host is alone.
fn listed(groups: &[usize]) -> Groups {
    // Groups are numbered without gaps, so the last number tells how many there are.
    let count = groups.iter().max().map_or(0, |last| last + 1);

    if count == groups.len() {
        return Vec::new();
    }

    let members = |group: usize| {
        let hosts = groups.iter().enumerate().filter(|(_, of)| **of == group);
        hosts.map(|(host, _)| host).collect()
    };

    (0..count).map(members).collect()
}
