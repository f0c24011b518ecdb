//! The faults in the plan of a profile, and their times.

use super::{Generator, Profile};
use crate::adversary::LieKind;
use crate::plan::{Fault, Plan, TearPlan, TimedFault};

impl Generator {
    /// Draws the faults of a plan whose hosts, liars and end are known.
    pub(super) fn faults(&mut self, plan: &Plan) -> Vec<TimedFault> {
        let mut faults = Vec::new();
        let mut at = 1_000 + self.dice.below(1_000);

        if self.profile == Profile::Threshold {
            return self.threshold(plan);
        }

        // No fault begins in the last second before the healed phase.
        while at + 1_000 < plan.heal_at && self.profile != Profile::Calm {
            let lasts = self.dice.between(200, 4_000).min(plan.heal_at - at);
            let begun = self.fault(plan).into_iter();

            faults.extend(begun.map(|fault| TimedFault { at, lasts, fault }));
            at += self.dice.between(100, 3_000);
        }

        faults.extend(lonely_locks(plan));
        faults
    }

    /// Crashes one validator more than the protocol tolerates, all at once. The others must wait,
    /// and go on when these are back.
    fn threshold(&mut self, plan: &Plan) -> Vec<TimedFault> {
        let mut who: Vec<usize> = (0..self.size.validators).collect();
        self.dice.shuffle(&mut who);

        let at = self.dice.between(2_000, 6_000);
        let down = who.into_iter().take(self.bearable() + 1);
        let lasts = plan.heal_at.saturating_sub(at);

        down.map(|validator| TimedFault {
            at,
            lasts,
            fault: Fault::Crash {
                validator,
                tear: TearPlan::Nothing,
            },
        })
        .collect()
    }

    /// Draws the faults that begin at one time: mostly one, but several disks may be emptied
    /// together.
    fn fault(&mut self, plan: &Plan) -> Vec<Fault> {
        let parts = self.parts();

        match self.dice.pick(&parts) {
            Some(Profile::Network) => vec![self.network_fault()],
            Some(Profile::Process) => vec![self.process_fault()],
            Some(Profile::Disk) => self.disk_fault(plan),
            Some(Profile::Agents) => vec![self.agent_fault()],
            _ => Vec::new(),
        }
    }

    /// The profiles whose faults occur in this profile.
    fn parts(&self) -> Vec<Profile> {
        match self.profile {
            Profile::Mixed => vec![
                Profile::Network,
                Profile::Process,
                Profile::Disk,
                Profile::Agents,
            ],

            // With the greatest number of liars no disk may lose anything: that counts with the
            // lies.
            Profile::OverThreshold => vec![Profile::Network],
            Profile::Byzantine => vec![Profile::Network, Profile::Process],
            part => vec![part],
        }
    }

    fn network_fault(&mut self) -> Fault {
        let validator = self.dice.index(self.size.validators);

        match self.dice.below(6) {
            0 => self.partition(),
            1 => Fault::Mute {
                validators: self.few(),
            },
            2 => Fault::Deaf {
                validators: self.few(),
            },

            3 => Fault::Bridge { validator },
            4 => Fault::Ring,
            _ => Fault::IsolateLeader,
        }
    }

    /// Draws a partition into two groups.
    fn partition(&mut self) -> Fault {
        let all = 0..self.size.validators;
        let (left, right) = all.partition(|_| self.dice.chance(500));

        Fault::Partition {
            groups: vec![left, right],
        }
    }

    /// Draws some validators: three of ten, on average.
    fn few(&mut self) -> Vec<usize> {
        let all = 0..self.size.validators;
        all.filter(|_| self.dice.chance(300)).collect()
    }

    fn process_fault(&mut self) -> Fault {
        let validator = self.dice.index(self.size.validators);

        match self.dice.below(5) {
            0 => Fault::Crash {
                validator,
                tear: self.tear(),
            },

            1 => Fault::CrashAtWrite {
                validator,
                after: self.dice.below(60),
                tear: self.tear(),
            },

            2 => Fault::RestartStorm {
                validator,
                times: self.dice.between(2, 6),
            },

            3 => Fault::Pause { validator },
            _ => Fault::ClockJump {
                validator,
                by_ms: self.dice.below(8_000) as i64 - 4_000,
            },
        }
    }

