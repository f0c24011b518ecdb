//! The faults of a scenario, read by the name of their kind.

use quorate_types::Millis;

use super::error::{ScenarioError, SourceText, ranged};
use super::form::{FaultForm, Form, Name};
use super::hosts::Hosts;
use super::links;
use crate::faults::{AgentCut, Described, Entry, Fault, KINDS, Partition, TearPlan, TimedFault};
use crate::plan::Plan;

/// The name of an entry that stands for several faults: they cut off a region.
const CUT_REGION: &str = "cut-region";

/// The keys of a kind of entry, beside `kind`, `at` and `lasts`.
struct Keys {
    /// The keys that it needs.
    needs: &'static [&'static str],
    /// The keys that it may have.
    takes: &'static [&'static str],
}

/// Reads all faults, for a plan whose hosts, links and end are known.
pub(super) fn all(
    form: &Form,
    hosts: &Hosts,
    plan: &Plan,
    place: SourceText<'_>,
) -> Result<Vec<TimedFault>, ScenarioError> {
    let mut timed = Vec::new();
    for fault in &form.faults {
        let at = begin(fault, plan.heal_at, place)?;
        check_keys(fault, place)?;

        // A fault without `lasts`, or with one that is too long, ends when the healed phase begins.
        let rest = plan.heal_at - at;
        let lasts = fault.lasts.map_or(rest, |lasts| lasts.millis()).min(rest);

        let reader = Reader {
            fault,
            hosts,
            plan,
            place,
        };

        timed.extend(
            reader
                .read()?
                .into_iter()
                .map(|fault| TimedFault { at, lasts, fault }),
        );
    }

    Ok(timed)
}

/// The time at which a fault begins. It is an error if that is in the healed phase.
fn begin(
    fault: &FaultForm,
    heal_ms: Millis,
    place: SourceText<'_>,
) -> Result<Millis, ScenarioError> {
    let at_ms = fault.at.get_ref().millis();

    match at_ms < heal_ms {
        true => Ok(at_ms),
        false => Err(ScenarioError::Healed {
            line: place.line(&fault.at),
            at_ms,
            heal_ms,
        }),
    }
}

/// Checks that a fault is of a known kind, has every key that it needs, and none that it does not
/// take.
fn check_keys(fault: &FaultForm, place: SourceText<'_>) -> Result<(), ScenarioError> {
    let Keys { needs, takes } = keys_of(fault, place)?;
    let line = place.line(&fault.kind);
    let kind = fault.kind.get_ref().clone();

    let given = given(fault);

    if let Some(key) = needs.iter().find(|key| !given.contains(key)) {
        return Err(ScenarioError::Missing { line, kind, key });
    }

    // A key without effect is an error, like an unknown one.
    let known = [needs, takes].concat();

    let Some(key) = given.iter().find(|key| !known.contains(key)) else {
        return Ok(());
    };

    Err(ScenarioError::Superfluous {
        line,
        kind,
        key,
        takes: owned(&[&["at", "lasts"], needs, takes].concat()),
    })
}

/// Texts as an error holds them.
fn owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

/// The keys of the kind of an entry. It is an error if there is no kind of that name.
fn keys_of(fault: &FaultForm, place: SourceText<'_>) -> Result<Keys, ScenarioError> {
    let name = fault.kind.get_ref();

    if name == CUT_REGION {
        return Ok(Keys {
            needs: &["region"],
            takes: &[],
        });
    }

    if let Some(kind) = described(name) {
        return Ok(Keys {
            needs: kind.needs,
            takes: kind.takes,
        });
    }

    let names: Vec<_> = Fault::names().chain([CUT_REGION]).collect();

    Err(ScenarioError::Unknown {
        line: place.line(&fault.kind),
        what: "fault",
        name: name.clone(),
        known: owned(&names),
    })
}

/// The kind of fault of this name.
fn described(name: &str) -> Option<&'static Described> {
    KINDS.iter().find(|kind| kind.name == name)
}

