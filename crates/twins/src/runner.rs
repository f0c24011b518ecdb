//! The runner: scenarios one after the other, and whole files of them.

use quorate_crypto::SignatureMemo;

use crate::committee::Committee;
use crate::error::TwinsError;
use crate::form::{Entry, Scenarios};
use crate::network::Withheld;
use crate::report::{ScheduleOutcome, TwinsReport};
use crate::run::Run;

/// A committee that runs scenarios one after the other. Each begins at the genesis.
pub struct Runner {
    committee: Committee,
    /// Holds the memory of verified signatures open: all hosts share it, over all scenarios.
    _memo: SignatureMemo,
}

impl Runner {
    /// Makes a committee of `nodes` keys of power 1, of which the first `twins` have two instances.
    ///
    /// # Errors
    /// [`TwinsError::Range`] if there are no nodes, more than 16, or more twins than nodes.
    pub fn new(nodes: usize, twins: usize) -> Result<Self, TwinsError> {
        Ok(Self {
            committee: Committee::new(nodes, twins)?,
            _memo: SignatureMemo::start(),
        })
    }

    /// Runs one scenario to its end, or to the first rule that does not hold. Entries name hosts as
    /// [`Scenarios`] does; a host or leader that does not exist stands for nobody.
    pub fn run(&mut self, schedule: &[Entry], withheld: Withheld) -> ScheduleOutcome {
        let mut run = Run::new(&mut self.committee, withheld);
        for entry in schedule {
            run.play_entry(entry);
        }

        let standing = run.standing();
        run.heal();
        run.outcome(standing)
    }
}

impl std::fmt::Debug for Runner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Runner")
            .field("nodes", &self.committee.nodes())
            .finish_non_exhaustive()
    }
}

impl Scenarios {
    /// Runs all scenarios in order, also after violations. After each it calls `on_progress` with
    /// the number of those that are done, and ends early if that returns `false`.
    ///
    /// # Errors
    /// [`TwinsError`] if [`Self::parse`] would not have returned these scenarios.
    pub fn run(
        &self,
        withheld: Withheld,
        mut on_progress: impl FnMut(usize) -> bool,
    ) -> Result<TwinsReport, TwinsError> {
        self.check()?;
        let mut runner = Runner::new(self.num_nodes, self.num_twins)?;
        let mut report = TwinsReport::new(self.num_nodes, self.num_twins);

        for (at, schedule) in self.scenarios.iter().enumerate() {
            report.add(at, runner.run(schedule, withheld));

            if !on_progress(at + 1) {
                break;
            }
        }

        Ok(report)
    }
}
