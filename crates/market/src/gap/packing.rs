//! A stronger lower bound: jobs may be done twice or not at all, at a price.
//!
//! With a worth for each job, each agent on its own packs its capacity with the jobs whose worth
//! exceeds their cost most. That is a knapsack, which is solved exactly. The sum of the worths less
//! the gains of the packings is a bound for any worths (Fisher, Jaikumar and Van Wassenhove,
//! Management Science 32, 1986). At best it is better than that of the linear program, and small
//! knapsacks need few steps. If there are several dimensions, the tightest one of each agent is
//! packed, and the others keep the prices of `bound`.

use super::bound::{Bound, Rest};
use super::problem::{OPEN, Problem};

/// The number of bits to which a packed capacity is cut. Demands are rounded down with it, so the
/// bound holds.
const PACKED_BITS: u32 = 12;
/// The number of steps without a better bound after which the steps get shorter.
const PATIENCE: u32 = 8;
/// The length of the longest and the shortest steps, in 1/1024 of (what is to gain / squared
/// slope).
const LONGEST: i64 = 1536;
const SHORTEST: i64 = 48;
/// Steps aim no further above the bound than 1/`NEAR` of it, since a known solution may be far off.
const NEAR: i128 = 16;
/// The number of cells of a knapsack that count as one step.
const CELLS_PER_STEP: u64 = 8;

/// The worths of jobs, and the bound that follows from them.
#[derive(Clone, Debug)]
pub(super) struct Packing<'a> {
    problem: &'a Problem,
    /// The prices of the dimensions that are not packed; 0 for those that are.
    prices: Vec<i64>,
    /// The packed capacity of each agent.
    packed: Vec<usize>,
    /// The worth of each job, in scaled costs.
    pub(super) worth: Vec<i64>,
    /// The bound at these worths, in scaled costs.
    pub(super) value: i64,
    /// The number of offers looked at.
    pub(super) steps: u64,
    /// The offer by which each job is done at the last worths, and the number of offers that do it.
    pub(super) choice: Vec<u32>,
    pub(super) times: Vec<i64>,
    /// How many times each job was not done exactly once.
    pub(super) trouble: Vec<u32>,
    /// For each agent: the least reduced cost within each capacity, from 0 on.
    least: Vec<Vec<i64>>,
    knapsack: Knapsack,
}

impl<'a> Packing<'a> {
    /// Begins with the worths that follow from prices of capacities.
    pub(super) fn new(problem: &'a Problem, root: &Bound) -> Self {
        let packed: Vec<usize> = (0..problem.agents())
            .map(|agent| tightest(problem, agent))
            .collect();

        // A packed dimension needs no price, because the knapsack keeps its capacity.
        let mut prices = root.prices.clone();
        packed.iter().for_each(|at| prices[*at] = 0);

        // A job is worth as much as it costs by its best offer, or if it is left open.
        let worth = |job| {
            let places = problem.of_job(job).chain([OPEN]);
            places
                .map(|place| root.reduced(problem, place))
                .min()
                .unwrap_or(0)
        };

        Self {
            problem,
            prices,
            packed,
            worth: (0..problem.jobs() as u32).map(worth).collect(),
            value: i64::MIN,
            steps: root.steps,
            choice: vec![OPEN; problem.jobs()],
            times: vec![0; problem.jobs()],
            trouble: vec![0; problem.jobs()],
            least: vec![Vec::new(); problem.agents()],
            knapsack: Knapsack::default(),
        }
    }

