//! Plans by seed and size: hosts, market, tasks, links and liars.

use quorate_market::Mechanism;
use quorate_market::mechanisms::{FirstPrice, Gap, Optimal, SecondPrice};
use quorate_types::Millis;

use super::faults::FaultGenerator;
use super::kind::{Profile, Size};
use crate::adversary::{LieKind, Manner};
use crate::latency;
use crate::plan::{AgentPlan, LinkPlan, MarketPlan, Plan, TaskPlan, ValidatorPlan};
use crate::seed::Dice;

/// The manners of agents that lie, whatever the market's mechanism is.
const LIARS: [Manner; 4] = [
    Manner::CapabilityLiar,
    Manner::WinAndAbandon,
    Manner::BidSpammer,
    Manner::Forger,
];
/// The labels that tasks may ask for.
const LABELS: [&str; 3] = ["air", "ground", "sea"];
/// The least number of milliseconds until the healed phase; each task adds to it.
const SAFETY_MS: Millis = 8_000;

impl Profile {
    /// Makes the plan of a seed: the same for the same seed and size.
    pub fn plan(self, seed: u64, size: Size) -> Plan {
        Generator {
            profile: self,
            size,
            seed,
            dice: Dice::new(seed, "plan", 0),
        }
        .plan()
    }
}

/// Draws a plan from a seed. The order of the draws decides which plan a seed gives.
struct Generator {
    profile: Profile,
    size: Size,
    seed: u64,
    dice: Dice,
}

impl Generator {
    fn plan(mut self) -> Plan {
        let heal_at = SAFETY_MS + 250 * self.size.tasks as Millis;
        let mut links = self.links();
        let mut plan = Plan {
            seed: self.seed,
            validators: self.validators(links.regions.len()),
            agents: self.agents(links.regions.len()),
            market: self.market(),
            tasks: self.tasks(heal_at),
            faults: Vec::new(),
            heal_at,
            patience: 240_000,
            min_heights: self.size.heights,
            over_threshold: self.profile == Profile::OverThreshold,
            links: LinkPlan { ..links.clone() },
        };

        // Drawn after hosts, market and tasks, so that these are the same with good links.
        if self.profile.has(Profile::Network) {
            self.spoil(&mut links);
            plan.links = links;
        }

        self.lies(&mut plan);
        self.solve(&mut plan);
        plan.faults = FaultGenerator::new(self.profile, self.size, &mut self.dice).draw_all(&plan);
        plan
    }

    /// Draws where the hosts are: over five cities in three of ten seeds, otherwise in one place.
    fn links(&mut self) -> LinkPlan {
        let wide = self.dice.chance(300);
        if wide {
            latency::world()
        } else {
            latency::campus()
        }
    }

    fn spoil(&mut self, links: &mut LinkPlan) {
        let dice = &mut self.dice;
        links.jitter_ms = dice.between(0, 40);
        links.loss_permille = dice.between(0, 300) * dice.below(2);
        links.duplicate_permille = dice.between(0, 500) * dice.below(2);
        links.flip_permille = dice.between(0, 50) * dice.below(2);
        links.bytes_per_ms = dice.chance(200).then(|| dice.between(20, 200));
    }

    fn validators(&mut self, regions: usize) -> Vec<ValidatorPlan> {
        (0..self.size.validators)
            .map(|_| ValidatorPlan {
                power: 1,
                region: self.dice.index(regions),
                skew_ms: self.clock_error(-200, 400),
                drift_permille: self.clock_error(-10, 21),
                lie: None,
            })
            .collect()
    }

    /// Draws the error of a clock: at least `least`, from that many values; 0 if clocks are right.
    fn clock_error(&mut self, least: i64, values: u64) -> i64 {
        match self.profile.has(Profile::Process) {
            true => self.dice.below(values) as i64 + least,
            false => 0,
        }
    }

    fn agents(&mut self, regions: usize) -> Vec<AgentPlan> {
        (0..self.size.agents)
            .map(|at| AgentPlan {
                labels: labels_of(at),
                slots: self.dice.between(1, 3) as usize,
                price: self.price(),
                work_ms: self.work(),
                fails_permille: self.failures(),
                region: self.dice.index(regions),
                manner: self.manner(at),
                solves: false,
            })
            .collect()
    }

    /// Draws how many of a thousand executions of an agent fail.
    fn failures(&mut self) -> u64 {
        match self.profile.has(Profile::Agents) {
            true => self.dice.between(0, 200),
            false => 0,
        }
    }

    /// Draws the manner of an agent. The first one is honest.
    fn manner(&mut self, at: usize) -> Manner {
        let has_liars = self.profile.has(Profile::Agents) || self.profile.has(Profile::Byzantine);

        match has_liars && at > 0 && self.dice.chance(350) {
            true => *self.dice.pick(&LIARS).unwrap_or(&Manner::Honest),
            false => Manner::Honest,
        }
    }

