//! The faults in the plan of a profile, and their times.

use super::kind::{Profile, Size};
use crate::adversary::LieKind;
use crate::faults::{Crash, Described, Draw, Fault, KINDS, Mute, Part, TearPlan, TimedFault};
use crate::plan::Plan;
use crate::seed::Dice;

/// Draws the faults of a plan. The order of the draws decides which plan a seed gives.
pub(super) struct FaultGenerator<'a> {
    profile: Profile,
    size: Size,
    dice: &'a mut Dice,
}

impl<'a> FaultGenerator<'a> {
    /// Draws with the dice of the plan.
    pub(super) fn new(profile: Profile, size: Size, dice: &'a mut Dice) -> Self {
        Self {
            profile,
            size,
            dice,
        }
    }

    /// Draws the faults of a plan whose hosts, liars and end are known.
    pub(super) fn draw_all(&mut self, plan: &Plan) -> Vec<TimedFault> {
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
        let down = who.into_iter().take(self.size.bearable() + 1);
        let lasts = plan.heal_at.saturating_sub(at);

        down.map(|validator| TimedFault {
            at,
            lasts,
            fault: Fault::Crash(Crash {
                validator,
                tear: TearPlan::Nothing,
            }),
        })
        .collect()
    }

    /// Draws the faults that begin at one time: mostly one, but several disks may be emptied
    /// together.
    fn fault(&mut self, plan: &Plan) -> Vec<Fault> {
        let parts = self.parts();

        match self.dice.pick(&parts) {
            Some(Profile::Network) => self.fault_of_validator(Part::Network),
            Some(Profile::Process) => self.fault_of_validator(Part::Process),
            Some(Profile::Disk) => self.disk_fault(plan),
            Some(Profile::Agents) => {
                let agent = self.dice.index(self.size.agents);
                self.fault_of(Part::Agents, agent)
            }
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

    /// Draws a fault about any validator.
    fn fault_of_validator(&mut self, part: Part) -> Vec<Fault> {
        let validator = self.dice.index(self.size.validators);
        self.fault_of(part, validator)
    }

    /// Draws a fault of a part about a validator or agent.
    fn fault_of(&mut self, part: Part, place: usize) -> Vec<Fault> {
        let number = self.dice.below(part.sides());

        chosen(part, number).map_or_else(Vec::new, |kind| self.draw(kind, place, &[]))
    }

    /// Draws a fault of a disk. Three of eight lose something that was durable.
    fn disk_fault(&mut self, plan: &Plan) -> Vec<Fault> {
        let validator = self.dice.index(self.size.validators);
        let number = self.dice.below(Part::Disk.sides());

        match chosen(Part::Disk, number) {
            Some(kind) => self.draw(kind, validator, &[]),
            None => self.loss(&self.doubtful(plan)),
        }
    }

    /// Draws the loss of something that a disk had made durable. A validator that forgot a lock, or
    /// everything it signed, stays silent for a while; one whose disk lies may say anything.
    fn loss(&mut self, doubtful: &[usize]) -> Vec<Fault> {
        let Some(validator) = self.dice.pick(doubtful).copied() else {
            return Vec::new();
        };

        let number = self.dice.below(Part::Loss.sides());

        chosen(Part::Loss, number)
            .map_or_else(Vec::new, |kind| self.draw(kind, validator, doubtful))
    }

    /// Draws the rest of a fault of a kind.
    fn draw(&mut self, kind: &Described, place: usize, doubtful: &[usize]) -> Vec<Fault> {
        (kind.draw)(&mut Draw {
            dice: self.dice,
            place,
            validators: self.size.validators,
            doubtful,
        })
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

        let left = self.size.bearable().saturating_sub(liars);
        correct.map(|(at, _)| at).take(left).collect()
    }
}

/// The kind of fault that a number of a part's die chooses.
fn chosen(part: Part, number: u64) -> Option<&'static Described> {
    let has = |kind: &&Described| {
        let mut shares = kind.shares.iter();
        shares.any(|share| share.of == part && share.numbers.contains(&number))
    };

    KINDS.iter().find(has)
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

    let mute = || {
        Fault::Mute(Mute {
            validators: vec![validator],
        })
    };

    let crash = Fault::Crash(Crash {
        validator,
        tear: TearPlan::Nothing,
    });

    // The crash falls into the second absence.
    let all = [
        (2_500, 5_000, mute()),
        (8_000, 5_000, mute()),
        (9_000, 100, crash),
    ];

    all.map(|(at, lasts, fault)| TimedFault { at, lasts, fault })
        .into()
}