    /// Returns the problem that it bounds.
    pub(super) fn problem(&self) -> &'a Problem {
        self.problem
    }

    /// Returns the most steps that one evaluation can take.
    pub(super) fn dearest(&self) -> u64 {
        let problem = self.problem;
        let cells = |place: u32| {
            let capacity = problem.capacity()[self.packed[problem.agent(place)]];
            (capacity >> cut(capacity)) as u64 + 1
        };

        let cells: u64 = (0..problem.offers() as u32).map(cells).sum();
        (problem.agents() * problem.jobs()) as u64 / 2 + cells / CELLS_PER_STEP
    }

    /// Returns the least cost that the bound allows, in [`Problem::cost`]s.
    pub(super) fn least_cost(&self) -> i64 {
        let scale = self.problem.scale();
        self.value.div_euclid(scale) + i64::from(self.value.rem_euclid(scale) > 0)
    }

    /// Improves the worths by `rounds` steps, or until the bound reaches `target`, the cost of a
    /// known solution, or until `effort` steps are taken. They are evaluated at least once. `seen`
    /// is called after each evaluation but a last one for the best worths, which are left in place
    /// with their packing.
    pub(super) fn improve(
        &mut self,
        rest: &Rest<'_>,
        (rounds, target, effort): (u32, i64, u64),
        mut seen: impl FnMut(&Self),
    ) {
        let (mut best, mut best_value) = (self.worth.clone(), i64::MIN);
        let (mut length, mut waiting, mut is_last) = (LONGEST, 0, false);
        rest.jobs
            .iter()
            .for_each(|job| self.trouble[*job as usize] = 0);

        for _ in 0..rounds {
            self.evaluate(rest);
            seen(self);

            is_last = self.value > best_value;
            if is_last {
                best_value = self.value;
                best.clone_from(&self.worth);
                waiting = 0;
            } else {
                waiting += 1;
            }

            if self.least_cost() >= target || length < SHORTEST || self.steps >= effort {
                break;
            }

            if waiting == PATIENCE {
                // The steps were too long: shorter ones start from the best worths.
                (length, waiting) = (length / 2, 0);
                self.worth.clone_from(&best);
                continue;
            }

            // A step aims at the known cost, but not too far above the bound.
            let goal = i128::from(target) * i128::from(self.problem.scale());
            let near = i128::from(best_value) + i128::from(best_value.abs()) / NEAR;
            let gain = goal.min(near) - i128::from(self.value);

            if !self.step(rest, gain * i128::from(length)) {
                break;
            }
            is_last = false;
        }

        // The packing that is left must be the one for the best worths.
        if !is_last {
            self.worth.clone_from(&best);
            self.evaluate(rest);
        }
    }

    /// Returns the bound that holds if an offer is taken. It is never below [`Self::value`].
    pub(super) fn with(&self, rest: &Rest<'_>, place: u32) -> i64 {
        let (problem, agent) = (self.problem, self.problem.agent(place));
        let room = self.room(rest, self.packed[agent]);
        let left = room.saturating_sub(self.size(place));
        let least = &self.least[agent];
        let added = self.reduced(problem, place) + least[left.min(room)] - least[room];
        self.value + added.max(0)
    }

    /// Returns the cost of an offer at the present prices and worths, in scaled costs.
    fn reduced(&self, problem: &Problem, place: u32) -> i64 {
        let at = problem.agent(place) * problem.dimensions();
        let weighed = self.prices[at..].iter().zip(problem.weight(place));
        let priced: i64 = weighed.map(|(price, weight)| price * weight).sum();
        problem.cost(place) * problem.scale() + priced - self.worth[self.job(place)]
    }

    fn job(&self, place: u32) -> usize {
        self.problem.job(place) as usize
    }

    /// Returns the amount that an offer takes of the packed capacity.
    fn size(&self, place: u32) -> usize {
        let at = self.packed[self.problem.agent(place)];
        let demand = self.problem.demand(place)[at % self.problem.dimensions()];
        (demand >> cut(self.problem.capacity()[at])) as usize
    }

    /// Returns the amount that is left of a packed capacity.
    fn room(&self, rest: &Rest<'_>, at: usize) -> usize {
        let capacity = self.problem.capacity()[at];
        ((capacity - rest.plan.load[at]) >> cut(capacity)) as usize
    }

    /// Computes the bound at the present worths.
    fn evaluate(&mut self, rest: &Rest<'_>) {
        let problem = self.problem;

        // The plan counts jobs without a decision as open; here their worths stand for that.
        let decided = rest.plan.cost - problem.skip() * rest.jobs.len() as i64;
        let worth: i64 = rest.jobs.iter().map(|job| self.worth[*job as usize]).sum();
        self.value = decided * problem.scale() + worth;

        for &job in rest.jobs {
            (self.choice[job as usize], self.times[job as usize]) = (OPEN, 0);
        }

        // A capacity that is not packed is worth its price.
        for (at, price) in self
            .prices
            .iter()
            .enumerate()
            .filter(|(_, price)| **price > 0)
        {
            self.value -=
                price * ((problem.capacity()[at] - rest.plan.load[at]) >> problem.cut(at));
        }

        for agent in 0..problem.agents() {
            self.pack(rest, agent);
        }

        // Branching decides the jobs with the most trouble first.
        for &job in rest.jobs {
            self.trouble[job as usize] += u32::from(self.times[job as usize] != 1);
        }
    }

    /// Packs one agent, and adds to the bound what that gains.
    fn pack(&mut self, rest: &Rest<'_>, agent: usize) {
        let problem = self.problem;
        let room = self.room(rest, self.packed[agent]);

        let mut knapsack = std::mem::take(&mut self.knapsack);
        knapsack.items.clear();

        // Only an offer that costs less than its job is worth can gain anything.
        for &job in rest.jobs {
            let place = problem.place(job, agent);
            if place != OPEN && rest.alive[place as usize] && rest.plan.fits(problem, place) {
                let reduced = self.reduced(problem, place);
                if reduced < 0 {
                    knapsack.items.push(Item {
                        place,
                        size: self.size(place),
                        cost: reduced,
                    });
                }
            }
        }

        // The steps of a packing are counted in cells of its table.
        let cells = knapsack.items.len() * (room + 1);
        self.steps += (rest.jobs.len() as u64).div_ceil(2) + cells as u64 / CELLS_PER_STEP;
        self.value += knapsack.solve(room);

        // Kept for `with`, which needs the least cost within any smaller capacity.
        self.least[agent].clear();
        self.least[agent].extend_from_slice(knapsack.last_row(room));

        for item in knapsack.taken(room) {
            let job = self.job(item.place);
            self.choice[job] = item.place;
            self.times[job] += 1;
        }

        self.knapsack = knapsack;
    }

    /// Raises the worth of jobs that are not done, and lowers that of jobs that are done more than
    /// once. Returns false if each job is done once.
    fn step(&mut self, rest: &Rest<'_>, gain: i128) -> bool {
        let slope = |times: i64| i128::from(1 - times);
        let squares: i128 = rest
            .jobs
            .iter()
            .map(|job| slope(self.times[*job as usize]).pow(2))
            .sum();

        if squares == 0 {
            return false;
        }

        // No job is worth more than leaving it open costs.
        let most = i128::from(self.problem.skip() * self.problem.scale());
        for &job in rest.jobs {
            let worth = i128::from(self.worth[job as usize]);
            let moved = worth + gain * slope(self.times[job as usize]) / (squares * 1024);
            self.worth[job as usize] = moved.clamp(-most, most) as i64;
        }

        true
    }
}

