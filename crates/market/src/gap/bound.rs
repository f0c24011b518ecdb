//! A lower bound of the cost of any plan: capacities may be exceeded, at a price.
//!
//! With a price for each capacity, each job goes to the offer at which its cost plus the price of
//! its demand is least, whatever the other jobs do. The worth of the capacities at these prices is
//! taken off the sum. Any prices give a bound (Lagrangian relaxation; Geoffrion 1974), and the best
//! ones give that of the linear program. They are approached by subgradient steps (Held, Wolfe and
//! Crowder 1974), in integers.

use super::plan::Rest;
use super::problem::{OPEN, Problem};

/// The highest price of a unit of weight, as a power of two, divided among the capacities. With it
/// no sum reaches 2^62.
const PRICE_BITS: u32 = 61 - 20;
/// The number of steps without a better bound after which the steps get shorter.
const PATIENCE: u32 = 12;
/// The length of the longest and the shortest steps, in 1/1024 of (what is to gain / squared
/// slope).
const LONGEST: i64 = 2048;
const SHORTEST: i64 = 4;
/// Steps aim no further above the bound than 1/`NEAR` of it, since a known solution may be far off.
const NEAR: i128 = 16;

/// The prices of capacities, and the bound that follows from them.
#[derive(Clone, Debug)]
pub(super) struct Bound {
    /// The price of each capacity, in scaled costs for a unit of weight.
    pub(super) prices: Vec<i64>,
    /// The best bound so far, in scaled costs.
    pub(super) value: i64,
    /// The number of offers looked at.
    pub(super) steps: u64,
    used: Vec<i64>,
    room: Vec<i64>,
}

impl Bound {
    /// Begins with all capacities free.
    pub(super) fn new(problem: &Problem) -> Self {
        let capacities = problem.capacity().len();
        Self {
            prices: vec![0; capacities],
            value: i64::MIN,
            steps: 0,
            used: vec![0; capacities],
            room: vec![0; capacities],
        }
    }

    /// Returns the least cost that the bound allows, in [`Problem::cost`]s.
    pub(super) fn least(&self, problem: &Problem) -> i64 {
        problem.least_cost(self.value)
    }

    /// Improves the bound by `rounds` steps, or until it reaches `target`, the cost of a known
    /// solution. The prices are left at the best ones that were found.
    pub(super) fn improve(&mut self, problem: &Problem, rest: &Rest, rounds: u32, target: i64) {
        self.measure_room(problem, rest);
        let mut ascent = Ascent::new(&self.prices, LONGEST, PATIENCE);

        for _ in 0..rounds {
            let value = self.evaluate(problem, rest);
            ascent.note(&self.prices, value);

            // No bound is above the cost of a solution, so at the target it is at its best.
            if problem.least_cost(ascent.value) >= target || ascent.length < SHORTEST {
                break;
            }

            // Shorter steps start from the best prices.
            if ascent.shorten_if_due() {
                self.prices.clone_from(&ascent.best);
            }

            let gain = ascent.gain_of_step(problem, target, value);
            if !self.step(gain) {
                break;
            }
        }

        self.value = ascent.value;
        self.prices = ascent.best;
    }

    /// Returns the cost of an offer at the present prices, in scaled costs.
    pub(super) fn reduced(&self, problem: &Problem, place: u32) -> i64 {
        if place == OPEN {
            problem.scaled_skip()
        } else {
            problem.priced(place, &self.prices)
        }
    }

    /// Measures the weight that is left of each capacity.
    fn measure_room(&mut self, problem: &Problem, rest: &Rest) {
        for (at, room) in self.room.iter_mut().enumerate() {
            *room = rest.room(problem, at);
        }
    }

    /// Returns the bound at the present prices.
    fn evaluate(&mut self, problem: &Problem, rest: &Rest) -> i64 {
        let mut value = rest.decided(problem) - self.worth_of_room();
        self.used.fill(0);

        for &job in &rest.jobs {
            let (place, cost) = self.choose(problem, rest, job);
            value += cost;

            if place != OPEN {
                self.use_weight(problem, place);
            }
        }

        value
    }

