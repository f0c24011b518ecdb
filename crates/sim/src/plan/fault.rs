//! Faults: the things that a plan makes go wrong, with their times.

use serde::{Deserialize, Serialize};

use quorate_types::Millis;

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

/// A fault. Validators and agents are named by their index in the plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// Power fails at a validator. It starts again when the fault ends.
    Crash {
        /// The validator that crashes.
        validator: usize,
        /// The part of the unsynced bytes that survives.
        tear: TearPlan,
    },
    /// As [`Fault::Crash`], but at a certain operation of its disk.
    CrashAtWrite {
        /// The validator that crashes.
        validator: usize,
        /// The number of operations of its disk, from the beginning of the fault, before power
        /// fails.
        after: u64,
        /// The part of the unsynced bytes that survives.
        tear: TearPlan,
    },
    /// A validator crashes and starts several times, evenly over the duration of the fault.
    RestartStorm {
        /// The validator that crashes.
        validator: usize,
        /// The number of crashes.
        times: u64,
    },
    /// A validator does nothing until the fault ends, and then finds everything waiting.
    Pause {
        /// The validator that pauses.
        validator: usize,
    },
    /// Frames pass only within a group. Agents are in the first group.
    Partition {
        /// The groups of validators. A validator in no group is in the first.
        groups: Vec<Vec<usize>>,
    },
    /// Frames from these validators are lost; they hear everyone.
    Mute {
        /// The validators that are not heard.
        validators: Vec<usize>,
    },
    /// Frames to these validators are lost; everyone hears them.
    Deaf {
        /// The validators that hear nothing.
        validators: Vec<usize>,
    },
    /// The other validators are split into two halves that do not hear each other; both hear this
    /// one and are heard by it.
    Bridge {
        /// The validator between the halves.
        validator: usize,
    },
    /// Each validator hears only its two neighbours by index.
    Ring,
    /// The proposer is cut off, at each height and round anew.
    IsolateLeader,
    /// The Unix time of a validator jumps; its monotonic clock does not. It is set right when the
    /// fault ends.
    ClockJump {
        /// The validator whose clock jumps.
        validator: usize,
        /// Milliseconds by which it jumps; negative if it jumps back.
        by_ms: i64,
    },
    /// Each sync of a disk takes a while.
    SlowDisk {
        /// The validator whose disk is slow.
        validator: usize,
        /// Milliseconds that a sync takes.
        sync_ms: Millis,
    },
    /// A disk has room for 512 more bytes only, until the fault ends.
    FullDisk {
        /// The validator whose disk is full.
        validator: usize,
    },
    /// The next sync of a disk fails.
    SyncError {
        /// The validator whose disk fails.
        validator: usize,
    },
    /// Syncs report success and do nothing. When the fault ends, power fails. From the beginning of
    /// the fault the validator no longer counts as correct.
    SyncLie {
        /// The validator whose disk lies.
        validator: usize,
    },
    /// A write lands in a wrong place. When the fault ends, the validator restarts. From the
    /// beginning of the fault it no longer counts as correct.
    MisdirectedWrite {
        /// The validator whose disk misdirects a write.
        validator: usize,
    },
    /// Power fails right after the validator's next precommit, and the log of that height is lost
    /// with the lock in it. The guard and the blocks are left. It starts again soon after.
    LogLost {
        /// The validator that loses its log.
        validator: usize,
    },
    /// The disk of a validator is emptied. It comes back by N-27 to N-30 when the fault ends.
    Wipe {
        /// The validator whose disk is emptied.
        validator: usize,
    },
    /// The process of an agent ends. A new one with the same key starts when the fault ends.
    AgentCrash {
        /// The agent that crashes.
        agent: usize,
    },
    /// No frame passes between an agent and anyone else.
    AgentCut {
        /// The agent that is cut off.
        agent: usize,
    },
}

/// The part of the unsynced bytes that survives a crash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TearPlan {
    /// No unsynced byte survives.
    Nothing,
    /// Every unsynced byte survives.
    Everything,
    /// The first bytes survive, as many as dice say.
    Prefix,
    /// Any of the sectors survive, and some of them hold garbage.
    Sectors,
}

impl Fault {
    /// The name in plans, counts and traces.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Crash { .. } => "crash",
            Self::CrashAtWrite { .. } => "crash-at-write",
            Self::RestartStorm { .. } => "restart-storm",
            Self::Pause { .. } => "pause",
            Self::Partition { .. } => "partition",
            Self::Mute { .. } => "mute",
            Self::Deaf { .. } => "deaf",
            Self::Bridge { .. } => "bridge",
            Self::Ring => "ring",
            Self::IsolateLeader => "isolate-leader",
            Self::ClockJump { .. } => "clock-jump",
            Self::SlowDisk { .. } => "slow-disk",
            Self::FullDisk { .. } => "full-disk",
            Self::SyncError { .. } => "sync-error",
            Self::SyncLie { .. } => "sync-lie",
            Self::MisdirectedWrite { .. } => "misdirected-write",
            Self::LogLost { .. } => "log-lost",
            Self::Wipe { .. } => "wipe",
            Self::AgentCrash { .. } => "agent-crash",
            Self::AgentCut { .. } => "agent-cut",
        }
    }

    /// The names of all faults, in the order of their definition.
    pub const NAMES: [&'static str; 20] = [
        "crash",
        "crash-at-write",
        "restart-storm",
        "pause",
        "partition",
        "mute",
        "deaf",
        "bridge",
        "ring",
        "isolate-leader",
        "clock-jump",
        "slow-disk",
        "full-disk",
        "sync-error",
        "sync-lie",
        "misdirected-write",
        "log-lost",
        "wipe",
        "agent-crash",
        "agent-cut",
    ];

    /// The validators that the fault names.
    pub fn validators(&self) -> impl Iterator<Item = usize> {
        let list = match self {
            Self::Crash { validator, .. }
            | Self::CrashAtWrite { validator, .. }
            | Self::RestartStorm { validator, .. }
            | Self::Pause { validator }
            | Self::Bridge { validator }
            | Self::ClockJump { validator, .. }
            | Self::SlowDisk { validator, .. }
            | Self::FullDisk { validator }
            | Self::SyncError { validator }
            | Self::SyncLie { validator }
            | Self::MisdirectedWrite { validator }
            | Self::LogLost { validator }
            | Self::Wipe { validator } => vec![*validator],

            Self::Mute { validators } | Self::Deaf { validators } => validators.clone(),
            Self::Partition { groups } => groups.concat(),

            Self::Ring | Self::IsolateLeader | Self::AgentCrash { .. } | Self::AgentCut { .. } => {
                Vec::new()
            }
        };

        list.into_iter()
    }

    /// The agent that the fault names; `None` if it names validators or nobody.
    pub fn agent(&self) -> Option<usize> {
        match self {
            Self::AgentCrash { agent } | Self::AgentCut { agent } => Some(*agent),
            _ => None,
        }
    }

    /// Whether the validator that it happens to no longer counts as correct: its disk lied, so it
    /// may contradict what it said before.
    pub fn makes_faulty(&self) -> bool {
        matches!(self, Self::SyncLie { .. } | Self::MisdirectedWrite { .. })
    }
}
