//! A lower bound of the cost of any plan: capacities may be exceeded, at a price.
//!
//! With a price for each capacity, each job goes to the offer at which its cost plus the price of
//! its demand is least, whatever the other jobs do. The worth of the capacities at these prices is
//! taken off the sum. Any prices give a bound (Lagrangian relaxation; Geoffrion 1974), and the best
//! ones give that of the linear program. They are approached by subgradient steps (Held, Wolfe and
//! Crowder 1974), in integers.

use super::plan::Plan;
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

/// The part of a problem that is not decided yet.
pub(super) struct Rest<'a> {
    /// The jobs without a decision.
    pub(super) jobs: &'a [u32],
    /// The decisions that were made. Jobs without a decision are open in it.
    pub(super) plan: &'a Plan,
    /// For each offer: whether it can still be in a better solution.
    pub(super) alive: &'a [bool],
}

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
        let scale = problem.scale();
        self.value.div_euclid(scale) + i64::from(self.value.rem_euclid(scale) > 0)
    }

    /// Improves the bound by `rounds` steps, or until it reaches `target`, the cost of a known
    /// solution. The prices are left at the best ones that were found.
    pub(super) fn improve(
        &mut self,
        problem: &Problem,
        rest: &Rest<'_>,
        (rounds, target): (u32, i64),
    ) {
        self.value = i64::MIN;
        let mut best = self.prices.clone();
        let (mut length, mut waiting) = (LONGEST, 0);
        self.measure_room(problem, rest);

        for _ in 0..rounds {
            let value = self.evaluate(problem, rest);

            if value > self.value {
                self.value = value;
                best.clone_from(&self.prices);
                waiting = 0;
            } else {
                waiting += 1;
            }

            if self.least(problem) >= target || length < SHORTEST {
                break;
            }

            if waiting == PATIENCE {
                // The steps were too long: shorter ones start from the best prices.
                (length, waiting) = (length / 2, 0);
                self.prices.clone_from(&best);
            }

            // A step aims at the known cost, but not too far above the bound.
            let goal = i128::from(target) * i128::from(problem.scale());
            let near = i128::from(self.value) + i128::from(self.value.abs()) / NEAR;
            let gain = goal.min(near) - i128::from(value);

            if !self.step(gain * i128::from(length)) {
                break;
            }
        }

        self.prices = best;
    }

    /// Returns the cost of an offer at the present prices, in scaled costs.
    pub(super) fn reduced(&self, problem: &Problem, place: u32) -> i64 {
        if place == OPEN {
            return problem.skip() * problem.scale();
        }

        let at = problem.agent(place) * problem.dimensions();
        let weighed = self.prices[at..].iter().zip(problem.weight(place));

        problem.cost(place) * problem.scale()
            + weighed.map(|(price, weight)| price * weight).sum::<i64>()
    }

    /// Measures the weight that is left of each capacity.
    fn measure_room(&mut self, problem: &Problem, rest: &Rest<'_>) {
        for (at, capacity) in problem.capacity().iter().enumerate() {
            // At least what the weights of the rest may add up to, since both are rounded down.
            self.room[at] = (capacity - rest.plan.load[at]) >> problem.cut(at);
        }
    }

    /// Returns the bound at the present prices.
    fn evaluate(&mut self, problem: &Problem, rest: &Rest<'_>) -> i64 {
        let worth: i64 = self
            .prices
            .iter()
            .zip(&self.room)
            .map(|(price, room)| price * room)
            .sum();

        // The plan counts jobs without a decision as open, so their skip prices are taken off.
        let decided = rest.plan.cost - problem.skip() * rest.jobs.len() as i64;
        let mut value = decided * problem.scale() - worth;
        self.used.fill(0);

        for &job in rest.jobs {
            let (place, cost) = self.choose(problem, rest, job);
            value += cost;

            if place != OPEN {
                let at = problem.agent(place) * problem.dimensions();
                let used = self.used[at..].iter_mut().zip(problem.weight(place));
                used.for_each(|(used, weight)| *used += weight);
            }
        }

        value
    }

    /// Returns the offer of least reduced cost for a job and that cost; the offer is [`OPEN`] if
    /// leaving the job open costs less.
    fn choose(&mut self, problem: &Problem, rest: &Rest<'_>, job: u32) -> (u32, i64) {
        let mut best = (OPEN, problem.skip() * problem.scale());
        let places = problem.of_job(job);
        self.steps += places.len() as u64;

        for place in places {
            if rest.alive[place as usize] && rest.plan.fits(problem, place) {
                let cost = self.reduced(problem, place);
                if cost < best.1 {
                    best = (place, cost);
                }
            }
        }

        best
    }

    /// Raises the prices of exceeded capacities and lowers the others. False if nothing moves.
    fn step(&mut self, gain: i128) -> bool {
        // The slope of a price is the weight by which its capacity is exceeded.
        let slope = |(used, room): (&i64, &i64)| i128::from(used - room);
        let slopes = || self.used.iter().zip(&self.room).map(slope);
        let squares: i128 = slopes().map(|slope| slope * slope).sum();

        if squares == 0 {
            return false;
        }

        // With prices up to this limit, no sum overflows.
        let most = (1i128 << PRICE_BITS) / self.prices.len() as i128;
        let moved = |(price, slope): (&i64, i128)| {
            let next = i128::from(*price) + gain * slope / (squares * 1024);
            next.clamp(0, most) as i64
        };

        self.prices = self.prices.iter().zip(slopes()).map(moved).collect();
        true
    }
}
