//! Local search that may exceed capacities, at a price that adapts.
//!
//! A move gives a job to another agent. It may in turn give one of that agent's jobs to a third
//! agent, or to the first, so that they change places. Only offers near to the best by reduced cost
//! are tried. A move is made if it lowers the costs plus the penalties for exceeded capacities.
//!
//! At a local optimum the penalties fall if all capacities are kept; otherwise those of exceeded
//! capacities rise. Some jobs are then kicked to other agents, and the search goes on from there.
//! If the outcome is no better in the end, it is taken back (after Yagiura, Ibaraki and Glover,
//! INFORMS J. Computing 16, 2004, with kicks in place of long chains). The dice have a fixed
//! sequence.

use super::bound::Bound;
use super::dice::Dice;
use super::plan::GapPlan;
use super::problem::{OPEN, Problem};
use super::repair::unload;

/// The numbers of offers that are tried for a job, those of least reduced cost. The search takes
/// the next number each time it goes back to the best plan. Few offers lead further in little time;
/// more offers find moves that few cannot.
const WIDTHS: [usize; 4] = [3, 6, 2, 4];
/// The most jobs that are kicked at one time.
const KICKS: usize = 3;
/// The number of kicks without a better plan after which the search goes back to the best plan.
const PATIENCE: u32 = 100;

/// A search under way.
pub(super) struct Search<'a> {
    problem: &'a Problem,
    bound: &'a Bound,
    plan: GapPlan,
    /// The jobs of each agent. The last entry holds the open jobs.
    jobs_of: Vec<Vec<u32>>,
    /// For each capacity: the amount that is taken of it and the amount there is, in units of
    /// weight. They are rounded so that a plan that keeps within these keeps within the capacity.
    load: Vec<i64>,
    room: Vec<i64>,
    /// The penalty for a unit of weight beyond each capacity, in scaled costs.
    penalty: Vec<i64>,
    /// The offers that may be tried for each job, and how many of them are tried now.
    near: Vec<Vec<Near>>,
    width: usize,
    /// The cost of an open job in this search: more than any offer, and at most [`Problem::skip`].
    skip: i64,
    /// The move at which each agent was last touched, and each job was last looked at.
    touched: Vec<u32>,
    looked_at: Vec<u32>,
    moves: u32,
    dice: Dice,
    pub(super) steps: u64,
}

/// An offer that is tried, or the choice to leave the job open.
#[derive(Clone, Copy, Debug)]
struct Near {
    place: u32,
    /// The agent; the number of agents stands for nobody.
    agent: u32,
    /// The cost, scaled.
    cost: i64,
}

/// A job and the offer that it goes to, and perhaps another such pair.
type Move = [Option<(u32, Near)>; 2];

/// A job that may go to another agent.
struct Leaver {
    job: u32,
    /// The offer by which it is done now.
    from: Near,
    /// The change of its agent's penalties if it goes; at most 0.
    relief: i64,
}

/// The best move found so far, if any, and the change of costs and penalties that it makes.
#[derive(Default)]
struct Found {
    best: Option<Move>,
    change: i64,
}

impl Found {
    /// Takes a move if it gains more than the best one so far.
    #[inline]
    fn note(&mut self, change: i64, tried: Move) {
        if change < self.change {
            self.best = Some(tried);
            self.change = change;
        }
    }
}

impl<'a> Search<'a> {
    /// Begins at `plan`, with penalties and near offers by the prices of `bound`.
    pub(super) fn new(problem: &'a Problem, plan: &GapPlan, bound: &'a Bound) -> Self {
        let mut search = Self {
            problem,
            bound,
            plan: plan.clone(),
            jobs_of: Vec::new(),
            load: Vec::new(),
            room: rooms(problem),
            penalty: first_penalties(problem, bound),
            near: Vec::new(),
            width: WIDTHS[0],
            skip: skip_price(problem),
            touched: vec![0; problem.agents() + 1],
            looked_at: vec![0; problem.jobs()],
            moves: 0,
            dice: Dice::new(),
            steps: bound.steps,
        };

        // These need the other fields.
        search.near = (0..problem.jobs() as u32)
            .map(|job| search.near_of(job))
            .collect();
        search.adopt(plan);

        search
    }

