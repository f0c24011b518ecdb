//! A stronger lower bound: jobs may be done twice or not at all, at a price.
//!
//! With a worth for each job, each agent on its own packs its capacity with the jobs whose worth
//! exceeds their cost most. That is a knapsack, which is solved exactly. The sum of the worths less
//! the gains of the packings is a bound for any worths (Fisher, Jaikumar and Van Wassenhove,
//! Management Science 32, 1986). At best it is better than that of the linear program, and small
//! knapsacks need few steps. If there are several dimensions, the tightest one of each agent is
//! packed, and the others keep the prices of `bound`.

use super::bound::{Ascent, Bound};
use super::plan::Rest;
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
/// The number of cells of a knapsack that count as one step.
const CELLS_PER_STEP: u64 = 8;

/// The limits of an improvement.
#[derive(Clone, Copy, Debug)]
pub(super) struct Goal {
    /// The most rounds, each with a step of the worths.
    pub(super) rounds: u32,
    /// The bound that is good enough: the cost of a known solution.
    pub(super) target: i64,
    /// The number of offers looked at, in all, after which it ends.
    pub(super) effort: u64,
}

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
        let agents = problem.agents();
        let jobs = problem.jobs();

        let packed: Vec<usize> = (0..agents).map(|agent| tightest(problem, agent)).collect();

        // A packed dimension needs no price, because the knapsack keeps its capacity.
        let mut prices = root.prices.clone();
        for &at in &packed {
            prices[at] = 0;
        }

        let worth = (0..jobs as u32)
            .map(|job| first_worth(problem, root, job))
            .collect();

        Self {
            problem,
            prices,
            packed,
            worth,
            value: i64::MIN,
            steps: root.steps,
            choice: vec![OPEN; jobs],
            times: vec![0; jobs],
            trouble: vec![0; jobs],
            least: vec![Vec::new(); agents],
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
        let pairs = problem.agents() * problem.jobs();

        // Each offer may be an item, with a row of cells in the table of its agent.
        let places = 0..problem.offers() as u32;
        let cells: u64 = places.map(|place| self.row_of_cells(place)).sum();

        pairs as u64 / 2 + cells / CELLS_PER_STEP
    }

    /// Returns the number of cells in a row of the table of an offer's agent.
    fn row_of_cells(&self, place: u32) -> u64 {
        let agent = self.problem.agent(place);
        let capacity = self.problem.capacity()[self.packed[agent]];
        (capacity >> cut(capacity)) as u64 + 1
    }

    /// Returns the least cost that the bound allows, in [`Problem::cost`]s.
    pub(super) fn least_cost(&self) -> i64 {
        self.problem.least_cost(self.value)
    }

    /// Improves the worths within the limits of `goal`. They are evaluated at least once. `seen` is
    /// called after each evaluation but a last one for the best worths, which are left in place
    /// with their packing.
    pub(super) fn improve(&mut self, rest: &Rest, goal: Goal, mut seen: impl FnMut(&Self)) {
        self.forget_trouble(rest);
        let mut ascent = Ascent::new(&self.worth, LONGEST, PATIENCE);
        let mut is_best = false;

        for _ in 0..goal.rounds {
            self.evaluate(rest);
            seen(self);
            is_best = ascent.note(&self.worth, self.value);

            if self.has_reached(goal) || ascent.length < SHORTEST {
                break;
            }

            // Shorter steps start from the best worths.
            if ascent.shorten_if_due() {
                self.worth.clone_from(&ascent.best);
                continue;
            }

            let gain = ascent.gain_of_step(self.problem, goal.target, self.value);
            if !self.step(rest, gain) {
                break;
            }
            is_best = false;
        }

        // The packing that is left must be the one for the best worths.
        if !is_best {
            self.worth = ascent.best;
            self.evaluate(rest);
        }
    }

    /// Begins to count anew how many times each job is not done exactly once.
    fn forget_trouble(&mut self, rest: &Rest) {
        for &job in &rest.jobs {
            self.trouble[job as usize] = 0;
        }
    }

    /// Checks whether the bound is good enough, or the effort is spent.
    fn has_reached(&self, goal: Goal) -> bool {
        self.least_cost() >= goal.target || self.steps >= goal.effort
    }

    /// Returns the bound that holds if an offer is taken. It is never below [`Self::value`].
    pub(super) fn with(&self, rest: &Rest, place: u32) -> i64 {
        let agent = self.problem.agent(place);
        let room = self.room(rest, self.packed[agent]);
        let left = room.saturating_sub(self.size(place));

        // The offer takes its room, and the best packing of what is left goes with it.
        let least = &self.least[agent];
        let with = self.reduced(place) + least[left.min(room)];
        let added = with - least[room];

        self.value + added.max(0)
    }

    /// Returns the cost of an offer at the present prices and worths, in scaled costs.
    #[inline]
    fn reduced(&self, place: u32) -> i64 {
        self.problem.priced(place, &self.prices) - self.worth[self.job(place)]
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
    fn room(&self, rest: &Rest, at: usize) -> usize {
        let capacity = self.problem.capacity()[at];
        ((capacity - rest.plan.load[at]) >> cut(capacity)) as usize
    }

    /// Computes the bound at the present worths.
    fn evaluate(&mut self, rest: &Rest) {
        // A job without a decision counts with its worth, and a packing that does it adds its gain.
        let jobs = rest.jobs.iter();
        let worth: i64 = jobs.map(|job| self.worth[*job as usize]).sum();
        let decided = rest.decided(self.problem);
        self.value = decided + worth - self.worth_of_unpacked(rest);

        self.forget_choices(rest);
        for agent in 0..self.problem.agents() {
            self.pack(rest, agent);
        }

        // Branching decides the jobs with the most trouble first.
        for &job in &rest.jobs {
            let is_done_once = self.times[job as usize] == 1;
            self.trouble[job as usize] += u32::from(!is_done_once);
        }
    }

    /// Begins with no job done.
    fn forget_choices(&mut self, rest: &Rest) {
        for &job in &rest.jobs {
            self.choice[job as usize] = OPEN;
            self.times[job as usize] = 0;
        }
    }

    /// Returns the worth, by their prices, of what is left of the capacities that are not packed.
    fn worth_of_unpacked(&self, rest: &Rest) -> i64 {
        self.prices
            .iter()
            .enumerate()
            .filter(|(_, price)| **price > 0)
            .map(|(at, price)| price * rest.room(self.problem, at))
            .sum()
    }

    /// Packs one agent, and adds to the bound what that gains.
    fn pack(&mut self, rest: &Rest, agent: usize) {
        let room = self.room(rest, self.packed[agent]);
        let mut knapsack = std::mem::take(&mut self.knapsack);
        self.collect_items(rest, agent, &mut knapsack.items);

        // The steps of a packing are counted in cells of its table.
        let jobs = rest.jobs.len() as u64;
        let cells = knapsack.items.len() * (room + 1);
        self.steps += jobs.div_ceil(2) + cells as u64 / CELLS_PER_STEP;

        self.value += knapsack.solve(room);

        // This is kept for `with`, which needs the least cost within any smaller capacity.
        let least = &mut self.least[agent];
        least.clear();
        least.extend_from_slice(knapsack.last_row(room));

        // The jobs that the packing does.
        for item in knapsack.taken(room) {
            self.count_choice(item.place);
        }

        self.knapsack = knapsack;
    }

    /// Counts an offer by which its job is done.
    fn count_choice(&mut self, place: u32) {
        let job = self.job(place);
        self.choice[job] = place;
        self.times[job] += 1;
    }

    /// Replaces `items` by the offers of an agent that can gain anything: those that cost less than
    /// their job is worth.
    #[inline]
    fn collect_items(&self, rest: &Rest, agent: usize, items: &mut Vec<Item>) {
        items.clear();

        for &job in &rest.jobs {
            let place = self.problem.place(job, agent);
            if place == OPEN || !rest.allows(self.problem, place) {
                continue;
            }

            // An offer that costs as much as its job is worth may as well be left out.
            let cost = self.reduced(place);
            let gains = cost < 0;

            if gains {
                let size = self.size(place);
                items.push(Item { place, size, cost });
            }
        }
    }

    /// Raises the worth of jobs that are not done, and lowers that of jobs that are done more than
    /// once. Returns false if each job is done once.
    fn step(&mut self, rest: &Rest, gain: i128) -> bool {
        let jobs = rest.jobs.iter();
        let squares = jobs.map(|job| self.slope(*job).pow(2));
        let squares: i128 = squares.sum();

        if squares == 0 {
            return false;
        }

        // No job is worth more than leaving it open costs.
        let most = i128::from(self.problem.scaled_skip());

        for &job in &rest.jobs {
            // The length of a step counts in 1/1024.
            let change = gain * self.slope(job) / (squares * 1024);
            let worth = &mut self.worth[job as usize];
            let moved = i128::from(*worth) + change;
            *worth = moved.clamp(-most, most) as i64;
        }

        true
    }

    /// Returns the slope of a job's worth: 1 less the number of offers that do the job.
    fn slope(&self, job: u32) -> i128 {
        i128::from(1 - self.times[job as usize])
    }
}

