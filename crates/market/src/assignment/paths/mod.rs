//! Finds one optimal assignment by shortest augmenting paths.
//!
//! The shorter side of the matrix are the persons, the longer one the objects. A person takes one
//! object, or stays without one at the skip price. An object that nobody takes has the price 0, and
//! all others have at most 0. The search keeps an invariant: `gain[p] + price[o] <= cost(p, o)`,
//! with equality on pairs, and `gain[p] <= skip`.

mod search;

use std::ops::Range;

use self::search::{Nearest, Search};
use super::prices::Prices;
use super::problem::{EdgeTable, Problem};
use super::{Matching, Meter, SolveError};

/// The number of times that the reduction may look at each edge, on average. The rest is left to
/// the searches.
const REDUCTION_ROUNDS: usize = 2;

/// The number of edges that are looked at together, if a person has edges to all objects. Their
/// signs tell whether one of them matters, and few blocks have one.
pub(super) const BLOCK: usize = 16;
/// A distance beyond any real one (below 2^58). Adding a real one to it does not overflow.
const FAR: i64 = 1 << 61;

/// Returns an optimal matching, and some prices that prove it.
pub(super) fn shortest_augmenting_paths(
    problem: &Problem,
    meter: &mut Meter,
) -> Result<(Matching, Prices), SolveError> {
    if problem.is_full_square() {
        full_square(problem, meter)
    } else if problem.rows() <= problem.columns() {
        rows_as_persons(problem, meter)
    } else {
        columns_as_persons(problem, meter)
    }
}

/// Solves a problem that has at most as many rows as columns.
fn rows_as_persons(problem: &Problem, meter: &mut Meter) -> Result<(Matching, Prices), SolveError> {
    let skip = problem.skip_price();
    let state = PartialMatching::new(problem.by_row(), problem.columns(), skip);
    let done = state.solve(meter)?;

    // The rows are the persons here, so the skip price is on their side. In the result it is on the
    // columns' side, because a row that is skipped costs nothing.
    Ok(done.into_rows_and_columns(skip))
}

/// Solves a problem that has more rows than columns.
fn columns_as_persons(
    problem: &Problem,
    meter: &mut Meter,
) -> Result<(Matching, Prices), SolveError> {
    let by_column = problem.by_row().transposed(problem.columns());
    let state = PartialMatching::new(&by_column, problem.rows(), problem.skip_price());
    let done = state.solve(meter)?;

    let matching = Matching {
        column_of: done.person_of,
        row_of: done.object_of,
    };

    let prices = Prices {
        rows: done.price,
        columns: done.gain,
    };

    Ok((matching, prices))
}

/// Solves a problem in which every row can take every column and there are as many of both. All of
/// them are assigned, whatever it costs. So the search may forget skipping, and begin at any
/// prices: the least costs of the columns. In the end all prices are moved together until the
/// highest is that of a column without a row.
///
/// Prices of two objects differ by at most `high - low`, because otherwise the person at one would
/// leave it for the other. So the gains are then within the skip price.
fn full_square(problem: &Problem, meter: &mut Meter) -> Result<(Matching, Prices), SolveError> {
    // At this skip price nobody stays without an object.
    let skip = FAR / 2;
    let mut state = PartialMatching::new(problem.by_row(), problem.columns(), skip);

    state.reduce_columns();
    let done = state.solve(meter)?;

    // The highest price becomes the skip price, as that of an open column.
    let highest = done.price.iter().max();
    let shift = highest.map_or(0, |highest| problem.skip_price() - highest);

    Ok(done.into_rows_and_columns(shift))
}

/// A matching under way and its prices.
struct PartialMatching<'a> {
    table: &'a EdgeTable,
    skip: i64,
    object_of: Vec<Option<u32>>,
    person_of: Vec<Option<u32>>,
    gain: Vec<i64>,
    price: Vec<i64>,
    /// The objects without a person, after the reduction.
    free: Vec<u32>,
}

impl<'a> PartialMatching<'a> {
    fn new(table: &'a EdgeTable, objects: usize, skip: i64) -> Self {
        let persons = table.len();
        Self {
            table,
            skip,
            object_of: vec![None; persons],
            person_of: vec![None; objects],
            gain: vec![skip; persons],
            price: vec![0; objects],
            free: Vec::new(),
        }
    }