    /// Improves `best` until `effort` steps are taken or `best` costs no more than `least`.
    pub(super) fn run(&mut self, best: &mut GapPlan, effort: u64, least: i64) {
        let mut idle = 0;
        let mut widths = WIDTHS.iter().cycle();

        self.start_from(best);
        self.descend();
        self.keep(best);

        while self.steps < effort && best.cost > least {
            let before = self.plan.clone();
            self.kick();
            self.descend();
            idle = if self.keep(best) { 0 } else { idle + 1 };

            self.adapt();

            // After many idle kicks the search starts again from the best plan, with another width.
            if idle >= PATIENCE {
                idle = 0;
                self.width = *widths.next().unwrap_or(&WIDTHS[0]);
                self.start_from(best);
            } else if self.value(&self.plan) > self.value(&before) {
                self.adopt(&before);
            }
        }
    }

    /// Returns the offers for a job that are near to the best, as many as are ever tried.
    fn near_of(&self, job: u32) -> Vec<Near> {
        let mut places: Vec<u32> = self.problem.of_job(job).chain([OPEN]).collect();
        places.sort_by_key(|place| self.bound.reduced(self.problem, *place));
        places.truncate(WIDTHS[1]);
        places.into_iter().map(|place| self.offer(place)).collect()
    }

    /// Returns the offers that are tried for a job now.
    fn near_to(&self, job: u32) -> &[Near] {
        let near = &self.near[job as usize];
        &near[..self.width.min(near.len())]
    }

    /// Returns an offer, or the choice to leave a job open, with its cost in this search.
    fn offer(&self, place: u32) -> Near {
        let cost = if place == OPEN {
            self.skip
        } else {
            self.problem.cost(place)
        };

        Near {
            place,
            agent: self.owner(place) as u32,
            cost: cost * self.problem.scale(),
        }
    }

    /// Returns the agent of an offer, or the number of agents if the job is left open.
    fn owner(&self, place: u32) -> usize {
        if place == OPEN {
            self.problem.agents()
        } else {
            self.problem.agent(place)
        }
    }

    /// Returns the offer by which a job is done now.
    fn now(&self, job: u32) -> Near {
        self.offer(self.plan.by[job as usize])
    }

    /// Keeps the present plan, repaired if necessary, if it is better than the best so far. Returns
    /// whether it is.
    fn keep(&mut self, best: &mut GapPlan) -> bool {
        let mut plan = self.plan.clone();
        if !plan.is_feasible(self.problem) {
            unload(self.problem, self.bound, &mut plan);
            self.steps += self.problem.offers() as u64 / 4;
        }

        let better = plan.cost < best.cost;
        if better {
            *best = plan;
        }
        better
    }

    /// Goes on from a plan. Nothing in it counts as touched.
    fn adopt(&mut self, plan: &GapPlan) {
        self.plan.clone_from(plan);

        self.moves = 0;
        self.touched.fill(0);
        self.looked_at.fill(0);

        // The open jobs are those of an agent behind the last.
        self.jobs_of = vec![Vec::new(); self.problem.agents() + 1];
        self.load = vec![0; self.room.len()];

        for job in 0..self.problem.jobs() as u32 {
            let now = self.now(job);
            self.take(now, 1);

            let agent = now.agent as usize;
            self.jobs_of[agent].push(job);
        }
    }

    /// Goes on from a plan, and looks at all jobs again.
    fn start_from(&mut self, plan: &GapPlan) {
        self.adopt(plan);
        self.moves += 1;
        self.touched.fill(self.moves);
    }

    /// Moves a few jobs to offers that are near to the best.
    fn kick(&mut self) {
        for _ in 0..1 + self.dice.roll(KICKS) {
            let job = self.dice.roll(self.problem.jobs());
            let near = self.near_to(job as u32).len();
            let at = self.dice.roll(near);
            self.apply(&[Some((job as u32, self.near[job][at])), None]);
        }
    }

    /// Makes the best move of each job in turn, until none gains.
    fn descend(&mut self) {
        let jobs = self.problem.jobs();
        let mut job = self.dice.roll(jobs);
        let mut idle = 0;

        while idle < jobs {
            match self.best_move(job as u32) {
                Some(best) => {
                    self.apply(&best);
                    idle = 0;
                }

                None => {
                    idle += 1;
                    job = (job + 1) % jobs;
                }
            }
        }
    }

