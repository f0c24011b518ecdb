//! All scenarios of a kind, and some of them by dice.

use super::form::check_size;
use super::symmetry::{Alphabet, Letter, numbered, partitions};
use super::{Entry, Groups, Scenarios, Schedule, TwinsError};
use crate::dice::Dice;

/// Scenarios to enumerate, or to draw from.
///
/// A scenario is a word of `rounds` entries; an entry is any leader that [`Leaders`] allows, with
/// any partition of the hosts into at most `groups` groups, and what [`Precommits`] allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Space {
    /// Keys, 1 to 16.
    pub nodes: usize,
    /// How many of them, from node 0, have a second instance.
    pub twins: usize,
    /// Groups of hosts at most, at least 1.
    pub groups: usize,
    /// Entries of a scenario, 1 to 16.
    pub rounds: usize,
    /// Who may lead.
    pub leaders: Leaders,
    /// Which ways precommits go.
    pub precommits: Precommits,
}

/// Who may lead a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leaders {
    /// Every node.
    Any,
    /// Nodes with twins.
    Twins,
}

/// Which ways precommits and commits may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precommits {
    /// With everything else.
    Along,
    /// With everything else, or nowhere.
    AlongOrNowhere,
    /// With everything else, nowhere, or by any partition of their own.
    Any,
}

impl Space {
    /// Scenarios, before those that differ in names only are left out.
    ///
    /// # Errors
    /// [`TwinsError::Range`] for a committee that cannot be run.
    pub fn generated(&self) -> Result<u128, TwinsError> {
        Ok(self.alphabet()?.count(self.rounds))
    }

    /// Scenarios that differ in more than names.
    ///
    /// # Errors
    /// [`TwinsError::Range`] for a committee that cannot be run.
    pub fn canonical(&self) -> Result<u128, TwinsError> {
        Ok(self.alphabet()?.count_canonical(self.rounds))
    }

    /// Calls `visit` with each scenario that differs from those before in more than names, until it
    /// says `false`.
    ///
    /// # Errors
    /// [`TwinsError::Range`] for a committee that cannot be run.
    pub fn visit(&self, mut visit: impl FnMut(&[Entry]) -> bool) -> Result<(), TwinsError> {
        let alphabet = self.alphabet()?;
        let entries: Vec<Entry> = alphabet.letters.iter().map(entry).collect();
        alphabet.visit(self.rounds, &mut |word| {
            visit(
                &word
                    .iter()
                    .map(|letter| entries[*letter].clone())
                    .collect::<Vec<_>>(),
            )
        });
        Ok(())
    }

    /// So many scenarios by dice, as a file has them. Half of the hosts join the first group and
    /// the others any, so that quorums are not rare; and precommits mostly go nowhere, so that the
    /// first quorum does not end it.
    ///
    /// # Errors
    /// [`TwinsError::Range`] for a committee that cannot be run.
    pub fn sample(&self, seed: u64, count: usize) -> Result<Scenarios, TwinsError> {
        check_size(self.nodes, self.twins)?;
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

    fn alphabet(&self) -> Result<Alphabet, TwinsError> {
        check_size(self.nodes, self.twins)?;
        let parts = partitions(self.hosts(), self.groups);
        let mut letters = Vec::new();
        for leader in 0..self.leaders() {
            for all in &parts {
                let own = match self.precommits {
                    Precommits::Along => Vec::new(),
                    Precommits::AlongOrNowhere => vec![self.nowhere()],
                    Precommits::Any => [parts.clone(), vec![self.nowhere()]].concat(),
                };
                let own = own.into_iter().filter(|own| own != all).map(Some);
                letters.extend(
                    std::iter::once(None)
                        .chain(own)
                        .map(|own| (leader, all.clone(), own)),
                );
            }
        }
        Ok(Alphabet::new(letters, (self.nodes, self.twins)))
    }

    fn draw(&self, dice: &mut Dice) -> Letter {
        let leader = dice.index(self.leaders());
        let all = self.draw_partition(dice);
        let precommits = match (self.precommits, dice.below(6)) {
            (Precommits::Along, _) | (_, 0) => None,
            (Precommits::Any, 1) => Some(self.draw_partition(dice)),
            _ => Some(self.nowhere()),
        };
        (leader, all, precommits)
    }

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

    fn nowhere(&self) -> Vec<usize> {
        (0..self.hosts()).collect()
    }
}

fn entry((leader, all, precommits): &Letter) -> Entry {
    let precommits = precommits.as_ref().map(|own| listed(own));
    Entry {
        leader: *leader,
        partitions: listed(all),
        precommits,
    }
}

/// Groups as lists of hosts; none where every host is alone.
fn listed(groups: &[usize]) -> Groups {
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
