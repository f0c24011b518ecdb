//! Finds one optimal assignment by shortest augmenting paths.
//!
//! The shorter side of the matrix are the persons, the longer one the objects. A person takes one
//! object, or stays without one at the skip price. An object that nobody takes has the price 0, and
//! all others have at most 0. The search keeps an invariant: `gain[p] + price[o] <= cost(p, o)`,
//! with equality on pairs, and `gain[p] <= skip`.

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
    let skip = problem.skip_price();

    if problem.is_full_square() {
        return full_square(problem, meter);
    }

    Ok(if problem.rows() <= problem.columns() {
        let done = State::new(problem.by_row(), problem.columns(), skip).solve(meter)?;

        let matching = Matching {
            column_of: done.object_of,
            row_of: done.person_of,
        };

        // The rows are the persons here, so the skip price is on their side. In the result it is on
        // the columns' side, because a row that is skipped costs nothing.
        let rows = done.gain.iter().map(|gain| gain - skip).collect();
        let columns = done.price.iter().map(|price| price + skip).collect();
        (matching, Prices { rows, columns })
    } else {
        let by_column = problem.by_row().transposed(problem.columns());
        let done = State::new(&by_column, problem.rows(), skip).solve(meter)?;

        let matching = Matching {
            column_of: done.person_of,
            row_of: done.object_of,
        };
        (
            matching,
            Prices {
                rows: done.price,
                columns: done.gain,
            },
        )
    })
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
    let mut state = State::new(problem.by_row(), problem.columns(), FAR / 2);
    state.reduce_columns();
    let done = state.solve(meter)?;

    let matching = Matching {
        column_of: done.object_of,
        row_of: done.person_of,
    };

    // The highest price becomes the skip price, as that of an open column.
    let shift = done
        .price
        .iter()
        .max()
        .map_or(0, |highest| problem.skip_price() - highest);

    let rows = done.gain.iter().map(|gain| gain - shift).collect();
    let columns = done.price.iter().map(|price| price + shift).collect();

    Ok((matching, Prices { rows, columns }))
}

/// A matching under way and its prices.
struct State<'a> {
    table: &'a EdgeTable,
    skip: i64,
    object_of: Vec<Option<u32>>,
    person_of: Vec<Option<u32>>,
    gain: Vec<i64>,
    price: Vec<i64>,
    /// The objects without a person, after the reduction.
    free: Vec<u32>,
}

impl<'a> State<'a> {
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

    fn solve(mut self, meter: &mut Meter) -> Result<Self, SolveError> {
        let mut search = Search::new(self.price.len());
        let unplaced = self.reduce();

        self.free = (0..self.price.len() as u32)
            .filter(|object| self.is_free(*object))
            .collect();

        // Each search places one person and leaves optimal prices behind.
        for person in unplaced {
            let (end, length) = search.run(&self, person);
            meter.spend(search.steps)?;
            self.adopt(&search, person, length);
            self.augment(&search, person, end);
        }

        Ok(self)
    }

    /// Column reduction: the price of each object is its least cost, and the object goes to the
    /// person that has this cost, unless that person has another object already.
    fn reduce_columns(&mut self) {
        let mut cheapest = vec![0; self.price.len()];
        self.price.fill(FAR);

        for person in 0..self.table.len() {
            let (_, costs) = self.table.of(person);
            for ((price, cheapest), cost) in self.price.iter_mut().zip(&mut cheapest).zip(costs) {
                if cost < price {
                    (*price, *cheapest) = (*cost, person as u32);
                }
            }
        }

        // An object whose cheapest person has another one already stays free.
        for (object, person) in cheapest.into_iter().enumerate() {
            if self.object_of[person as usize].is_none() {
                self.gain[person as usize] = 0;
                self.pair(person, object as u32);
            }
        }
    }

    /// Augmenting row reduction: each person takes the object that it likes best, and lowers its
    /// price by the distance to the second best. Returns the persons that still need a search.
    fn reduce(&mut self) -> Vec<u32> {
        let free = |person: &u32| self.object_of[*person as usize].is_none();
        let mut waiting: Vec<u32> = (0..self.table.len() as u32).rev().filter(free).collect();
        let mut unplaced = Vec::new();
        let mut left = REDUCTION_ROUNDS * self.table.edges();

        while let Some(person) = waiting.pop() {
            if left == 0 {
                unplaced.push(person);
                continue;
            }

            left = left.saturating_sub(self.table.of(person as usize).0.len());
            let choice = self.choose(person);
            let Some(object) = choice.object else {
                self.gain[person as usize] = self.skip;
                continue;
            };

            // At equal values the price would not move, and the two persons could displace each
            // other without end.
            let owner = self.person_of[object as usize];
            if owner.is_some() && choice.best == choice.second {
                unplaced.push(person);
                continue;
            }

            // Now the person likes its two best objects equally.
            self.price[object as usize] -= choice.second - choice.best;
            self.gain[person as usize] = choice.second;
            self.pair(person, object);

            // The owner has to look for another object.
            if let Some(owner) = owner {
                self.object_of[owner as usize] = None;
                waiting.push(owner);
            }
        }

        unplaced
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
            for (&object, &cost) in objects.iter().zip(costs) {
                self.consider(&mut choice, object, cost);
            }
            return choice;
        }