/// The keys that are written for a fault, beside `kind`, `at` and `lasts`.
fn given(fault: &FaultForm) -> Vec<&'static str> {
    let keys = [
        ("validators", fault.validators.is_some()),
        ("agents", fault.agents.is_some()),
        ("groups", fault.groups.is_some()),
        ("region", fault.region.is_some()),
        ("times", fault.times.is_some()),
        ("after_writes", fault.after_writes.is_some()),
        ("tear", fault.tear.is_some()),
        ("by_ms", fault.by_ms.is_some()),
        ("sync", fault.sync.is_some()),
    ];

    keys.into_iter()
        .filter(|(_, given)| *given)
        .map(|(key, _)| key)
        .collect()
}

/// Reads one entry of the file, which stands for one fault, or for one for each host that it names.
struct Reader<'a> {
    fault: &'a FaultForm,
    hosts: &'a Hosts,
    plan: &'a Plan,
    place: SourceText<'a>,
}

impl Reader<'_> {
    /// The faults that the entry stands for. Its keys are checked already, so a missing one is
    /// optional.
    fn read(&self) -> Result<Vec<Fault>, ScenarioError> {
        let entry = self.entry()?;

        match described(self.fault.kind.get_ref()) {
            Some(kind) => Ok((kind.read)(&entry)),
            None => self.cut_region(),
        }
    }

    /// The keys of the entry, with names resolved.
    fn entry(&self) -> Result<Entry, ScenarioError> {
        let fault = self.fault;
        let times = fault.times.unwrap_or(1);
        ranged("faults.times", times, 1..=1000)?;

        Ok(Entry {
            validators: self.validators()?,
            agents: self.agents()?,
            groups: self.groups()?,
            times,
            after_writes: fault.after_writes.unwrap_or(0),
            tear: fault.tear.unwrap_or(TearPlan::Nothing),
            by_ms: fault.by_ms.unwrap_or(0),
            sync_ms: fault.sync.map_or(0, |sync| sync.millis()),
        })
    }

    /// The validators that the entry names.
    fn validators(&self) -> Result<Vec<usize>, ScenarioError> {
        let names = self.fault.validators.as_deref().unwrap_or_default();
        self.hosts.validators.find(names, self.place)
    }

    /// The agents that the entry names.
    fn agents(&self) -> Result<Vec<usize>, ScenarioError> {
        let names = self.fault.agents.as_deref().unwrap_or_default();
        self.hosts.agents.find(names, self.place)
    }

    /// The validators of each group that the entry names.
    fn groups(&self) -> Result<Vec<Vec<usize>>, ScenarioError> {
        let groups = self.fault.groups.iter().flatten();
        groups
            .map(|group: &Vec<Name>| self.hosts.validators.find(group, self.place))
            .collect()
    }

    /// The faults that cut off a region: its validators hear only each other, and its agents hear
    /// nobody.
    fn cut_region(&self) -> Result<Vec<Fault>, ScenarioError> {
        // A fault of this kind has a region: its keys were checked.
        let Some(name) = &self.fault.region else {
            return Ok(Vec::new());
        };

        let region = links::find(&self.plan.links, name, self.place)?;
        let mut faults = Vec::new();

        // A partition leaves all agents in its first group, so those of the region are cut off one
        // by one.
        for (agent, plan) in self.plan.agents.iter().enumerate() {
            if plan.region == region {
                faults.push(Fault::AgentCut(AgentCut { agent }));
            }
        }

        faults.push(self.partition_of(region));
        Ok(faults)
    }

    /// The partition between the validators of a region and the others.
    fn partition_of(&self, region: usize) -> Fault {
        let mut inside = Vec::new();
        let mut outside = Vec::new();

        for (at, validator) in self.plan.validators.iter().enumerate() {
            match validator.region == region {
                true => inside.push(at),
                false => outside.push(at),
            }
        }

        // Agents are with the first group, so the validators outside of the region must be that.
        Fault::Partition(Partition {
            groups: vec![outside, inside],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_of_a_plan_can_be_written() {
        for name in Fault::names() {
            assert!(described(name).is_some(), "{name}");
        }
    }
}