    /// Places each person, and makes the prices optimal.
    fn solve(mut self, meter: &mut Meter) -> Result<Self, SolveError> {
        let mut search = Search::new(self.price.len());
        let unplaced = self.reduce();

        // The searches look at these first.
        let objects = 0..self.price.len() as u32;
        self.free = objects.filter(|object| self.is_free(*object)).collect();

        // Each search places one person and leaves optimal prices behind.
        for person in unplaced {
            let Nearest { end, distance } = search.run(&self, person);
            meter.spend(search.steps)?;

            self.adopt(&search, person, distance);
            self.augment(&search, person, end);
        }

        Ok(self)
    }

    /// Returns the result if the persons are the rows. The prices of columns rise by `shift`, and
    /// the gains of rows fall by it.
    fn into_rows_and_columns(self, shift: i64) -> (Matching, Prices) {
        let matching = Matching {
            column_of: self.object_of,
            row_of: self.person_of,
        };

        let prices = Prices {
            rows: self.gain.iter().map(|gain| gain - shift).collect(),
            columns: self.price.iter().map(|price| price + shift).collect(),
        };

        (matching, prices)
    }

    /// Column reduction: the price of each object is its least cost, and the object goes to the
    /// person that has this cost, unless that person has another object already.
    fn reduce_columns(&mut self) {
        // An object whose cheapest person has another one already stays free.
        for (object, person) in self.lower_prices().into_iter().enumerate() {
            if self.object_of[person as usize].is_none() {
                self.gain[person as usize] = 0;
                self.pair(person, object as u32);
            }
        }
    }

    /// Makes the least cost of each object its price. Returns the first person that has this cost,
    /// for each object.
    fn lower_prices(&mut self) -> Vec<u32> {
        let mut cheapest = vec![0; self.price.len()];
        self.price.fill(FAR);

        for person in 0..self.table.len() {
            let (_, costs) = self.table.of(person);
            let objects = self.price.iter_mut().zip(&mut cheapest);

            // The costs are those of all objects, in their order.
            for ((price, cheapest), cost) in objects.zip(costs) {
                if cost < price {
                    *price = *cost;
                    *cheapest = person as u32;
                }
            }
        }

        cheapest
    }

    /// Augmenting row reduction: each person takes the object that it likes best, and lowers its
    /// price by the distance to the second best. Returns the persons that still need a search.
    fn reduce(&mut self) -> Vec<u32> {
        let mut waiting = self.persons_without_object();
        let mut unplaced = Vec::new();

        // The number of edges that may still be looked at.
        let mut left = REDUCTION_ROUNDS * self.table.edges();

        while let Some(person) = waiting.pop() {
            if left == 0 {
                unplaced.push(person);
                continue;
            }

            let (objects, _) = self.table.of(person as usize);
            left = left.saturating_sub(objects.len());

            match self.place(person) {
                Placed::Settled => {}
                Placed::Displaced(owner) => waiting.push(owner),
                Placed::Tied => unplaced.push(person),
            }
        }

        unplaced
    }

    /// Returns the persons that have no object, the last one first.
    fn persons_without_object(&self) -> Vec<u32> {
        let persons = (0..self.table.len() as u32).rev();
        persons
            .filter(|person| self.object_of[*person as usize].is_none())
            .collect()
    }

    /// Gives a person its best object, if that moves a price or the object is free.
    fn place(&mut self, person: u32) -> Placed {
        let choice = self.choose(person);
        let Some(object) = choice.object else {
            self.gain[person as usize] = self.skip;
            return Placed::Settled;
        };

        // At equal values the price would not move, and the two persons could displace each other
        // without end.
        let owner = self.person_of[object as usize];
        if owner.is_some() && choice.best == choice.second {
            return Placed::Tied;
        }

        // Now the person likes its two best objects equally.
        self.price[object as usize] -= choice.second - choice.best;
        self.gain[person as usize] = choice.second;
        self.pair(person, object);

        let Some(owner) = owner else {
            return Placed::Settled;
        };

        self.object_of[owner as usize] = None;
        Placed::Displaced(owner)
    }