        // The person has all objects. `below` is negative if a block has one to consider.
        let blocks = costs
            .chunks(BLOCK)
            .zip(self.price.chunks(BLOCK))
            .zip(objects.chunks(BLOCK));
        for ((costs, prices), objects) in blocks {
            let limit = choice.second + 1;

            let below = costs
                .iter()
                .zip(prices)
                .fold(0, |all, (cost, price)| all | (cost - price - limit));

            if below < 0 {
                for (&object, &cost) in objects.iter().zip(costs) {
                    self.consider(&mut choice, object, cost);
                }
            }
        }

        choice
    }

    /// Takes an object into account for a choice.
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

/// Dijkstra's search over alternating paths. The buffers serve all searches of a solve.
///
/// The frontier is a plain list. Looking through it costs no more than looking at the edges of a
/// person in a full matrix, whereas a heap would take a logarithm for each of them. All objects at
/// the least distance leave the frontier together.
struct Search {
    distance: Vec<i64>,
    reached_by: Vec<u32>,
    touched: Vec<u32>,
    frontier: Vec<u32>,
    ready: Vec<u32>,
    scanned: Vec<u32>,
    /// The number of edges, and of objects of the frontier, that this search looked at.
    steps: usize,
}

impl Search {
    fn new(objects: usize) -> Self {
        Self {
            distance: vec![FAR; objects],
            reached_by: vec![0; objects],
            touched: Vec::new(),
            frontier: Vec::new(),
            ready: Vec::new(),
            scanned: Vec::new(),
            steps: 0,
        }
    }

    /// Returns the nearest end from `root` and its distance, measured from a gain of 0 at the root.
    fn run(&mut self, state: &State, root: u32) -> (End, i64) {
        self.reset();

        // A person can always go without an object, at the skip price.
        let mut nearest = (End::Skip(root), state.skip);

        let (objects, costs) = state.table.of(root as usize);
        if objects.len() == state.price.len() {
            // The nearest of the free objects makes most others too far away to be noted.
            for &object in &state.free {
                self.reach(
                    state,
                    (root, 0),
                    (object, costs[object as usize]),
                    &mut nearest,
                );
            }
        }

        self.scan(state, root, 0, &mut nearest);
        while let Some(object) = self.closest(nearest.1) {
            self.scanned.push(object);

            // The person that has the object may take another one, or go without.
            if let Some(person) = state.person_of[object as usize] {
                let offset = self.distance[object as usize] - state.gain[person as usize];
                if state.skip + offset < nearest.1 {
                    nearest = (End::Skip(person), state.skip + offset);
                }

                self.scan(state, person, offset, &mut nearest);
            }
        }

        nearest
    }

    /// Looks at the edges of one person. Objects beyond the nearest end are of no interest.
    fn scan(&mut self, state: &State, person: u32, offset: i64, nearest: &mut (End, i64)) {
        let (objects, costs) = state.table.of(person as usize);
        self.steps += objects.len();
        let from = (person, offset);

        if objects.len() < state.price.len() {
            for (&object, &cost) in objects.iter().zip(costs) {
                self.reach(state, from, (object, cost), nearest);
            }
            return;
        }

        // The person has all objects. `nearer` is negative if a block has one to note.
        for start in (0..costs.len()).step_by(BLOCK) {
            let block = start..(start + BLOCK).min(costs.len());
            let limit = nearest.1 - offset;
            let (costs, prices) = (&costs[block.clone()], &state.price[block.clone()]);

            let known = &self.distance[block.clone()];
            let nearer =
                costs
                    .iter()
                    .zip(prices)
                    .zip(known)
                    .fold(0, |all, ((cost, price), known)| {
                        let length = cost - price;
                        all | ((length - limit) & (length + offset - known))
                    });

            if nearer < 0 {
                for (&object, &cost) in objects[block].iter().zip(costs) {
                    self.reach(state, from, (object, cost), nearest);
                }
            }
        }
    }

    /// Notes an object, if its distance over this person is less than was known and less than that
    /// of the nearest end.
    fn reach(
        &mut self,
        state: &State,
        (person, offset): (u32, i64),
        (object, cost): (u32, i64),
        nearest: &mut (End, i64),
    ) {
        let place = object as usize;
        let distance = cost - state.price[place] + offset;
        if distance >= nearest.1 || distance >= self.distance[place] {
            return;
        }

        let taken = state.person_of[place].is_some();
        if self.distance[place] == FAR {
            self.touched.push(object);
            if taken {
                self.frontier.push(object);
            }
        }

        self.distance[place] = distance;
        self.reached_by[place] = person;

        if !taken {
            *nearest = (End::Free(object), distance);
        }
    }

    /// Takes the closest object from the frontier, if it is closer than `limit`.
    fn closest(&mut self, limit: i64) -> Option<u32> {
        if self.ready.is_empty() {
            // One pass for the least distance, and one to extract.
            self.steps += 2 * self.frontier.len();

            let distance = &self.distance;
            let of = |object: &u32| distance[*object as usize];
            let least = self.frontier.iter().map(of).min()?;
            self.ready
                .extend(self.frontier.extract_if(.., |object| of(object) == least));
        }

        let closer = |object: &u32| self.distance[*object as usize] < limit;

        self.ready
            .last()
            .is_some_and(closer)
            .then(|| self.ready.pop())?
    }

    fn reset(&mut self) {
        for object in self.touched.drain(..) {
            self.distance[object as usize] = FAR;
        }
        self.frontier.clear();
        self.ready.clear();
        self.scanned.clear();
        self.steps = 0;
    }
}
