//! The names of hosts and of their groups, and labels.

use std::collections::BTreeMap;

use quorate_types::Label;

use quorate_types::limits;

use super::error::{ScenarioError, SourceText, ranged};
use super::form::{Form, Name};

/// The greatest number of agents.
pub const MAX_AGENTS: usize = 10_000;
/// The greatest number of validators.
pub(super) const MAX_VALIDATORS: usize = limits::VALIDATORS;

/// The hosts of a scenario, by name.
#[derive(Debug)]
pub(super) struct Hosts {
    pub(super) validators: Names,
    pub(super) agents: Names,
}

impl Hosts {
    /// Gives the hosts of all groups their names and indices.
    pub(super) fn of(form: &Form, place: SourceText<'_>) -> Result<Self, ScenarioError> {
        let mut validators = Names::new("validator");
        let mut agents = Names::new("agent");

        let most_validators = MAX_VALIDATORS as u64;
        let most_agents = MAX_AGENTS as u64;

        for group in &form.validators {
            ranged("validators.count", group.count, 1..=most_validators)?;
            validators.add(&group.name, group.count, place)?;
        }

        for group in &form.agents {
            ranged("agents.count", group.count, 1..=most_agents)?;
            agents.add(&group.name, group.count, place)?;
        }

        // Each count is in range by now, but their sums may not be.
        let voters = validators.count as u64;
        let workers = agents.count as u64;

        ranged("validators, all together", voters, 1..=most_validators)?;
        ranged("agents, all together", workers, 0..=most_agents)?;

        Ok(Self { validators, agents })
    }
}

/// The names of the hosts of one kind. A group of one has one name. The name of a larger group
/// stands for all its members, and each member has that name with a number from 1 behind it.
#[derive(Debug)]
pub(super) struct Names {
    /// The kind of host, for errors.
    what: &'static str,
    count: usize,
    /// The indices of the hosts that each name stands for.
    meaning: BTreeMap<String, Vec<usize>>,
}

impl Names {
    fn new(what: &'static str) -> Self {
        Self {
            what,
            count: 0,
            meaning: BTreeMap::new(),
        }
    }

    /// Adds a group with its members.
    fn add(
        &mut self,
        group: &Name,
        count: u64,
        place: SourceText<'_>,
    ) -> Result<(), ScenarioError> {
        label(group, place)?;

        let first = self.count;

        for member in members(group.get_ref(), count) {
            self.mean(member, vec![self.count], group, place)?;
            self.count += 1;
        }

        // In a group of one, the group and its member have the same name.
        if count > 1 {
            let all = (first..self.count).collect();
            self.mean(group.get_ref().clone(), all, group, place)?;
        }

        Ok(())
    }

    /// Gives a name its meaning. It is an error if the name has one: a group must not have the name
    /// of a member of another group, either.
    fn mean(
        &mut self,
        name: String,
        meaning: Vec<usize>,
        group: &Name,
        place: SourceText<'_>,
    ) -> Result<(), ScenarioError> {
        if self.meaning.insert(name.clone(), meaning).is_none() {
            return Ok(());
        }

        Err(ScenarioError::Twice {
            line: place.line(group),
            what: self.what,
            name,
        })
    }

    /// The indices of the hosts that a list of names stands for, in its order.
    pub(super) fn find(
        &self,
        names: &[Name],
        place: SourceText<'_>,
    ) -> Result<Vec<usize>, ScenarioError> {
        let mut found = Vec::new();

        for name in names {
            // The name of a group stands for several hosts.
            let meaning = self.meaning.get(name.get_ref());
            found.extend(meaning.ok_or_else(|| self.unknown(name, place))?);
        }

        Ok(found)
    }

    /// The error for a name that does not exist. It lists no more than 40 of those that do.
    fn unknown(&self, name: &Name, place: SourceText<'_>) -> ScenarioError {
        ScenarioError::Unknown {
            line: place.line(name),
            what: self.what,
            name: name.get_ref().clone(),
            known: self.meaning.keys().take(40).cloned().collect(),
        }
    }
}

/// The names of the members of a group.
fn members(group: &str, count: u64) -> Vec<String> {
    match count {
        1 => vec![group.to_owned()],
        count => (1..=count)
            .map(|number| format!("{group}-{number}"))
            .collect(),
    }
}

/// The groups as traces name them, by `letter` and indices, and the name of each in the file.
pub(super) fn legend<'a>(
    letter: &str,
    groups: impl Iterator<Item = (&'a Name, u64)>,
) -> Vec<(String, String)> {
    let mut next = 0;

    let line = |(name, count): (&Name, u64)| {
        let first = next;
        next += count;

        let who = match count {
            1 => format!("{letter}{first}"),
            _ => format!("{letter}{first}-{letter}{}", next.saturating_sub(1)),
        };

        (who, name.get_ref().clone())
    };

    groups.map(line).collect()
}

/// Checks that each name is a valid label.
pub(super) fn labels(names: &[Name], place: SourceText<'_>) -> Result<Vec<String>, ScenarioError> {
    names.iter().map(|name| label(name, place)).collect()
}

/// Checks that a name is a valid label.
fn label(name: &Name, place: SourceText<'_>) -> Result<String, ScenarioError> {
    let checked: Result<Label, _> = name.get_ref().parse();
    let wrong = |_| {
        let line = place.line(name);
        let name = name.get_ref().clone();
        ScenarioError::Label { line, name }
    };
    checked.map(String::from).map_err(wrong)
}
