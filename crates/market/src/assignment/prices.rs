//! Finds, among all prices that prove optimality, those that are best for the rows.
//!
//! Optimal prices form a lattice, so there is one element in which every column price is highest at
//! the same time (Demange, Gale and Sotomayor 1986). Each price rises to it by the shortest
//! distance to the column over exchanges. So the result is the same whatever optimum and optimal
//! prices the search starts from.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::Range;

use super::blocks::blocks;
use super::matching::Matching;
use super::problem::Problem;

/// The prices of rows (at most 0) and of columns (at most the skip price).
pub(super) struct Prices {
    pub(super) rows: Vec<i64>,
    pub(super) columns: Vec<i64>,
}

/// Raises the column prices as far as optimality allows.
///
/// The price of a column is held down by the skip price, by each row without a column, and by each
/// row that would otherwise leave its own column for this one. Dijkstra's algorithm runs over these
/// three bounds, on the slacks of the edges.
pub(super) fn best_for_rows(problem: &Problem, matching: &Matching, some: Prices) -> Prices {
    let mut raise = Raise::new(problem, &some);

    // Rows without a column have the price 0, and it cannot fall.
    for (row, column) in matching.column_of.iter().enumerate() {
        if column.is_none() {
            raise.relax(row, 0);
        }
    }

    // A column that cannot rise further holds down what its row would take instead.
    while let Some(Reverse((distance, column))) = raise.heap.pop() {
        // The entry is out of date: a shorter distance was found after it was pushed.
        if distance > raise.by[column as usize] {
            continue;
        }

        if let Some(row) = matching.row_of[column as usize] {
            raise.relax(row as usize, distance);
        }
    }

    raised(&some, matching, &raise.by)
}

/// Returns the prices after those of the columns have risen by these amounts.
fn raised(before: &Prices, matching: &Matching, by: &[i64]) -> Prices {
    let columns = before
        .columns
        .iter()
        .zip(by)
        .map(|(price, by)| price + by)
        .collect();

    // A row loses what its column gains.
    let lost = |column: &Option<u32>| column.map_or(0, |column| by[column as usize]);
    let rows = before
        .rows
        .iter()
        .zip(&matching.column_of)
        .map(|(price, column)| price - lost(column))
        .collect();

    Prices { rows, columns }
}

/// The amounts by which the prices of columns can rise, as far as they are known.
struct Raise<'a> {
    problem: &'a Problem,
    prices: &'a Prices,
    by: Vec<i64>,
    heap: BinaryHeap<Reverse<(i64, u32)>>,
}

impl<'a> Raise<'a> {
    fn new(problem: &'a Problem, prices: &'a Prices) -> Self {
        let skip = problem.skip_price();

        // Every column is held down by the skip price.
        let by: Vec<i64> = prices.columns.iter().map(|price| skip - price).collect();

        let heap = by
            .iter()
            .zip(0..)
            .map(|(&by, column)| Reverse((by, column)))
            .collect();

        Self {
            problem,
            prices,
            by,
            heap,
        }
    }

    /// Limits the columns of a row whose own price falls by `distance`: each can rise by that
    /// amount and the slack of its edge.
    fn relax(&mut self, row: usize, distance: i64) {
        let base = distance - self.prices.rows[row];
        let (columns, costs) = self.problem.by_row().of(row);

        if columns.len() < self.by.len() {
            self.hold_all(columns, costs, base);
            return;
        }

        // The row has all columns, but few blocks have one to hold down.
        for block in blocks(costs.len()) {
            let costs = &costs[block.clone()];

            if self.has_lower(costs, block.clone(), base) {
                self.hold_all(&columns[block], costs, base);
            }
        }
    }

    /// Checks whether one of these columns, to which the row has edges of these costs, is held down
    /// further than it was.
    #[inline]
    fn has_lower(&self, costs: &[i64], columns: Range<usize>, base: i64) -> bool {
        let prices = &self.prices.columns[columns.clone()];
        let known = &self.by[columns];
        let columns = costs.iter().zip(prices).zip(known);

        // Only the signs matter: the result is negative if the difference of some column is. A pass
        // without branches is fast.
        let lower = columns.fold(0, |all, ((cost, price), known)| {
            let by = base + cost - price;
            all | (by - known)
        });

        lower < 0
    }

    /// Notes that the price of each of these columns cannot rise above `base` and its cost.
    #[inline]
    fn hold_all(&mut self, columns: &[u32], costs: &[i64], base: i64) {
        for (&column, &cost) in columns.iter().zip(costs) {
            self.hold(column, base + cost);
        }
    }

    /// Notes that a column's price cannot rise above `price`.
    #[inline]
    fn hold(&mut self, column: u32, price: i64) {
        let place = column as usize;
        let by = price - self.prices.columns[place];
        if by < self.by[place] {
            self.by[place] = by;
            self.heap.push(Reverse((by, column)));
        }
    }
}
