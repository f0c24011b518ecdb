//! The kinds of runs, and their sizes.

/// A kind of run, by the things that go wrong in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Profile {
    /// Nothing goes wrong; there is only latency.
    Calm,
    /// The network alone loses, doubles, delays and damages frames, and is partitioned.
    Network,
    /// Processes crash, pause and restart, and clocks are wrong.
    Process,
    /// Disks fail, are slow or full, and lose what they held. Those that lie about it belong to
    /// validators that count as faulty from then on.
    Disk,
    /// Less than a third of the validators lie, as many as the protocol tolerates; so do some
    /// agents.
    Byzantine,
    /// Agents alone cause trouble: they come and go, fail, lie and abandon tasks.
    Agents,
    /// The faults of network, processes, disks and agents together, and liars.
    Mixed,
    /// One validator more than the protocol tolerates is down: nothing may commit until they are
    /// back.
    Threshold,
    /// One validator more than the protocol tolerates lies. Agreement is not expected then; but if
    /// it breaks, validators with a third of the power must be guilty by what they signed.
    OverThreshold,
}

/// The size of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// The number of validators, 1 to 128.
    pub validators: usize,
    /// The number of agents, at least 1.
    pub agents: usize,
    /// The number of tasks that the requester submits.
    pub tasks: usize,
    /// The height that the run reaches at least.
    pub heights: u64,
}

impl Default for Size {
    fn default() -> Self {
        Self {
            validators: 4,
            agents: 4,
            tasks: 20,
            heights: 50,
        }
    }
}

impl Profile {
    /// All profiles, in the order in which the command line lists them.
    pub const ALL: [Self; 9] = [
        Self::Calm,
        Self::Network,
        Self::Process,
        Self::Disk,
        Self::Byzantine,
        Self::Agents,
        Self::Mixed,
        Self::Threshold,
        Self::OverThreshold,
    ];

    /// The name of the profile on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Calm => "calm",
            Self::Network => "network",
            Self::Process => "process",
            Self::Disk => "disk",
            Self::Byzantine => "byzantine",
            Self::Agents => "agents",
            Self::Mixed => "mixed",
            Self::Threshold => "threshold",
            Self::OverThreshold => "over-threshold",
        }
    }

    /// A description of one line, as the command line's help shows it.
    pub fn about(self) -> &'static str {
        match self {
            Self::Calm => "nothing goes wrong but distance",
            Self::Network => "loss, duplicates, reordering, flipped bits, partitions of all kinds",
            Self::Process => "crashes between any two writes, restart storms, pauses, clocks",
            Self::Disk => "failing syncs, full, slow and emptied disks, lost logs, torn writes",
            Self::Byzantine => "less than a third of the validators lie; so do some agents",
            Self::Agents => "agents come and go, fail, lie, forge and abandon",
            Self::Mixed => "all of it together, within what the protocol bears",
            Self::Threshold => "a third is down: nothing may commit until it is back",
            Self::OverThreshold => "more than a third lies: disagreement must convict a third",
        }
    }

    /// Whether the faults of profile `part` occur in this profile.
    pub(super) fn has(self, part: Self) -> bool {
        self == part || self == Self::Mixed
    }
}

impl Size {
    /// The greatest number of validators that may be faulty at a time: less than a third of them.
    pub(super) fn bearable(self) -> usize {
        (self.validators.max(1) - 1) / 3
    }
}
