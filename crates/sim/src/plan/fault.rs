//! What goes wrong in a plan, and when.

use serde::{Deserialize, Serialize};

use quorate_types::Millis;

/// Something that goes wrong for a while.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TimedFault {
    /// When it begins.
    pub at: Millis,
    /// How long it lasts, where it lasts.
    #[serde(default)]
    pub lasts: Millis,
    /// What it is.
    pub fault: Fault,
}

/// What goes wrong. Validators and agents are named by their index in the plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// The process ends, power fails, and after the time it lasts it starts again.
    Crash {
        /// Validator.
        validator: usize,
        /// What becomes of what was not synced.
        tear: TearPlan,
    },
    /// As [`Fault::Crash`], at the write that many operations of its disk later.
    CrashAtWrite {
        /// Validator.
        validator: usize,
        /// Operations of its disk from now.
        after: u64,
        /// What becomes of what was not synced.
        tear: TearPlan,
    },
    /// It crashes and starts so many times in a row, evenly over the time it lasts.
    RestartStorm {
        /// Validator.
        validator: usize,
        /// Crashes.
        times: u64,
    },
    /// It does nothing, and then finds everything waiting.
    Pause {
        /// Validator.
        validator: usize,
    },
    /// Nobody outside a group hears it: validators by group; the agents hear the first one.
    Partition {
        /// Groups of validators.
        groups: Vec<Vec<usize>>,
    },
    /// What these say, nobody hears; they hear all.
    Mute {
        /// Validators.
        validators: Vec<usize>,
    },
    /// What is said to these is lost; they are heard.
    Deaf {
        /// Validators.
        validators: Vec<usize>,
    },
    /// Two halves that only this one hears, and is heard by.
    Bridge {
        /// Validator.
        validator: usize,
    },
    /// Each hears its two neighbours alone.
    Ring,
    /// Whoever is to propose is cut off, anew at each height and round.
    IsolateLeader,
    /// A clock jumps; Unix time, not the monotonic one.
    ClockJump {
        /// Validator.
        validator: usize,
        /// Milliseconds, maybe back.
        by_ms: i64,
    },
    /// Each sync takes so many milliseconds.
    SlowDisk {
        /// Validator.
        validator: usize,
        /// Milliseconds.
        sync_ms: Millis,
    },
    /// The disk is full.
    FullDisk {
        /// Validator.
        validator: usize,
    },
    /// The next sync fails.
    SyncError {
        /// Validator.
        validator: usize,
    },
    /// Syncs report success and do nothing; then power fails. The validator is no longer correct.
    SyncLie {
        /// Validator.
        validator: usize,
    },
    /// A write lands elsewhere; then it restarts. The validator is no longer correct.
    MisdirectedWrite {
        /// Validator.
        validator: usize,
    },
    /// Power fails right after its next precommit, and the log of that height is gone, with the
    /// lock in it; the guard and the blocks are left. It starts again soon.
    LogLost {
        /// Validator.
        validator: usize,
    },
    /// The disk is emptied; it comes back by N-27 to N-30.
    Wipe {
        /// Validator.
        validator: usize,
    },
    /// An agent's process ends and starts again: a new one with the same key.
    AgentCrash {
        /// Agent.
        agent: usize,
    },
    /// An agent is cut off.
    AgentCut {
        /// Agent.
        agent: usize,
    },
}

/// What survives of what was not synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TearPlan {
    /// Nothing.
    Nothing,
    /// Everything.
    Everything,
    /// Some first bytes.
    Prefix,
    /// Any subset of sectors, some of them garbage.
    Sectors,
}

impl Fault {
    /// Its name in counts and traces: that of the plan.
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

    /// Names of all faults, in the order of their definition.
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

    /// The validators it is about.
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

    /// The agent it is about.
    pub fn agent(&self) -> Option<usize> {
        match self {
            Self::AgentCrash { agent } | Self::AgentCut { agent } => Some(*agent),
            _ => None,
        }
    }

    /// Whether a validator that meets it can no longer be held to its word.
    pub fn makes_faulty(&self) -> bool {
        matches!(self, Self::SyncLie { .. } | Self::MisdirectedWrite { .. })
    }
}
