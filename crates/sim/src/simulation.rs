//! A run of a plan: the world steps, the invariants watch each step, and a report tells the result.

use quorate_crypto::SignatureMemo;
use quorate_ledger::{Ledger, TaskState, TaskView};
use quorate_replica::{Replica, VotingStatus};
use quorate_types::{Height, TaskId};

use crate::coverage::Coverage;
use crate::invariants::{self, Invariant};
use crate::plan::Plan;
use crate::report::{RunRecord, SimReport, Violation};
use crate::seen::Seen;
use crate::service::Service;
use crate::trace::{Line, Tail};
use crate::world::{Client, PlanError, World};

/// The number of steps after which a run is ended. A world that steps on without an end breaks
/// invariant 10 (progress) as well as one that stops.
const STEPS: u64 = 50_000_000;

/// The function that is called with each observation.
type Trace = Box<dyn FnMut(&Line)>;

/// One run of a plan.
///
/// [`Self::run`] runs it to its end; with [`Self::step`] a caller can look at the world between two
/// steps.
pub struct Simulation {
    world: World,
    invariants: Vec<Box<dyn Invariant>>,
    coverage: Coverage,
    service: Service,
    tail: Tail,
    steps: u64,
    violations: Vec<Violation>,
    trace: Option<Trace>,
    /// Holds the memory of verified signatures open for the run: all validators share it, so each
    /// signature is checked once.
    _memo: SignatureMemo,
}

impl Simulation {
    /// Sets up a run that has not begun yet and is watched by every invariant.
    ///
    /// # Errors
    /// [`PlanError`] names the part of the plan that is not valid.
    pub fn new(plan: Plan) -> Result<Self, PlanError> {
        // If a third of the power or more may lie, not all invariants can hold.
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

    /// Calls `trace` with each observation of the run.
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
    pub fn run(self) -> SimReport {
        self.run_while(|_| true)
    }

    /// Runs like [`Self::run`], but asks `go_on` before each step whether to go on. A run that was
    /// broken off did not reach its end, so the checks of the end are left out.
    pub fn run_while(mut self, mut go_on: impl FnMut(&Self) -> bool) -> SimReport {
        let mut more = true;

        while more && self.violations.is_empty() && !self.is_over() && go_on(&self) {
            more = self.step();
        }

        let over = !more || self.is_over();
        if self.violations.is_empty() && over {
            self.judge_the_end();
        }

        let broken_off = self.violations.is_empty() && !over;

        // The last lines are kept only to explain a violation, or a run that was broken off.
        if self.violations.is_empty() && over {
            self.tail = Tail::default();
        }

        SimReport {
            broken_off,
            ..self.report()
        }
    }

    /// The number of steps so far.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// The highest height that a correct validator decided.
    pub fn height(&self) -> Height {
        self.coverage.totals().heights
    }

    /// Performs one step and lets the invariants judge it. Returns `false` if there is no further
    /// step.
    pub fn step(&mut self) -> bool {
        let Some(seen) = self.world.step() else {
            return self.stuck("the queue is empty: nothing can happen any more");
        };

        self.steps += 1;
        for seen in seen {
            self.observe(&seen);
        }

        self.steps < STEPS || self.stuck("the run does not end within the limit of steps")
    }

    /// Records that the run makes no progress, and ends it.
    fn stuck(&mut self, how: &str) -> bool {
        let violation = Violation::at(&self.world, self.steps, 10, "progress", how.to_owned());
        self.violations.push(violation);
        false
    }

    /// The world after the latest step.
    pub fn world(&self) -> &World {
        &self.world
    }

    /// The violations so far. A run ends with the step of the first one.
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

        // The world has done the whole step by now: invariants see the state after it.
        self.judge(|invariant, world| invariant.see(world, seen));
    }

    fn judge_the_end(&mut self) {
        self.judge(|invariant, world| invariant.end(world));
    }