/// Returns the capacity of an agent that all its offers together exceed most.
fn tightest(problem: &Problem, agent: usize) -> usize {
    let first = agent * problem.dimensions();
    let mut wanted = vec![0; problem.dimensions()];

    for place in (0..problem.jobs() as u32).map(|job| problem.place(job, agent)) {
        if place != OPEN {
            let demand = problem.demand(place);
            wanted
                .iter_mut()
                .zip(demand)
                .for_each(|(sum, demand)| *sum += i128::from(*demand));
        }
    }

    // The part of each capacity that all offers together want, in 1/1024.
    let ratio = |at: &usize| wanted[*at] * 1024 / i128::from(problem.capacity()[first + at] + 1);

    // Reversed, so that the first of equals is chosen: `max_by_key` returns the last.
    first
        + (0..problem.dimensions())
            .rev()
            .max_by_key(ratio)
            .unwrap_or(0)
}

/// Returns the number of bits by which a capacity is too long to be packed.
fn cut(capacity: i64) -> u32 {
    (i64::BITS - capacity.leading_zeros()).saturating_sub(PACKED_BITS)
}

/// An offer that may be packed.
#[derive(Clone, Copy, Debug)]
struct Item {
    place: u32,
    size: usize,
    /// The reduced cost, below 0.
    cost: i64,
}

/// The knapsack by dynamic programming (Bellman 1957), with a row of cells for each item. The
/// buffers are used again for each knapsack.
#[derive(Clone, Debug, Default)]
struct Knapsack {
    items: Vec<Item>,
    rows: Vec<i64>,
}

impl Knapsack {
    /// Returns the least cost of items that fit into `room` together.
    fn solve(&mut self, room: usize) -> i64 {
        let width = room + 1;
        self.rows.clear();
        self.rows.resize((self.items.len() + 1) * width, 0);

        // Row `at + 1` holds the least cost with the first `at + 1` items, for each room from 0 on.
        for (at, item) in self.items.iter().enumerate() {
            let (above, row) = self.rows[at * width..(at + 2) * width].split_at_mut(width);

            let size = item.size.min(width);

            // Within a room that is too small for the item, nothing changes.
            row[..size].copy_from_slice(&above[..size]);
            let without = above[size..].iter().zip(&above[..width - size]);

            for (cell, (without, with)) in row[size..].iter_mut().zip(without) {
                *cell = (*without).min(with + item.cost);
            }
        }

        self.last_row(room)[room]
    }

    fn last_row(&self, room: usize) -> &[i64] {
        let width = room + 1;
        &self.rows[self.items.len() * width..][..width]
    }

    /// Returns the items of the solution within `room`, the last one first.
    fn taken(&self, room: usize) -> impl Iterator<Item = Item> + '_ {
        let (width, mut left) = (room + 1, room);

        self.items
            .iter()
            .enumerate()
            .rev()
            .filter_map(move |(at, item)| {
                let cell = |row: usize, left: usize| self.rows[row * width + left];

                // The item is taken if the best cost without it is another one.
                let is_taken = cell(at + 1, left) != cell(at, left);
                if is_taken {
                    left -= item.size;
                }
                is_taken.then_some(*item)
            })
    }
}
