//! The world as faults take hold of it.

use quorate_store::MemoryDisk;
use quorate_types::Millis;

use super::tear::TearPlan;
use crate::seed::Dice;

/// The end of a link: a host, as faults tell hosts apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// The host of a validator, by its index in the plan.
    Validator {
        /// The index in the plan. A twin has that of its original.
        index: usize,
        /// Whether it is the host of a twin.
        is_twin: bool,
    },
    /// The host of a client, by its index in the plan.
    Client(usize),
}

impl End {
    /// The index in the plan of a validator; `None` for a client.
    pub(crate) fn validator(self) -> Option<usize> {
        match self {
            Self::Validator { index, .. } => Some(index),
            Self::Client(_) => None,
        }
    }
}

/// The world as faults take hold of it. Hosts are named by their index among the validators' hosts,
/// validators and agents by their index in the plan.
pub(crate) trait Ground {
    /// The dice of the world.
    fn dice(&mut self) -> &mut Dice;

    /// The number of validators in the plan.
    fn validators(&self) -> usize;

    /// The hosts of a validator: its own, and that of its twin.
    fn hosts(&self, validator: usize) -> Vec<usize>;

    /// The disk of a host.
    fn disk(&self, host: usize) -> &MemoryDisk;

    /// Sets the part of the unsynced bytes that survives when the disk of a host fails.
    fn set_tear(&mut self, host: usize, tear: TearPlan);

    /// Sets how many milliseconds a sync takes at a host.
    fn set_sync_ms(&mut self, host: usize, sync_ms: Millis);

    /// Sets whether a host loses its log after its next precommit.
    fn set_loses_log(&mut self, host: usize, loses: bool);

    /// Lets a host no longer count as correct.
    fn distrust(&mut self, host: usize);

    /// Empties the disk of a host, which comes back by N-27.
    fn wipe(&mut self, host: usize);

    /// Lets the Unix time of a host jump by some milliseconds.
    fn jump_clock(&mut self, host: usize, by_ms: i64);

    /// Sets the Unix time of a host right, up to the error that the plan gives it.
    fn set_clock(&mut self, host: usize);

    /// Lets a host do nothing for some milliseconds.
    fn pause(&mut self, host: usize, lasts: Millis);

    /// Lets power fail at the hosts of a validator. Their disks keep the bytes that `tear` says.
    fn crash(&mut self, validator: usize, tear: TearPlan, why: &str);

    /// Starts the process of a host, unless it runs.
    fn start(&mut self, host: usize);

    /// Schedules that a supervisor starts the process of a host again.
    fn restart_later(&mut self, host: usize);

    /// Lets a validator crash and start `times` times, `step` milliseconds apart.
    fn storm(&mut self, validator: usize, times: u64, step: Millis);

    /// Ends the process of an agent.
    fn end_agent(&mut self, agent: usize);

    /// Starts the process of an agent, unless it runs.
    fn start_agent(&mut self, agent: usize);

    /// Cuts, in the name of a fault, each link from one host to another of which `is_cut` is true.
    fn cut(&mut self, fault: usize, is_cut: &dyn Fn(End, End) -> bool);

    /// Ends the cuts of a fault.
    fn mend(&mut self, fault: usize);

    /// Begins to cut off the proposer, at each height and round anew.
    fn isolate_leader(&mut self);

    /// Ends one isolation of the proposer.
    fn end_isolation(&mut self);
}