    /// Asks each invariant whether it holds, and records those that do not.
    fn judge(&mut self, mut holds: impl FnMut(&mut dyn Invariant, &World) -> Result<(), String>) {
        for invariant in &mut self.invariants {
            let Err(how) = holds(invariant.as_mut(), &self.world) else {
                continue;
            };

            let number = invariant.number();
            let name = invariant.name();
            let violation = Violation::at(&self.world, self.steps, number, name, how);

            self.violations.push(violation);
        }
    }

    /// Whether the run has ended: the world is healed, and either everything is done or the time
    /// that the plan has patience for is over.
    fn is_over(&self) -> bool {
        let world = &self.world;
        let plan = world.plan();

        if !world.is_healed() {
            return false;
        }

        world.now() >= plan.heal_at.saturating_add(plan.patience) || self.is_done()
    }

    /// Whether everything is done: every correct validator runs, votes and stands at the same
    /// height, the run is long enough, and every task has ended or never can.
    fn is_done(&self) -> bool {
        let Some(replicas) = self.correct_replicas() else {
            return false;
        };

        let Some(first) = replicas.first() else {
            return false;
        };

        let ledger = first.ledger();
        let height = ledger.height();

        // A validator that lost its guard or its log does not vote for a while.
        let is_ready = |replica: &&Replica| {
            let votes = replica.standing() == VotingStatus::Votes;
            votes && replica.ledger().height() == height
        };

        replicas.iter().all(is_ready)
            && height >= self.world.plan().min_heights
            && self.are_tasks_settled(ledger)
    }

    /// The replicas of the correct validators; `None` if one of them does not run.
    fn correct_replicas(&self) -> Option<Vec<&Replica>> {
        let hosts = self.world.validators().iter();
        let correct = hosts.filter(|host| host.is_correct());

        correct.map(|host| host.replica()).collect()
    }

    /// Whether each task of the plan has ended by the requester's certificates, or by a ledger has
    /// ended or never can.
    fn are_tasks_settled(&self, ledger: &Ledger) -> bool {
        // The requester is the last client.
        let Some(requester) = self.world.clients().last() else {
            return false;
        };

        let is_settled = |task: &TaskId| {
            let view = ledger.task(*task);
            view.is_some_and(|view| view.state.has_ended() || self.is_hopeless(&view))
        };

        // A task that the requester could not submit yet is not done, so all tasks of the plan must
        // be there.
        let tasks = requester.tasks();
        let mut ids = tasks.values();

        tasks.len() == self.world.plan().tasks.len()
            && ids.all(|task| requester.ended().contains(task) || is_settled(task))
    }

    /// Whether no honest agent will ever complete the task: it is open, and no honest agent with
    /// the labels may still be given it; or a liar holds it and keeps its lease by being heard.
    fn is_hopeless(&self, task: &TaskView) -> bool {
        let clients = self.world.clients().iter();
        let mut agents = clients.filter(|client| client.plan().is_some());

        if let Some(holder) = task.state.assignee() {
            let holds = |agent: &Client| agent.public_key() == holder.agent;
            return agents.any(|agent| holds(agent) && agent.hoards());
        }

        if task.state != TaskState::Open {
            return false;
        }

        !agents.any(|agent| is_able(agent, task))
    }

    fn report(self) -> SimReport {
        let record = RunRecord {
            steps: self.steps,
            coverage: self.coverage,
            service: self.service,
            violations: self.violations,
            tail: self.tail,
        };

        SimReport::new(&self.world, record)
    }
}

/// Whether an agent is honest, has the labels of a task, and may still be given it.
fn is_able(agent: &Client, task: &TaskView) -> bool {
    let required = &task.spec.requires.labels;

    // An agent that failed on the task is excluded from it.
    agent.is_correct()
        && required.is_subset(&agent.attested().labels)
        && !task.excluded.contains(&agent.public_key())
}

impl std::fmt::Debug for Simulation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Simulation")
            .field("steps", &self.steps)
            .finish_non_exhaustive()
    }
}
