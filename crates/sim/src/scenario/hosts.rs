//! The names of hosts and of their groups, and labels.

use std::collections::BTreeMap;

use quorate_types::Label;

use super::error::{Place, ScenarioError, ranged};
use super::form::{Form, Name};
use super::{MAX_AGENTS, MAX_VALIDATORS};

/// The hosts of a scenario, by name.
#[derive(Debug)]
pub(super) struct Hosts {
    pub(super) validators: Names,
    pub(super) agents: Names,
}

impl Hosts {
    /// Gives the hosts of all groups their names and indices.
    pub(super) fn of(form: &Form, place: Place<'_>) -> Result<Self, ScenarioError> {
        let (mut validators, mut agents) = (Names::new("validator"), Names::new("agent"));

        for group in &form.validators {
            ranged("validators.count", group.count, 1..=MAX_VALIDATORS as u64)?;
            validators.add(&group.name, group.count, place)?;
        }

        for group in &form.agents {
            ranged("agents.count", group.count, 1..=MAX_AGENTS as u64)?;
            agents.add(&group.name, group.count, place)?;
        }

        // Each count is in range by now, but their sums may not be.
        let (voters, workers) = (validators.count, agents.count);

        ranged(
            "validators, all together",
            voters as u64,
            1..=MAX_VALIDATORS as u64,
        )?;

        ranged(
            "agents, all together",
            workers as u64,
            0..=MAX_AGENTS as u64,
        )?;

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
    fn add(&mut self, group: &Name, count: u64, place: Place<'_>) -> Result<(), ScenarioError> {
        label(group, place)?;

        let first = self.count;
        let name = group.get_ref();

        let members: Vec<String> = match count {
            1 => vec![name.clone()],
            count => (1..=count)
                .map(|number| format!("{name}-{number}"))
                .collect(),
        };

        self.count += members.len();

        let mut meanings: Vec<(String, Vec<usize>)> = members
            .into_iter()
            .zip((first..).map(|at| vec![at]))
            .collect();

        // In a group of one, the group and its member have the same name.
        if count > 1 {
            meanings.push((name.clone(), (first..self.count).collect()));
        }

        // A group must not have the name of a member of another group, either.
        for (name, meaning) in meanings {
            if self.meaning.insert(name.clone(), meaning).is_some() {
                let (line, what) = (place.line(group), self.what);
                return Err(ScenarioError::Twice { line, what, name });
            }
        }

        Ok(())
    }

    /// The indices of the hosts that a list of names stands for, in its order.
    pub(super) fn find(
        &self,
        names: &[Name],
        place: Place<'_>,
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
    fn unknown(&self, name: &Name, place: Place<'_>) -> ScenarioError {
        let known = self.meaning.keys().take(40).cloned().collect();
        let (line, what, name) = (place.line(name), self.what, name.get_ref().clone());

        ScenarioError::Unknown {
            line,
            what,
            name,
            known,
        }
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
pub(super) fn labels(names: &[Name], place: Place<'_>) -> Result<Vec<String>, ScenarioError> {
    names.iter().map(|name| label(name, place)).collect()
}

/// Checks that a name is a valid label.
fn label(name: &Name, place: Place<'_>) -> Result<String, ScenarioError> {
    let checked: Result<Label, _> = name.get_ref().parse();
    let wrong = |_| {
        let (line, name) = (place.line(name), name.get_ref().clone());
        ScenarioError::Label { line, name }
    };
    checked.map(String::from).map_err(wrong)
}
