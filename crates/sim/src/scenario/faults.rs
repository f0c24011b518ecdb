//! The faults of a scenario, read by the name of their kind.

use quorate_types::Millis;

use super::error::{Place, ScenarioError, ranged};
use super::form::{FaultForm, Form, Name};
use super::hosts::Hosts;
use super::links;
use crate::plan::{Fault, Plan, TearPlan, TimedFault};

/// The kinds of faults, with the keys that each needs and those that it may have, beside `at` and
/// `lasts`.
const KINDS: [(&str, &[&str], &[&str]); 21] = [
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
    place: Place<'_>,
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
fn begin(fault: &FaultForm, heal_ms: Millis, place: Place<'_>) -> Result<Millis, ScenarioError> {
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
fn check_keys(fault: &FaultForm, place: Place<'_>) -> Result<(), ScenarioError> {
    let (line, kind) = (place.line(&fault.kind), fault.kind.get_ref().clone());
    let Some((_, must, may)) = KINDS.iter().find(|(name, ..)| *name == kind) else {
        let known = KINDS.iter().map(|(name, ..)| (*name).to_owned()).collect();
        return Err(ScenarioError::Unknown {
            line,
            what: "fault",
            name: kind,
            known,
        });
    };

    let given = given(fault);
    if let Some(key) = must.iter().find(|key| !given.contains(key)) {
        return Err(ScenarioError::Missing { line, kind, key });
    }

    // A key without effect is an error, like an unknown one.
    let takes = |key: &&&str| must.contains(key) || may.contains(key);

    match given.iter().find(|key| !takes(key)) {
        None => Ok(()),
        Some(key) => {
            // The message lists every key that the kind takes.
            let takes = ["at", "lasts"].iter().chain(*must).chain(*may);
            let takes = takes.map(|key| (*key).to_owned()).collect();
            Err(ScenarioError::Superfluous {
                line,
                kind,
                key,
                takes,
            })
        }
    }
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
    place: Place<'a>,
}

impl Reader<'_> {
    /// The faults that the entry stands for. Its keys are checked already, so a missing one is
    /// optional.
    fn read(&self) -> Result<Vec<Fault>, ScenarioError> {
        let fault = self.fault;
        let tear = fault.tear.unwrap_or(TearPlan::Nothing);
        let (after, times) = (fault.after_writes.unwrap_or(0), fault.times.unwrap_or(1));

        ranged("faults.times", times, 1..=1000)?;

        let by_ms = fault.by_ms.unwrap_or(0);
        let sync_ms = fault.sync.map_or(0, |sync| sync.millis());

        // Unknown kinds were refused before, so the last arm is `cut-region`.
        match fault.kind.get_ref().as_str() {
            "crash" => self.each(|validator| Fault::Crash { validator, tear }),
            "crash-at-write" => self.each(|validator| Fault::CrashAtWrite {
                validator,
                after,
                tear,
            }),
            "restart-storm" => self.each(|validator| Fault::RestartStorm { validator, times }),
            "pause" => self.each(|validator| Fault::Pause { validator }),
            "partition" => Ok(vec![Fault::Partition {
                groups: self.groups()?,
            }]),
            "mute" => Ok(vec![Fault::Mute {
                validators: self.validators()?,
            }]),
            "deaf" => Ok(vec![Fault::Deaf {
                validators: self.validators()?,
            }]),
            "bridge" => self.each(|validator| Fault::Bridge { validator }),
            "ring" => Ok(vec![Fault::Ring]),
            "isolate-leader" => Ok(vec![Fault::IsolateLeader]),
            "clock-jump" => self.each(|validator| Fault::ClockJump { validator, by_ms }),
            "slow-disk" => self.each(|validator| Fault::SlowDisk { validator, sync_ms }),
            "full-disk" => self.each(|validator| Fault::FullDisk { validator }),
            "sync-error" => self.each(|validator| Fault::SyncError { validator }),
            "sync-lie" => self.each(|validator| Fault::SyncLie { validator }),
            "misdirected-write" => self.each(|validator| Fault::MisdirectedWrite { validator }),
            "log-lost" => self.each(|validator| Fault::LogLost { validator }),
            "wipe" => self.each(|validator| Fault::Wipe { validator }),
            "agent-crash" => self.each_agent(|agent| Fault::AgentCrash { agent }),
            "agent-cut" => self.each_agent(|agent| Fault::AgentCut { agent }),
            _ => self.cut_region(),
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
        Ok(self
            .hosts
            .agents
            .find(names, self.place)?
            .into_iter()
            .map(make)
            .collect())
    }

    /// The faults that cut off a region: its validators hear only each other, and its agents hear
    /// nobody.
    fn cut_region(&self) -> Result<Vec<Fault>, ScenarioError> {
        // A fault of this kind has a region: its keys were checked.
        let Some(name) = &self.fault.region else {
            return Ok(Vec::new());
        };

        let region = links::find(&self.plan.links, name, self.place)?;

        let validators = self.plan.validators.iter().enumerate();
        let (inside, outside): (Vec<_>, Vec<_>) =
            validators.partition(|(_, validator)| validator.region == region);
        let indices = |hosts: Vec<(usize, _)>| hosts.into_iter().map(|(at, _)| at).collect();

        // Agents are with the first group, so the validators outside of the region must be that.
        let partition = Fault::Partition {
            groups: vec![indices(outside), indices(inside)],
        };

        // A partition leaves all agents in its first group, so those of the region are cut off one
        // by one.
        let agents = self.plan.agents.iter().enumerate();
        let agents = agents.filter(|(_, agent)| agent.region == region);

        Ok(agents
            .map(|(agent, _)| Fault::AgentCut { agent })
            .chain([partition])
            .collect())
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
