//! The faults of a scenario, read by the name of their kind.

use quorate_types::Millis;

use super::error::{ScenarioError, SourceText, ranged};
use super::form::{FaultForm, Form, Name};
use super::hosts::Hosts;
use super::links;
use crate::plan::{Fault, Plan, TearPlan, TimedFault};

/// A kind of fault: its name, the keys that it needs, and those that it may have, beside `at` and
/// `lasts`.
type FaultKind = (
    &'static str,
    &'static [&'static str],
    &'static [&'static str],
);

/// The kinds of faults.
static KINDS: [FaultKind; 21] = [
    ("crash", &["validators"], &["tear"]),
    ("crash-at-write", &["validators"], &["after_writes", "tear"]),
    ("restart-storm", &["validators", "times"], &[]),
    ("pause", &["validators"], &[]),
    ("partition", &["groups"], &[]),
    ("mute", &["validators"], &[]),
    ("deaf", &["validators"], &[]),
    ("bridge", &["validators"], &[]),
    ("ring", &[], &[]),
    ("isolate-leader", &[], &[]),
    ("clock-jump", &["validators", "by_ms"], &[]),
    ("slow-disk", &["validators", "sync"], &[]),
    ("full-disk", &["validators"], &[]),
    ("sync-error", &["validators"], &[]),
    ("sync-lie", &["validators"], &[]),
    ("misdirected-write", &["validators"], &[]),
    ("log-lost", &["validators"], &[]),
    ("wipe", &["validators"], &[]),
    ("agent-crash", &["agents"], &[]),
    ("agent-cut", &["agents"], &[]),
    ("cut-region", &["region"], &[]),
];

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
    let (name, must, may) = kind_of(fault, place)?;
    let line = place.line(&fault.kind);
    let kind = (*name).to_owned();

    let given = given(fault);

    if let Some(key) = must.iter().find(|key| !given.contains(key)) {
        return Err(ScenarioError::Missing { line, kind, key });
    }

    // A key without effect is an error, like an unknown one.
    let takes = [*must, *may].concat();

    let Some(key) = given.iter().find(|key| !takes.contains(key)) else {
        return Ok(());
    };

    Err(ScenarioError::Superfluous {
        line,
        kind,
        key,
        takes: owned(&[&["at", "lasts"], *must, *may].concat()),
    })
}

/// Texts as an error holds them.
fn owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

/// The kind of a fault. It is an error if there is none of that name.
fn kind_of(fault: &FaultForm, place: SourceText<'_>) -> Result<&'static FaultKind, ScenarioError> {
    let kind = fault.kind.get_ref();

    if let Some(found) = KINDS.iter().find(|(name, ..)| name == kind) {
        return Ok(found);
    }

    let names: Vec<_> = KINDS.iter().map(|(name, ..)| *name).collect();

    Err(ScenarioError::Unknown {
        line: place.line(&fault.kind),
        what: "fault",
        name: kind.clone(),
        known: owned(&names),
    })
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
        ranged("faults.times", self.times(), 1..=1000)?;

        let fault = match self.fault.kind.get_ref().as_str() {
            "partition" => Fault::Partition {
                groups: self.groups()?,
            },

            "mute" => Fault::Mute {
                validators: self.validators()?,
            },

            "deaf" => Fault::Deaf {
                validators: self.validators()?,
            },

            "ring" => Fault::Ring,
            "isolate-leader" => Fault::IsolateLeader,

            "agent-crash" => return self.each_agent(|agent| Fault::AgentCrash { agent }),
            "agent-cut" => return self.each_agent(|agent| Fault::AgentCut { agent }),
            "cut-region" => return self.cut_region(),

            // All other kinds are about one validator at a time.
            _ => return self.each(|validator| self.fault_of(validator)),
        };

        Ok(vec![fault])
    }

    /// The number of crashes of a restart storm.
    fn times(&self) -> u64 {
        self.fault.times.unwrap_or(1)
    }

    /// The fault of one validator that the entry names.
    fn fault_of(&self, validator: usize) -> Fault {
        let tear = self.fault.tear.unwrap_or(TearPlan::Nothing);
        let after = self.fault.after_writes.unwrap_or(0);
        let times = self.times();
        let by_ms = self.fault.by_ms.unwrap_or(0);

        match self.fault.kind.get_ref().as_str() {
            "crash" => Fault::Crash { validator, tear },

            "crash-at-write" => Fault::CrashAtWrite {
                validator,
                after,
                tear,
            },

            "restart-storm" => Fault::RestartStorm { validator, times },
            "pause" => Fault::Pause { validator },
            "bridge" => Fault::Bridge { validator },
            "clock-jump" => Fault::ClockJump { validator, by_ms },

            _ => self.disk_fault_of(validator),
        }
    }

    /// The fault of the disk of one validator that the entry names.
    fn disk_fault_of(&self, validator: usize) -> Fault {
        let sync_ms = self.fault.sync.map_or(0, |sync| sync.millis());

        // Unknown kinds were refused before, so the last arm is `wipe`.
        match self.fault.kind.get_ref().as_str() {
            "slow-disk" => Fault::SlowDisk { validator, sync_ms },
            "full-disk" => Fault::FullDisk { validator },
            "sync-error" => Fault::SyncError { validator },
            "sync-lie" => Fault::SyncLie { validator },
            "misdirected-write" => Fault::MisdirectedWrite { validator },
            "log-lost" => Fault::LogLost { validator },
            _ => Fault::Wipe { validator },
        }
    }

    /// The validators that the entry names.
    fn validators(&self) -> Result<Vec<usize>, ScenarioError> {
        let names = self.fault.validators.as_deref().unwrap_or_default();
        self.hosts.validators.find(names, self.place)
    }

    /// The validators of each group that the entry names.
    fn groups(&self) -> Result<Vec<Vec<usize>>, ScenarioError> {
        let groups = self.fault.groups.iter().flatten();
        groups
            .map(|group: &Vec<Name>| self.hosts.validators.find(group, self.place))
            .collect()
    }

    /// A fault for each validator that the entry names.
    fn each(&self, make: impl Fn(usize) -> Fault) -> Result<Vec<Fault>, ScenarioError> {
        Ok(self.validators()?.into_iter().map(make).collect())
    }

    /// A fault for each agent that the entry names.
    fn each_agent(&self, make: impl Fn(usize) -> Fault) -> Result<Vec<Fault>, ScenarioError> {
        let names = self.fault.agents.as_deref().unwrap_or_default();
        let agents = self.hosts.agents.find(names, self.place)?;
        Ok(agents.into_iter().map(make).collect())
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
                faults.push(Fault::AgentCut { agent });
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
        Fault::Partition {
            groups: vec![outside, inside],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_of_a_plan_can_be_written() {
        for name in Fault::NAMES {
            assert!(KINDS.iter().any(|(kind, ..)| *kind == name), "{name}");
        }
    }
}