    /// Returns the move of this job that gains most, if one gains.
    fn best_move(&mut self, job: u32) -> Option<Move> {
        let leaver = self.leaver(job);
        let mut found = Found::default();
        let mut steps = 1;

        for &to in self.near_to(job) {
            if !self.may_gain(&leaver, to) {
                continue;
            }

            steps += 1;
            self.try_shift(&leaver, to, &mut found);

            if to.place == OPEN {
                continue;
            }

            // One of the agent's jobs makes room by going elsewhere.
            for &other in &self.jobs_of[to.agent as usize] {
                steps += self.near_to(other).len() as u64;
                self.try_exchange(&leaver, to, other, &mut found);
            }
        }

        self.steps += steps;

        // The job is looked at again only after one of its agents was touched.
        if found.best.is_none() {
            self.looked_at[job as usize] = self.moves;
        }

        found.best
    }

    /// Returns a job with what its present agent gains if it goes.
    #[inline]
    fn leaver(&self, job: u32) -> Leaver {
        let from = self.now(job);
        Leaver {
            job,
            from,
            relief: self.penalty_change(None, Some(from)),
        }
    }

    /// Checks whether a move between the job's agent and this one may gain. If neither was touched
    /// since the job was looked at, none does.
    #[inline]
    fn may_gain(&self, leaver: &Leaver, to: Near) -> bool {
        let from = leaver.from.agent;
        let touched = self.touched[from as usize].max(self.touched[to.agent as usize]);
        to.agent != from && touched > self.looked_at[leaver.job as usize]
    }

    /// Tries to move the job alone to the agent of `to`.
    #[inline]
    fn try_shift(&self, leaver: &Leaver, to: Near, found: &mut Found) {
        let arrival = self.penalty_change(Some(to), None);
        let change = to.cost - leaver.from.cost + leaver.relief + arrival;
        found.note(change, [Some((leaver.job, to)), None]);
    }

    /// Tries to move the job to the agent of `to`, which gives away the job `other` instead.
    #[inline]
    fn try_exchange(&self, leaver: &Leaver, to: Near, other: u32, found: &mut Found) {
        let now = self.now(other);
        let swap = self.penalty_change(Some(to), Some(now));
        let saved = leaver.from.cost + now.cost;
        let before_next = to.cost - saved + swap;

        for &next in self.near_to(other) {
            if next.agent == to.agent {
                continue;
            }

            // The other job comes to the agent of `next`.
            let change = before_next + next.cost;
            let change = self.onward_change(leaver, next, change, found.change);

            if let Some(change) = change {
                let moves = [Some((leaver.job, to)), Some((other, next))];
                found.note(change, moves);
            }
        }
    }

    /// Adds to `change` the penalties of the agent that the other job of an exchange goes to: the
    /// first one, so that the jobs change places, or a third one. `None` if it cannot be below
    /// `most`.
    #[inline]
    fn onward_change(&self, leaver: &Leaver, next: Near, change: i64, most: i64) -> Option<i64> {
        let from = leaver.from;
        if next.agent == from.agent {
            let swap = self.penalty_change(Some(next), Some(from));
            return Some(change + swap);
        }

        // No penalty falls if a job only comes.
        let change = change + leaver.relief;
        if change >= most {
            return None;
        }

        let arrival = self.penalty_change(Some(next), None);
        Some(change + arrival)
    }

    /// Returns by how much the penalties of an agent change if one of its offers comes and one
    /// goes.
    #[inline]
    fn penalty_change(&self, comes: Option<Near>, goes: Option<Near>) -> i64 {
        let Some(first) = comes.or(goes).and_then(|near| self.first_capacity(near)) else {
            return 0;
        };

        let mut sum = 0;

        for dimension in 0..self.problem.dimensions() {
            let at = first + dimension;
            let weight = |near: Near| self.weight(near.place, dimension, at);
            let added = comes.map_or(0, weight);
            let removed = goes.map_or(0, weight);

            // Only the weight beyond a capacity costs anything.
            let over = self.load[at] - self.room[at];
            let before = over.max(0);
            let after = (over + added - removed).max(0);

            sum += self.penalty[at] * (after - before);
        }

        sum
    }