    /// Returns the worth, at the present prices, of all that is left of the capacities.
    fn worth_of_room(&self) -> i64 {
        self.prices
            .iter()
            .zip(&self.room)
            .map(|(price, room)| price * room)
            .sum()
    }

    /// Returns the offer of least reduced cost for a job and that cost; the offer is [`OPEN`] if
    /// leaving the job open costs less.
    fn choose(&mut self, problem: &Problem, rest: &Rest, job: u32) -> (u32, i64) {
        let mut best = OPEN;
        let mut least = problem.scaled_skip();
        let places = problem.of_job(job);
        self.steps += places.len() as u64;

        // Of equal costs the first one stays, so that all machines choose alike.
        for place in places.filter(|place| rest.allows(problem, *place)) {
            let cost = self.reduced(problem, place);
            if cost < least {
                best = place;
                least = cost;
            }
        }

        (best, least)
    }

    /// Counts the weights of a chosen offer.
    #[inline]
    fn use_weight(&mut self, problem: &Problem, place: u32) {
        let used = &mut self.used[problem.first_capacity(place)..];
        for (used, weight) in used.iter_mut().zip(problem.weight(place)) {
            *used += weight;
        }
    }

    /// Raises the prices of exceeded capacities and lowers the others. Returns false if no price
    /// moves.
    fn step(&mut self, gain: i128) -> bool {
        // The slope of a price is the weight by which its capacity is exceeded.
        let weights = self.used.iter().zip(&self.room);
        let slopes = weights.map(|(used, room)| i128::from(used - room));

        let squares = slopes.clone().map(|slope| slope * slope);
        let squares: i128 = squares.sum();

        if squares == 0 {
            return false;
        }

        // With prices up to this limit, no sum overflows.
        let most = (1i128 << PRICE_BITS) / self.prices.len() as i128;

        for (price, slope) in self.prices.iter_mut().zip(slopes) {
            // The length of a step counts in 1/1024.
            let change = gain * slope / (squares * 1024);
            let next = i128::from(*price) + change;
            *price = next.clamp(0, most) as i64;
        }

        true
    }
}

/// The best point (prices or worths) that subgradient steps came to, and the length of the next
/// step. The length is halved whenever several steps in a row find no better bound.
pub(super) struct Ascent {
    /// The best point so far.
    pub(super) best: Vec<i64>,
    /// The bound at that point, in scaled costs.
    pub(super) value: i64,
    /// The length of a step, in 1/1024 of (what is to gain / squared slope).
    pub(super) length: i64,
    /// The number of steps without a better bound after which the length is halved.
    patience: u32,
    /// The number of such steps so far.
    waiting: u32,
}

impl Ascent {
    /// Begins at a point whose bound is not known yet.
    pub(super) fn new(start: &[i64], length: i64, patience: u32) -> Self {
        Self {
            best: start.to_vec(),
            value: i64::MIN,
            length,
            patience,
            waiting: 0,
        }
    }

    /// Notes the bound at a point. Returns whether it is the best so far.
    pub(super) fn note(&mut self, point: &Vec<i64>, value: i64) -> bool {
        let is_better = value > self.value;

        if is_better {
            self.value = value;
            self.best.clone_from(point);
            self.waiting = 0;
        } else {
            self.waiting += 1;
        }

        is_better
    }

    /// Halves the length if the steps were too long to find a better bound. Returns whether they
    /// were.
    pub(super) fn shorten_if_due(&mut self) -> bool {
        let is_due = self.waiting == self.patience;
        if is_due {
            self.length /= 2;
            self.waiting = 0;
        }
        is_due
    }

    /// Returns the amount that a step from the bound `value` aims to gain, times the length. It
    /// aims at `target`, the cost of a known solution, but not too far above the best bound so far.
    pub(super) fn gain_of_step(&self, problem: &Problem, target: i64, value: i64) -> i128 {
        let goal = i128::from(target) * i128::from(problem.scale());
        let near = i128::from(self.value) + i128::from(self.value.abs()) / NEAR;
        (goal.min(near) - i128::from(value)) * i128::from(self.length)
    }
}
