//! Square cost matrices by formula: the same numbers here and in `compare.py`.

use quorate_market::assignment::Edge;

/// What stands for a pair that is not there, in solvers that want a full matrix: dearer than any
/// way to do without.
pub const ABSENT: i64 = 1 << 32;

/// A square matrix, row by row.
pub struct Instance {
    /// Such as `dense 200 100`: kind, side, highest cost.
    pub name: String,
    /// Rows and columns.
    pub side: usize,
    /// Costs from 1 on, or [`ABSENT`].
    pub costs: Vec<i64>,
}

/// The kinds, sides and highest costs of one run.
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
    /// `sparse` keeps one pair in ten, and the diagonal, so that all rows can be assigned.
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

    /// The pairs that are there.
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

    /// Sum of the costs of a choice of a column for each row.
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