    /// Returns the index of the first capacity of an offer's agent. `None` if the job is left open.
    #[inline]
    fn first_capacity(&self, near: Near) -> Option<usize> {
        let dimensions = self.problem.dimensions();
        (near.place != OPEN).then_some(near.agent as usize * dimensions)
    }

    /// Returns the amount that an offer takes of a capacity, in units of weight, rounded up.
    fn weight(&self, place: u32, dimension: usize, at: usize) -> i64 {
        let cut = self.problem.cut(at);
        (self.problem.demand(place)[dimension] + (1 << cut) - 1) >> cut
    }

    /// Adds the weights of an offer to its agent's load; `times` is 1 or -1.
    fn take(&mut self, near: Near, times: i64) {
        let Some(first) = self.first_capacity(near) else {
            return;
        };

        for dimension in 0..self.problem.dimensions() {
            let at = first + dimension;
            let weight = self.weight(near.place, dimension, at);
            self.load[at] += times * weight;
        }
    }

    /// Makes a move.
    fn apply(&mut self, tried: &Move) {
        for &(job, to) in tried.iter().flatten() {
            let from = self.now(job);
            let leaves = from.agent as usize;
            let comes = to.agent as usize;

            // Both agents have changed, so their jobs are worth looking at again.
            self.moves += 1;
            self.touched[leaves] = self.moves;
            self.touched[comes] = self.moves;

            self.take(from, -1);
            self.jobs_of[leaves].retain(|other| *other != job);

            self.take(to, 1);
            self.jobs_of[comes].push(job);

            self.plan.put(self.problem, job, to.place);
        }
    }

    /// Returns the costs and penalties of a plan.
    fn value(&self, plan: &GapPlan) -> i64 {
        let open = plan.by.iter().filter(|place| **place == OPEN);

        // An open job costs less in this search than it does in a plan.
        let saved = self.problem.skip() - self.skip;
        let cost = plan.cost - open.count() as i64 * saved;

        cost * self.problem.scale() + self.penalties(plan)
    }

    /// Returns the sum of the penalties of a plan.
    fn penalties(&self, plan: &GapPlan) -> i64 {
        self.problem
            .capacity()
            .iter()
            .zip(&plan.load)
            .zip(&self.penalty)
            .enumerate()
            .map(|(at, ((capacity, load), penalty))| {
                let over = (load - capacity).max(0);
                penalty * (over >> self.problem.cut(at))
            })
            .sum()
    }

    /// Lowers the penalties a little if capacities are kept, or raises those of exceeded ones.
    fn adapt(&mut self) {
        let mut loads = self.load.iter().zip(&self.room);
        let is_feasible = loads.all(|(load, room)| load <= room);

        if is_feasible {
            self.lower_penalties();
        } else {
            self.raise_penalties();
        }
    }

    fn lower_penalties(&mut self) {
        for penalty in &mut self.penalty {
            let lower = *penalty - *penalty / 64;
            *penalty = lower.max(1);
        }
    }

    /// Raises the penalties of exceeded capacities.
    fn raise_penalties(&mut self) {
        // With penalties up to this one, no sum overflows.
        let capacities = self.penalty.len().max(1) as i64;
        let most = (1i64 << 40) / capacities;

        let loads = self.load.iter().zip(&self.room);
        let capacities = self.penalty.iter_mut().zip(loads);

        for (penalty, (load, room)) in capacities {
            if load > room {
                let higher = *penalty + *penalty / 16 + 1;
                *penalty = higher.min(most);
            }
        }
    }
}

/// Returns the amount of each capacity, in units of weight, rounded down.
fn rooms(problem: &Problem) -> Vec<i64> {
    let capacities = problem.capacity().iter().enumerate();
    capacities.map(|(at, of)| of >> problem.cut(at)).collect()
}

/// Returns the penalties that the search begins with: somewhat above the prices of the bound.
fn first_penalties(problem: &Problem, bound: &Bound) -> Vec<i64> {
    let prices = bound.prices.iter();
    prices
        .map(|price| price + price / 2 + problem.scale())
        .collect()
}

/// Returns the cost of an open job in the search.
fn skip_price(problem: &Problem) -> i64 {
    let costs = (0..problem.offers() as u32).map(|place| problem.cost(place));
    let dearest = costs.max().unwrap_or(0);
    (dearest * 2 + 1).min(problem.skip())
}