    fn disk_fault(&mut self, plan: &Plan) -> Vec<Fault> {
        let validator = self.dice.index(self.size.validators);

        vec![match self.dice.below(8) {
            0 | 1 => Fault::CrashAtWrite {
                validator,
                after: self.dice.below(60),
                tear: self.tear(),
            },

            2 => Fault::SlowDisk {
                validator,
                sync_ms: self.dice.between(1, 40),
            },

            3 => Fault::FullDisk { validator },
            4 => Fault::SyncError { validator },

            // Three of eight faults lose something that was durable.
            _ => return self.loss(&self.doubtful(plan)),
        }]
    }

    /// Draws the loss of something that a disk had made durable. A validator that forgot a lock, or
    /// everything it signed, stays silent for a while; one whose disk lies may say anything.
    fn loss(&mut self, doubtful: &[usize]) -> Vec<Fault> {
        let Some(validator) = self.dice.pick(doubtful).copied() else {
            return Vec::new();
        };

        match self.dice.below(5) {
            0 | 1 => vec![Fault::LogLost { validator }],

            2 => {
                // Two validators at once may come back by N-27 if the others are a quorum.
                let all = self.dice.chance(500);
                let wiped = doubtful.iter().filter(|at| all || **at == validator);

                wiped.map(|at| Fault::Wipe { validator: *at }).collect()
            }

            3 => vec![Fault::SyncLie { validator }],
            _ => vec![Fault::MisdirectedWrite { validator }],
        }
    }

    /// The correct validators whose disks may lose what they held. They are always the same ones,
    /// and no more than may be faulty beside the liars: the remaining ones have to be a quorum.
    fn doubtful(&self, plan: &Plan) -> Vec<usize> {
        let liars = plan
            .validators
            .iter()
            .filter(|validator| validator.lie.is_some())
            .count();

        let correct = plan
            .validators
            .iter()
            .enumerate()
            .filter(|(_, at)| at.lie.is_none());

        let left = self.bearable().saturating_sub(liars);
        correct.map(|(at, _)| at).take(left).collect()
    }

    fn agent_fault(&mut self) -> Fault {
        let agent = self.dice.index(self.size.agents);
        match self.dice.chance(500) {
            true => Fault::AgentCrash { agent },
            false => Fault::AgentCut { agent },
        }
    }

    fn tear(&mut self) -> TearPlan {
        let all = [
            TearPlan::Nothing,
            TearPlan::Everything,
            TearPlan::Prefix,
            TearPlan::Sectors,
        ];

        *self.dice.pick(&all).unwrap_or(&TearPlan::Nothing)
    }
}

/// Makes a correct validator lock alone, if a liar of the plan votes nil, as those do that claim
/// false polkas. Beside such a liar a validator that hears everyone and is not heard sees polkas
/// that no other one sees. It has to keep its lock, the second time even over a crash.
fn lonely_locks(plan: &Plan) -> Vec<TimedFault> {
    let mut lies = plan.validators.iter().map(|validator| validator.lie);
    let correct = lies.clone().position(|lie| lie.is_none());

    let nil = [Some(LieKind::NilOnly), Some(LieKind::FalsePolka)];
    let with_nil = lies.any(|lie| nil.contains(&lie));

    let Some(validator) = correct.filter(|_| with_nil) else {
        return Vec::new();
    };

    let mute = || Fault::Mute {
        validators: vec![validator],
    };

    let crash = Fault::Crash {
        validator,
        tear: TearPlan::Nothing,
    };

    // The crash falls into the second absence.
    let all = [
        (2_500, 5_000, mute()),
        (8_000, 5_000, mute()),
        (9_000, 100, crash),
    ];

    all.map(|(at, lasts, fault)| TimedFault { at, lasts, fault })
        .into()
}
