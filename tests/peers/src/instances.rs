//! Square cost matrices by a formula that gives the same numbers here and in `compare.py`.

use quorate_market::assignment::Edge;

/// The cost of a pair that does not exist, for solvers that need a full matrix. It is higher than
/// any assignment without such a pair.
pub const ABSENT: i64 = 1 << 32;

/// A square matrix, row by row.
pub struct Instance {
    /// The kind, the side and the highest cost, such as `dense 200 100`.
    pub name: String,
    /// The number of rows, which is that of columns.
    pub side: usize,
    /// The costs, each at least 1, or [`ABSENT`].
    pub costs: Vec<i64>,
}

/// Returns the instances of one run: each kind, with each highest cost, of each side.
pub fn all(sides: &[usize]) -> impl Iterator<Item = Instance> + '_ {
    let kinds = ["dense", "sparse"].into_iter();
    kinds.flat_map(move |kind| {
        let tops = [100, 1_000_000].into_iter();
        tops.flat_map(move |top| {
            sides
                .iter()
                .map(move |side| Instance::new(kind, *side, top))
        })
    })
}

impl Instance {
    /// Makes an instance. The kind `sparse` keeps one pair in ten, and the diagonal, so that all
    /// rows can be assigned; `dense` keeps all pairs.
    pub fn new(kind: &str, side: usize, top: u64) -> Self {
        let cost = |at: u64| (1 + mix(at) % top) as i64;
        let is_there = |at: u64| {
            let diagonal = at.is_multiple_of(side as u64 + 1);
            kind == "dense" || diagonal || mix(at ^ (1 << 40)).is_multiple_of(10)
        };
        let cells = 0..(side * side) as u64;
        let costs = cells
            .map(|at| if is_there(at) { cost(at) } else { ABSENT })
            .collect();
        Self {
            name: format!("{kind} {side} {top}"),
            side,
            costs,
        }
    }

    /// Returns the pairs that exist.
    pub fn edges(&self) -> Vec<Edge> {
        let cells = self
            .costs
            .iter()
            .enumerate()
            .filter(|(_, cost)| **cost != ABSENT);
        let edge = |(at, cost): (usize, &i64)| Edge {
            row: (at / self.side) as u32,
            column: (at % self.side) as u32,
            cost: *cost,
        };
        cells.map(edge).collect()
    }

    /// Returns the sum of the costs if each row gets the column given for it.
    pub fn total(&self, columns: impl Iterator<Item = usize>) -> i64 {
        columns
            .enumerate()
            .map(|(row, column)| self.costs[row * self.side + column])
            .sum()
    }
}

/// The finisher of splitmix64 (Steele, Lea and Flood 2014).
fn mix(at: u64) -> u64 {
    let word = (at + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}
