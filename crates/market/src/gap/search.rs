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
use super::plan::Plan;
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
    plan: Plan,
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

impl<'a> Search<'a> {
    /// Begins at `plan`, with penalties and near offers by the prices of `bound`.
    pub(super) fn new(problem: &'a Problem, plan: &Plan, bound: &'a Bound) -> Self {
        let dearest = (0..problem.offers() as u32)
            .map(|place| problem.cost(place))
            .max();

        let room = problem
            .capacity()
            .iter()
            .enumerate()
            .map(|(at, of)| of >> problem.cut(at));

        let penalty = bound
            .prices
            .iter()
            .map(|price| price + price / 2 + problem.scale());

        let mut search = Self {
            problem,
            bound,
            plan: plan.clone(),
            jobs_of: Vec::new(),
            load: Vec::new(),
            room: room.collect(),
            penalty: penalty.collect(),
            near: Vec::new(),
            width: WIDTHS[0],
            skip: (dearest.unwrap_or(0) * 2 + 1).min(problem.skip()),
            touched: vec![0; problem.agents() + 1],
            looked_at: vec![0; problem.jobs()],
            moves: 0,
            dice: Dice::new(),
            steps: bound.steps,
        };

        search.near = (0..problem.jobs() as u32)
            .map(|job| search.near_of(job))
            .collect();
        search.adopt(plan);
        search
    }

    /// Improves `best` until `effort` steps are taken or `best` costs no more than `least`.
    pub(super) fn run(&mut self, best: &mut Plan, (effort, least): (u64, i64)) {
        let (mut idle, mut widths) = (0, WIDTHS.iter().cycle());

        self.adopt(best);
        self.look_again();
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
                self.adopt(best);
                self.look_again();
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
    fn keep(&mut self, best: &mut Plan) -> bool {
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
    fn adopt(&mut self, plan: &Plan) {
        self.plan.clone_from(plan);
        self.jobs_of = vec![Vec::new(); self.problem.agents() + 1];
        self.load = vec![0; self.room.len()];

        self.moves = 0;
        self.touched.fill(0);
        self.looked_at.fill(0);

        for job in 0..self.problem.jobs() as u32 {
            let now = self.now(job);
            self.jobs_of[now.agent as usize].push(job);
            self.take(now, 1);
        }
    }

    /// Marks everything as touched, so that all jobs are looked at again.
    fn look_again(&mut self) {
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
        let (mut job, mut idle) = (self.dice.roll(jobs), 0);

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
        let (from, mut best, mut gain) = (self.now(job), None, 0);
        let mut steps = 1;
        let since = self.looked_at[job as usize];
        let leaving = self.penalty_change(from, Some((from, -1)), None);

        for &to in self.near_to(job) {
            // If neither agent was touched since the job was looked at, no move between them gains.
            let touched = self.touched[from.agent as usize].max(self.touched[to.agent as usize]);
            if to.agent == from.agent || touched <= since {
                continue;
            }

            steps += 1;

            // The job alone goes to the other agent.
            let change = to.cost - from.cost;
            let shift = change + leaving + self.penalty_change(to, Some((to, 1)), None);
            if shift < gain {
                (best, gain) = (Some([Some((job, to)), None]), shift);
            }

            if to.place == OPEN {
                continue;
            }

            // One of the agent's jobs makes room by going elsewhere.
            for &other in &self.jobs_of[to.agent as usize] {
                let now = self.now(other);
                let there =
                    change - now.cost + self.penalty_change(to, Some((to, 1)), Some((now, -1)));
                steps += self.near_to(other).len() as u64;

                for &next in self.near_to(other) {
                    if next.agent == to.agent {
                        continue;
                    }

                    // Either the two jobs change places, or the other job goes on to a third agent.
                    let change = there + next.cost;
                    let change = if next.agent == from.agent {
                        change + self.penalty_change(from, Some((from, -1)), Some((next, 1)))
                    } else if change + leaving < gain {
                        change + leaving + self.penalty_change(next, Some((next, 1)), None)
                    } else {
                        continue;
                    };

                    if change < gain {
                        (best, gain) = (Some([Some((job, to)), Some((other, next))]), change);
                    }
                }
            }
        }

        self.steps += steps;

        // The job is looked at again only after one of its agents was touched.
        if best.is_none() {
            self.looked_at[job as usize] = self.moves;
        }

        best
    }

    /// Returns by how much the penalties of the agent `of` change if offers come (1) and go (-1).
    fn penalty_change(&self, of: Near, one: Option<(Near, i64)>, two: Option<(Near, i64)>) -> i64 {
        if of.place == OPEN {
            return 0;
        }

        let dimensions = self.problem.dimensions();
        let first = of.agent as usize * dimensions;
        let mut sum = 0;

        for dimension in 0..dimensions {
            let at = first + dimension;
            let over = self.load[at] - self.room[at];
            let mut after = over;
            for (near, times) in [one, two].into_iter().flatten() {
                after += times * self.weight(near.place, dimension, at);
            }

            // Only the weight beyond a capacity costs anything.
            sum += self.penalty[at] * (after.max(0) - over.max(0));
        }

        sum
    }

    /// Returns the amount that an offer takes of a capacity, in units of weight, rounded up.
    fn weight(&self, place: u32, dimension: usize, at: usize) -> i64 {
        let cut = self.problem.cut(at);
        (self.problem.demand(place)[dimension] + (1 << cut) - 1) >> cut
    }

    /// Adds the weights of an offer to its agent's load; `times` is 1 or -1.
    fn take(&mut self, near: Near, times: i64) {
        if near.place != OPEN {
            let first = near.agent as usize * self.problem.dimensions();
            for dimension in 0..self.problem.dimensions() {
                let at = first + dimension;
                self.load[at] += times * self.weight(near.place, dimension, at);
            }
        }
    }

    /// Makes a move.
    fn apply(&mut self, tried: &Move) {
        for &(job, to) in tried.iter().flatten() {
            let from = self.now(job);
            self.moves += 1;

            // Both agents have changed, so their jobs are worth looking at again.
            self.touched[from.agent as usize] = self.moves;
            self.touched[to.agent as usize] = self.moves;

            self.take(from, -1);
            self.take(to, 1);
            self.jobs_of[from.agent as usize].retain(|other| *other != job);
            self.jobs_of[to.agent as usize].push(job);
            self.plan.put(self.problem, job, to.place);
        }
    }

    /// Returns the costs and penalties of a plan.
    fn value(&self, plan: &Plan) -> i64 {
        let open = plan.by.iter().filter(|place| **place == OPEN).count() as i64;

        // An open job costs less in this search than it does in a plan.
        let cost = plan.cost - open * (self.problem.skip() - self.skip);

        let over = plan.load.iter().enumerate().map(|(at, load)| {
            let over = (load - self.problem.capacity()[at]).max(0);
            self.penalty[at] * (over >> self.problem.cut(at))
        });

        cost * self.problem.scale() + over.sum::<i64>()
    }

    /// Lowers the penalties a little if capacities are kept, or raises those of exceeded ones.
    fn adapt(&mut self) {
        let most = (1i64 << 40) / self.penalty.len().max(1) as i64;

        let feasible = self
            .load
            .iter()
            .zip(&self.room)
            .all(|(load, room)| load <= room);

        for at in 0..self.penalty.len() {
            let price = self.penalty[at];
            if feasible {
                self.penalty[at] = (price - price / 64).max(1);
            } else if self.load[at] > self.room[at] {
                self.penalty[at] = (price + price / 16 + 1).min(most);
            }
        }
    }
}
