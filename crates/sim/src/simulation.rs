//! A run: the world steps, the invariants watch, and a report says what came of it.

use std::collections::BTreeSet;

use quorate_crypto::SignatureMemo;
use quorate_ledger::{TaskState, TaskView};
use quorate_replica::Standing;
use quorate_types::{Height, TaskId};

use crate::coverage::Coverage;
use crate::invariants::{self, Invariant};
use crate::plan::Plan;
use crate::report::{Report, Violation};
use crate::seen::Seen;
use crate::service::Service;
use crate::trace::{Line, Tail};
use crate::world::{Client, PlanError, World};

/// Steps without which no run goes on: a world that spins is a fault too.
const STEPS: u64 = 50_000_000;

/// Whom every observation is told.
type Trace = Box<dyn FnMut(&Line)>;

/// One run of a plan.
///
/// [`Self::run`] does it all; [`Self::step`] is for who wants to look at the world in between.
pub struct Simulation {
    world: World,
    invariants: Vec<Box<dyn Invariant>>,
    coverage: Coverage,
    service: Service,
    tail: Tail,
    steps: u64,
    violations: Vec<Violation>,
    trace: Option<Trace>,
    /// All validators share what was verified.
    _memo: SignatureMemo,
}

impl Simulation {
    /// A run that has not begun, watched by every invariant.
    ///
    /// # Errors
    /// [`PlanError`] naming what is wrong with the plan.
    pub fn new(plan: Plan) -> Result<Self, PlanError> {
        let invariants = match plan.over_threshold {
            true => invariants::over_threshold(),
            false => invariants::all(),
        };
        Ok(Self {
            coverage: Coverage::of(&plan),
            world: World::new(plan)?,
            invariants,
            service: Service::default(),
            tail: Tail::default(),
            steps: 0,
            violations: Vec::new(),
            trace: None,
            _memo: SignatureMemo::start(),
        })
    }

    /// Has every observation told to `trace`.
    #[must_use]
    pub fn traced(mut self, trace: impl FnMut(&Line) + 'static) -> Self {
        self.trace = Some(Box::new(trace));
        self
    }

    /// Adds an invariant of the caller's own.
    #[must_use]
    pub fn watched(mut self, invariant: Box<dyn Invariant>) -> Self {
        self.invariants.push(invariant);
        self
    }

    /// Runs to the end of the plan, or to the first violation.
    pub fn run(self) -> Report {
        self.run_while(|_| true)
    }

    /// As [`Self::run`], but asks before each step whether to go on. A run that was broken off is
    /// not judged as an end.
    pub fn run_while(mut self, mut go_on: impl FnMut(&Self) -> bool) -> Report {
        let mut more = true;
        while more && self.violations.is_empty() && !self.is_over() && go_on(&self) {
            more = self.step();
        }
        let over = !more || self.is_over();
        if self.violations.is_empty() && over {
            self.judge_the_end();
        }
        let broken_off = self.violations.is_empty() && !over;
        if self.violations.is_empty() && over {
            self.tail = Tail::default();
        }
        Report {
            broken_off,
            ..self.report()
        }
    }

    /// Steps so far.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// Highest height that a correct validator decided.
    pub fn height(&self) -> Height {
        self.coverage.totals().heights
    }

    /// Lets one thing happen and has it judged; `false` when nothing more ever will.
    pub fn step(&mut self) -> bool {
        let Some(seen) = self.world.step() else {
            return self.stuck("nothing will ever happen any more");
        };
        self.steps += 1;
        for seen in seen {
            self.observe(&seen);
        }
        self.steps < STEPS || self.stuck("it goes on and on, and time does not")
    }

    fn stuck(&mut self, how: &str) -> bool {
        let violation = Violation::at(&self.world, self.steps, (10, "progress"), how.to_owned());
        self.violations.push(violation);
        false
    }

    /// The world as it stands.
    pub fn world(&self) -> &World {
        &self.world
    }

    /// Violations so far: a run ends at the first.
    pub fn violations(&self) -> &[Violation] {
        &self.violations
    }

    fn observe(&mut self, seen: &Seen) {
        let line = Line::of(&self.world, self.steps, seen);
        if let Some(trace) = &mut self.trace {
            trace(&line);
        }
        self.tail.push(line);
        self.coverage.see(&self.world, seen);
        self.service.see(&self.world, seen);
        for invariant in &mut self.invariants {
            if let Err(how) = invariant.see(&self.world, seen) {
                let what = (invariant.number(), invariant.name());
                self.violations
                    .push(Violation::at(&self.world, self.steps, what, how));
            }
        }
    }

    fn judge_the_end(&mut self) {
        for invariant in &mut self.invariants {
            if let Err(how) = invariant.end(&self.world) {
                let what = (invariant.number(), invariant.name());
                self.violations
                    .push(Violation::at(&self.world, self.steps, what, how));
            }
        }
    }

    /// Healed, and either all is done or patience is over.
    fn is_over(&self) -> bool {
        let (world, plan) = (&self.world, self.world.plan());
        if !world.is_healed() {
            return false;
        }
        world.now() >= plan.heal_at.saturating_add(plan.patience) || self.is_done()
    }

    /// Every correct validator is up and stands at one height, the run is long enough, and every
    /// task has ended.
    fn is_done(&self) -> bool {
        let correct = self
            .world
            .validators()
            .iter()
            .filter(|host| host.is_correct());
        let ledgers: Option<Vec<_>> = correct.map(|host| Some(host.replica()?.ledger())).collect();
        let Some(ledgers) = ledgers else { return false };
        let mut correct = self
            .world
            .validators()
            .iter()
            .filter(|host| host.is_correct());
        if correct.any(|host| {
            host.replica()
                .is_none_or(|r| r.standing() != Standing::Votes)
        }) {
            return false;
        }
        let heights: BTreeSet<Height> = ledgers.iter().map(|ledger| ledger.height()).collect();
        let Some(ledger) = ledgers.first().filter(|_| heights.len() == 1) else {
            return false;
        };
        let settled = |task: &TaskId| {
            ledger
                .task(*task)
                .is_some_and(|view| view.state.has_ended() || self.is_hopeless(&view))
        };
        ledger.height() >= self.world.plan().min_heights
            && self.world.clients().last().is_some_and(|requester| {
                requester.tasks().len() == self.world.plan().tasks.len()
                    && requester
                        .tasks()
                        .values()
                        .all(|id| requester.ended().contains(id) || settled(id))
            })
    }

    /// Nothing honest will come of it: it is open, and every honest agent that could do it has
    /// failed on it before; or a liar has it, and keeps it by being heard.
    fn is_hopeless(&self, task: &TaskView) -> bool {
        let agents = || {
            self.world
                .clients()
                .iter()
                .filter(|client| client.plan().is_some())
        };
        let able = |agent: &&Client| {
            agent.is_correct()
                && task
                    .spec
                    .requires
                    .labels
                    .is_subset(&agent.attested().labels)
                && !task.excluded.contains(&agent.public_key())
        };
        match task.state.assignee() {
            Some(holder) => {
                agents().any(|agent| agent.public_key() == holder.agent && agent.hoards())
            }
            None => task.state == TaskState::Open && !agents().any(|agent| able(&agent)),
        }
    }

    fn report(self) -> Report {
        let watched = (self.coverage, self.service);
        Report::new(
            &self.world,
            self.steps,
            watched,
            (self.violations, self.tail),
        )
    }
}

impl std::fmt::Debug for Simulation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Simulation")
            .field("steps", &self.steps)
            .finish_non_exhaustive()
    }
}