/// Returns the worth of a job by prices of capacities: as much as it costs by its best offer, or if
/// it is left open.
fn first_worth(problem: &Problem, root: &Bound, job: u32) -> i64 {
    let places = problem.of_job(job).chain([OPEN]);
    let costs = places.map(|place| root.reduced(problem, place));
    costs.min().unwrap_or(0)
}

/// Returns the capacity of an agent that all its offers together exceed most.
fn tightest(problem: &Problem, agent: usize) -> usize {
    let first = agent * problem.dimensions();
    let wanted = wanted_by_all(problem, agent);

    // The part of each capacity that all offers together want, in 1/1024.
    let ratio = |at: &usize| {
        let capacity = problem.capacity()[first + at];
        wanted[*at] * 1024 / i128::from(capacity + 1)
    };

    // Reversed, so that the first of equals is chosen: `max_by_key` returns the last.
    let dimensions = (0..problem.dimensions()).rev();
    first + dimensions.max_by_key(ratio).unwrap_or(0)
}

/// Returns the sum of the demands of all offers of an agent, one for each dimension.
fn wanted_by_all(problem: &Problem, agent: usize) -> Vec<i128> {
    let mut wanted = vec![0; problem.dimensions()];

    for job in 0..problem.jobs() as u32 {
        let place = problem.place(job, agent);
        if place == OPEN {
            continue;
        }

        for (sum, demand) in wanted.iter_mut().zip(problem.demand(place)) {
            *sum += i128::from(*demand);
        }
    }

    wanted
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

impl Item {
    /// Fills a row of the knapsack: the least costs with this item and those of the row above.
    #[inline]
    fn fill_row(&self, above: &[i64], row: &mut [i64]) {
        let width = row.len();
        let size = self.size.min(width);

        // Within a room that is too small for the item, nothing changes.
        row[..size].copy_from_slice(&above[..size]);

        // Otherwise the item is left out, or it is taken and leaves so much less room.
        let without = &above[size..];
        let with = &above[..width - size];
        let cells = row[size..].iter_mut();

        for ((cell, without), with) in cells.zip(without).zip(with) {
            let with = with + self.cost;
            *cell = with.min(*without);
        }
    }
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
        let rows = self.items.len() + 1;

        // The first row is that without items, whose cost is 0.
        self.rows.clear();
        self.rows.resize(rows * width, 0);

        // Row `at + 1` holds the least cost with the first `at + 1` items, for each room from 0 on.
        for (at, item) in self.items.iter().enumerate() {
            let rows = &mut self.rows[at * width..][..2 * width];
            let (above, row) = rows.split_at_mut(width);
            item.fill_row(above, row);
        }

        self.last_row(room)[room]
    }

    /// Returns the least cost of items that fit into each room, from 0 up to `room`.
    fn last_row(&self, room: usize) -> &[i64] {
        let width = room + 1;
        &self.rows[self.items.len() * width..][..width]
    }

    /// Returns the items of the solution within `room`, the last one first.
    fn taken(&self, room: usize) -> impl Iterator<Item = Item> + '_ {
        let width = room + 1;
        let mut left = room;

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
