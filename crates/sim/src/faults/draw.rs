//! How profiles draw faults.

use std::ops::Range;

use super::tear::TearPlan;
use crate::seed::Dice;

/// The parts of profiles, each of which draws among some kinds of faults.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// Faults of the network.
    Network,
    /// Faults of processes and clocks.
    Process,
    /// Faults of disks. The numbers that no kind has stand for a [`Part::Loss`].
    Disk,
    /// Losses of something that a disk had made durable.
    Loss,
    /// Faults of agents.
    Agents,
}

impl Part {
    /// The number of sides of the die that chooses among the kinds.
    pub(crate) fn sides(self) -> u64 {
        match self {
            Self::Network => 6,
            Self::Process | Self::Loss => 5,
            Self::Disk => 8,
            Self::Agents => 1000,
        }
    }
}

/// The numbers of a part's die that choose a kind of fault.
#[derive(Debug, Clone)]
pub(crate) struct Share {
    pub(crate) of: Part,
    pub(crate) numbers: Range<u64>,
}

/// A share of a part.
pub(crate) const fn share(of: Part, numbers: Range<u64>) -> Share {
    Share { of, numbers }
}

/// The means of drawing one fault. The order of the draws decides which plan a seed gives.
#[derive(Debug)]
pub(crate) struct Draw<'a> {
    /// The dice of the plan.
    pub(crate) dice: &'a mut Dice,
    /// The validator or agent that was drawn for the fault.
    pub(crate) place: usize,
    /// The number of validators.
    pub(crate) validators: usize,
    /// The correct validators whose disks may lose what they held.
    pub(crate) doubtful: &'a [usize],
}

impl Draw<'_> {
    /// Draws some validators: three of ten, on average.
    pub(crate) fn few(&mut self) -> Vec<usize> {
        let all = 0..self.validators;
        all.filter(|_| self.dice.chance(300)).collect()
    }

    /// Draws the part of the unsynced bytes that survives.
    pub(crate) fn tear(&mut self) -> TearPlan {
        let all = [
            TearPlan::Nothing,
            TearPlan::Everything,
            TearPlan::Prefix,
            TearPlan::Sectors,
        ];

        *self.dice.pick(&all).unwrap_or(&TearPlan::Nothing)
    }
}
