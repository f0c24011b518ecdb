//! A matching under way: the persons that have an object, the prices so far, and the reductions
//! that place most persons without a search.

use super::super::blocks::BLOCK;
use super::super::matching::Matching;
use super::super::prices::Prices;
use super::super::problem::EdgeTable;

/// The number of times that the reduction may look at each edge, on average. The rest is left to
/// the searches.
const REDUCTION_ROUNDS: usize = 2;

/// A distance beyond any real one (below 2^58). Adding a real one to it does not overflow.
pub(super) const FAR: i64 = 1 << 61;

/// A matching under way and its prices.
pub(super) struct PartialMatching<'a> {
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
    pub(super) fn new(table: &'a EdgeTable, objects: usize, skip: i64) -> Self {
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

    /// Returns the number of objects.
    pub(super) fn objects(&self) -> usize {
        self.price.len()
    }

    /// Returns the objects and the costs of a person's edges, and whether it has all objects.
    #[inline]
    pub(super) fn edges_of(&self, person: u32) -> (&'a [u32], &'a [i64], bool) {
        let (objects, costs) = self.table.of(person as usize);
        (objects, costs, objects.len() == self.price.len())
    }

    /// Returns the price at which a person goes without an object.
    #[inline]
    pub(super) fn skip(&self) -> i64 {
        self.skip
    }

    /// Returns the gain of a person.
    #[inline]
    pub(super) fn gain_of(&self, person: u32) -> i64 {
        self.gain[person as usize]
    }

    /// Returns the prices of all objects.
    #[inline]
    pub(super) fn prices(&self) -> &[i64] {
        &self.price
    }

    /// Returns the person that has an object.
    #[inline]
    pub(super) fn person_of(&self, object: u32) -> Option<u32> {
        self.person_of[object as usize]
    }

    /// Returns the object that a person has.
    #[inline]
    pub(super) fn object_of(&self, person: u32) -> Option<u32> {
        self.object_of[person as usize]
    }

    /// Returns the objects without a person, ascending; none before [`Self::reduce`].
    #[inline]
    pub(super) fn free(&self) -> &[u32] {
        &self.free
    }

    /// Returns the result if the persons are the columns.
    pub(super) fn into_columns_and_rows(self) -> (Matching, Prices) {
        let matching = Matching {
            column_of: self.person_of,
            row_of: self.object_of,
        };

        let prices = Prices {
            rows: self.price,
            columns: self.gain,
        };

        (matching, prices)
    }

    /// Returns the result if the persons are the rows. The prices of columns rise by `shift`, and
    /// the gains of rows fall by it.
    pub(super) fn into_rows_and_columns(self, shift: i64) -> (Matching, Prices) {
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
    pub(super) fn reduce_columns(&mut self) {
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
    pub(super) fn reduce(&mut self) -> Vec<u32> {
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

        // The searches look at these first.
        let objects = 0..self.price.len() as u32;
        self.free = objects.filter(|object| self.is_free(*object)).collect();

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

    /// Sets the gain of a person.
    pub(super) fn set_gain(&mut self, person: u32, gain: i64) {
        self.gain[person as usize] = gain;
    }

    /// Lowers the price of an object. The gain of the person that has it rises by as much, so that
    /// the pair stays tight.
    pub(super) fn lower_price(&mut self, object: u32, by: i64) {
        self.price[object as usize] -= by;

        if let Some(person) = self.person_of[object as usize] {
            self.gain[person as usize] += by;
        }
    }

    /// Takes an object off the list of those without a person.
    pub(super) fn take_free(&mut self, object: u32) {
        self.free.retain(|other| *other != object);
    }

    /// Makes a person go without an object, and returns the one that it had.
    pub(super) fn leave(&mut self, person: u32) -> Option<u32> {
        self.object_of[person as usize].take()
    }

    /// Checks whether nobody has an object.
    #[inline]
    pub(super) fn is_free(&self, object: u32) -> bool {
        self.person_of[object as usize].is_none()
    }

    /// Gives a person an object.
    pub(super) fn pair(&mut self, person: u32, object: u32) {
        self.object_of[person as usize] = Some(object);
        self.person_of[object as usize] = Some(person);
    }
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