    /// Returns the best object of a person, with the best and the second best value. Among equals
    /// it is a free object.
    fn choose(&self, person: u32) -> Choice {
        let mut choice = Choice {
            object: None,
            best: self.skip,
            second: self.skip,
        };

        let (objects, costs) = self.table.of(person as usize);
        if objects.len() < self.price.len() {
            self.consider_all(&mut choice, objects, costs);
            return choice;
        }

        // The person has all objects, but few blocks have one that changes the choice.
        let blocks = costs
            .chunks(BLOCK)
            .zip(self.price.chunks(BLOCK))
            .zip(objects.chunks(BLOCK));

        for ((costs, prices), objects) in blocks {
            if has_value_below(costs, prices, choice.second + 1) {
                self.consider_all(&mut choice, objects, costs);
            }
        }

        choice
    }

    /// Takes objects into account for a choice.
    #[inline]
    fn consider_all(&self, choice: &mut Choice, objects: &[u32], costs: &[i64]) {
        for (&object, &cost) in objects.iter().zip(costs) {
            self.consider(choice, object, cost);
        }
    }

    /// Takes an object into account for a choice.
    #[inline]
    fn consider(&self, choice: &mut Choice, object: u32, cost: i64) {
        let value = cost - self.price[object as usize];
        if value > choice.second {
            return;
        }

        let freer = value == choice.best && self.person_of[object as usize].is_none();
        if value < choice.best || freer {
            *choice = Choice {
                object: Some(object),
                best: value,
                second: choice.best,
            };
        } else {
            choice.second = value;
        }
    }

    /// Moves the prices so that the edges of the path become tight.
    fn adopt(&mut self, search: &Search, root: u32, length: i64) {
        self.gain[root as usize] = length;

        for &object in &search.scanned {
            let change = length - search.distance[object as usize];
            self.price[object as usize] -= change;

            // The pair stays tight.
            if let Some(person) = self.person_of[object as usize] {
                self.gain[person as usize] += change;
            }
        }
    }

    /// Shifts the objects along the path, from its end to the root.
    fn augment(&mut self, search: &Search, root: u32, end: End) {
        let mut open = match end {
            End::Free(object) => {
                self.free.retain(|other| *other != object);
                Some(object)
            }
            End::Skip(person) => self.object_of[person as usize].take(),
        };

        // Each person on the path takes the open object, and leaves the one that it had.
        while let Some(object) = open {
            let person = search.reached_by[object as usize];
            open = self.object_of[person as usize];
            self.pair(person, object);
            if person == root {
                break;
            }
        }
    }

    fn is_free(&self, object: u32) -> bool {
        self.person_of[object as usize].is_none()
    }

    fn pair(&mut self, person: u32, object: u32) {
        self.object_of[person as usize] = Some(object);
        self.person_of[object as usize] = Some(person);
    }
}

/// Returns the ranges of the blocks of a person that has this many edges.
#[inline]
pub(super) fn blocks(edges: usize) -> impl Iterator<Item = Range<usize>> {
    let starts = (0..edges).step_by(BLOCK);
    starts.map(move |start| start..edges.min(start + BLOCK))
}

/// Checks whether the value (cost less price) of one of these objects is below `limit`.
#[inline]
fn has_value_below(costs: &[i64], prices: &[i64], limit: i64) -> bool {
    // The sign of the result is that of all differences together.
    let pairs = costs.iter().zip(prices);
    pairs.fold(0, |all, (cost, price)| all | (cost - price - limit)) < 0
}

/// The outcome of a try to place a person.
enum Placed {
    /// The person has an object, or goes without one.
    Settled,
    /// The person has the object of another one, which has to look for a new object.
    Displaced(u32),
    /// The person likes two objects equally, and the best one is taken.
    Tied,
}

/// The object that a person likes best, and the values (cost less price) of the best and the second
/// best one.
struct Choice {
    object: Option<u32>,
    best: i64,
    second: i64,
}

/// The end of a path: an object without a person, or a person that goes without an object.
#[derive(Clone, Copy)]
enum End {
    Free(u32),
    Skip(u32),
}