    /// Draws how long a task takes. Every eighth agent takes ten times as long, mostly longer than
    /// a lease, so that it keeps its task only by heartbeats.
    fn work(&mut self) -> u64 {
        match self.dice.between(20, 600) {
            long if long.is_multiple_of(8) => 10 * long,
            short => short,
        }
    }

    /// Draws a price. Half of the agents ask a price of 2 or 4, so equal bids are frequent and the
    /// tie rule decides.
    fn price(&mut self) -> u64 {
        match self.dice.between(10, 1000) {
            even if even.is_multiple_of(2) => even,
            odd => odd % 4 + 1,
        }
    }

    fn market(&mut self) -> MarketPlan {
        // Derived from the seed without a draw, so that all else of a seed stays as it was.
        let variant = self.seed / 9;
        let reveal_ms = (variant % 4 == 1).then_some(300 + self.seed % 8 * 50);

        let mechanism = match self.dice.chance(500) {
            true => Optimal.label(),
            false if variant % 8 == 1 => SecondPrice.label(),
            false => FirstPrice.label(),
        };

        MarketPlan {
            mechanism,
            window_ms: self.dice.between(50, 400),
            reveal_ms,
            solve_ms: None,
            lease_ms: self.dice.between(1_500, 4_000),
            attempts: 20,
        }
    }

    /// Makes a quarter of the seeds take solutions, and half of these sealed bids too. The first
    /// agent that lies then lies about solutions. Like `reveal_ms` it is derived from the seed
    /// without a draw.
    fn solve(&self, plan: &mut Plan) {
        if !matches!(self.seed / 9 % 8, 2 | 5) {
            return;
        }

        plan.market.mechanism = Gap.label();
        plan.market.solve_ms = Some(400 + self.seed % 8 * 50);

        // Half of the agents propose solutions.
        plan.agents
            .iter_mut()
            .step_by(2)
            .for_each(|agent| agent.solves = true);

        let mut agents = plan.agents.iter_mut();

        if let Some(liar) = agents.find(|agent| agent.manner != Manner::Honest) {
            liar.manner = Manner::FalseSolver;
        }
    }

    fn tasks(&mut self, heal_at: Millis) -> Vec<TaskPlan> {
        let count = self.size.tasks as Millis;

        // Each task falls somewhere into a step of its own, until the healed phase begins.
        let step = heal_at / (count + 1);

        (0..count)
            .map(|number| TaskPlan {
                at: 500 + number * step + self.dice.below(step.max(1)),
                requires: self.requirements(),
                cancel_after: self.whim(0, 3_000),
                deadline_after: self.whim(100, 20_000),
            })
            .collect()
    }

    /// Draws the labels that a task requires: one for half of the tasks.
    fn requirements(&mut self) -> Vec<String> {
        match self.dice.chance(500) {
            true => self
                .dice
                .pick(&LABELS)
                .map(|label| (*label).to_owned())
                .into_iter()
                .collect(),
            false => Vec::new(),
        }
    }

    /// Draws after which time the requester cancels a task, or its deadline is over. If agents
    /// cause trouble, the requester does so too with a tenth of the tasks; otherwise never.
    fn whim(&mut self, least: Millis, most: Millis) -> Option<Millis> {
        let is_due = self.profile.has(Profile::Agents) && self.dice.chance(100);
        is_due.then(|| self.dice.between(least, most))
    }

    /// Chooses the validators that lie, and how.
    fn lies(&mut self, plan: &mut Plan) {
        let liars = self.liars();

        let mut who: Vec<usize> = (0..self.size.validators).collect();
        self.dice.shuffle(&mut who);

        // Consecutive seeds go through all lies in turn, so that each is certain to occur.
        let turn = plan.seed as usize % LieKind::ALL.len();
        let mut turns = LieKind::ALL.iter().copied().cycle().skip(turn);

        for at in who.into_iter().take(liars) {
            plan.validators[at].lie = match self.profile {
                Profile::OverThreshold => Some(LieKind::Twin),
                _ => turns.next(),
            };
        }

        if self.profile == Profile::OverThreshold && plan.seed % 4 == 3 {
            replace_twin(plan);
        }
    }

    /// Draws the number of validators that lie.
    fn liars(&mut self) -> usize {
        match self.profile {
            Profile::Byzantine => self.size.bearable(),
            Profile::Mixed => self.dice.index(self.size.bearable() + 1),
            Profile::OverThreshold => self.size.bearable() + 1,
            _ => 0,
        }
    }
}

/// The labels of an agent. The first one has every label, so every task can be done.
fn labels_of(agent: usize) -> Vec<String> {
    match agent {
        0 => LABELS.map(str::to_owned).to_vec(),
        _ => vec![LABELS[agent % LABELS.len()].to_owned()],
    }
}

/// Makes the first liar claim a false polka. Twins on both sides make correct validators disagree;
/// a twin together with a false polka makes them break their locks.
fn replace_twin(plan: &mut Plan) {
    let validators = plan.validators.iter_mut();
    let mut lies = validators.filter_map(|validator| validator.lie.as_mut());

    if let Some(lie) = lies.next() {
        *lie = LieKind::FalsePolka;
    }
}
