//! The kinds of faults, by name. A new one takes a file and a line here, and its module is declared
//! in `mod.rs`.

use serde::{Deserialize, Serialize};

use quorate_types::Millis;

use super::draw::{Draw, Share};
use super::entry::Entry;
use super::ground::Ground;
use super::kind::{Begun, FaultKind};
use super::{
    agent_crash::AgentCrash, agent_cut::AgentCut, bridge::Bridge, clock_jump::ClockJump,
    crash::Crash, crash_at_write::CrashAtWrite, deaf::Deaf, full_disk::FullDisk,
    isolate_leader::IsolateLeader, log_lost::LogLost, misdirected_write::MisdirectedWrite,
    mute::Mute, partition::Partition, pause::Pause, restart_storm::RestartStorm, ring::Ring,
    slow_disk::SlowDisk, sync_error::SyncError, sync_lie::SyncLie, wipe::Wipe,
};

/// A fault with its time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TimedFault {
    /// The time at which it begins, in milliseconds since the start.
    pub at: Millis,
    /// The number of milliseconds after which it ends; without meaning for [`Fault::SyncError`].
    #[serde(default)]
    pub lasts: Millis,
    /// The fault itself.
    pub fault: Fault,
}

/// A kind of fault, for those who read or draw one.
pub(crate) struct Described {
    /// The name in plans, scenario files, counts and traces.
    pub(crate) name: &'static str,
    /// See [`FaultKind::NEEDS`].
    pub(crate) needs: &'static [&'static str],
    /// See [`FaultKind::TAKES`].
    pub(crate) takes: &'static [&'static str],
    /// See [`FaultKind::SHARES`].
    pub(crate) shares: &'static [Share],
    /// See [`FaultKind::read`].
    pub(crate) read: fn(&Entry) -> Vec<Fault>,
    /// See [`FaultKind::draw`].
    pub(crate) draw: fn(&mut Draw<'_>) -> Vec<Fault>,
}

/// Makes the enumeration of all kinds, and passes on each call to the kind.
macro_rules! faults {
    ($($kind:ident = $name:literal,)*) => {
        /// A fault. Validators and agents are named by their index in the plan.
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
        pub enum Fault {
            $(
                #[doc = concat!("See [`", stringify!($kind), "`].")]
                #[serde(rename = $name)]
                $kind($kind),
            )*
        }

        $(
            impl From<$kind> for Fault {
                fn from(fault: $kind) -> Self {
                    Self::$kind(fault)
                }
            }
        )*

        /// The kinds of faults, in the order in which reports list them.
        pub(crate) const KINDS: &[Described] = &[
            $(Described {
                name: $name,
                needs: $kind::NEEDS,
                takes: $kind::TAKES,
                shares: $kind::SHARES,
                read: |entry| all_of($kind::read(entry)),
                draw: |draw| all_of($kind::draw(draw)),
            },)*
        ];

        impl Fault {
            /// The name in plans, counts and traces.
            pub fn name(&self) -> &'static str {
                match self {
                    $(Self::$kind(_) => $name,)*
                }
            }

            /// The validators that the fault names.
            pub fn validators(&self) -> impl Iterator<Item = usize> {
                let list = match self {
                    $(Self::$kind(fault) => fault.validators(),)*
                };
                list.into_iter()
            }

            /// The agent that the fault names; `None` if it names validators or nobody.
            pub fn agent(&self) -> Option<usize> {
                match self {
                    $(Self::$kind(fault) => fault.agent(),)*
                }
            }

            /// Whether the validator that it happens to no longer counts as correct: its disk
            /// lied, so it may contradict what it said before.
            pub fn makes_faulty(&self) -> bool {
                match self {
                    $(Self::$kind(fault) => fault.makes_faulty(),)*
                }
            }

            /// Makes go wrong what the fault says.
            pub(crate) fn begin(&self, ground: &mut dyn Ground, begun: Begun) {
                match self {
                    $(Self::$kind(fault) => fault.begin(ground, begun),)*
                }
            }

            /// Puts right what the fault left. `fault` is its index in the plan.
            pub(crate) fn end(&self, ground: &mut dyn Ground, fault: usize) {
                match self {
                    $(Self::$kind(kind) => kind.end(ground, fault),)*
                }
            }
        }
    };
}

faults! {
    Crash = "crash",
    CrashAtWrite = "crash-at-write",
    RestartStorm = "restart-storm",
    Pause = "pause",
    Partition = "partition",
    Mute = "mute",
    Deaf = "deaf",
    Bridge = "bridge",
    Ring = "ring",
    IsolateLeader = "isolate-leader",
    ClockJump = "clock-jump",
    SlowDisk = "slow-disk",
    FullDisk = "full-disk",
    SyncError = "sync-error",
    SyncLie = "sync-lie",
    MisdirectedWrite = "misdirected-write",
    LogLost = "log-lost",
    Wipe = "wipe",
    AgentCrash = "agent-crash",
    AgentCut = "agent-cut",
}

impl Fault {
    /// The names of all faults, in the order in which reports list them.
    pub fn names() -> impl Iterator<Item = &'static str> {
        KINDS.iter().map(|kind| kind.name)
    }
}

/// Faults of one kind as faults.
fn all_of<F: Into<Fault>>(faults: Vec<F>) -> Vec<Fault> {
    faults.into_iter().map(Into::into).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::faults::Part;

    /// A die must have every number once, or some seed would draw nothing.
    #[test]
    fn the_kinds_share_each_die_without_gap_or_overlap() {
        // The last three numbers of the disk's die stand for a loss.
        let parts = [
            (Part::Network, 0),
            (Part::Process, 0),
            (Part::Disk, 3),
            (Part::Loss, 0),
            (Part::Agents, 0),
        ];

        for (part, rest) in parts {
            let shares = KINDS.iter().flat_map(|kind| kind.shares);
            let own = shares.filter(|share| share.of == part);
            let mut numbers: Vec<u64> = own.flat_map(|share| share.numbers.clone()).collect();
            numbers.sort_unstable();

            let expected: Vec<u64> = (0..part.sides() - rest).collect();
            assert_eq!(numbers, expected, "{part:?}");
        }
    }
}
