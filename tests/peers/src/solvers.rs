//! Each solver behind one call, from prepared input to total cost.

use ndarray::Array2;
use pathfinding::matrix::Matrix;
use quorate_market::assignment::{Problem, TieKey, solve};

use crate::instances::Instance;

/// A solver with its input in its own form.
pub enum Prepared<'a> {
    /// The solver of `quorate-market`, with tie rule and dual prices.
    Ours(Problem),
    /// The crate `lapjv`, on floats.
    Lapjv(&'a Instance, Array2<f64>),
    /// `kuhn_munkres_min` of the crate `pathfinding`.
    Pathfinding(Matrix<i64>),
}

/// The names of the solvers.
pub const NAMES: [&str; 3] = ["quorate", "lapjv", "pathfinding"];

impl<'a> Prepared<'a> {
    /// Prepares an instance for the solver of this name.
    pub fn new(name: &str, instance: &'a Instance) -> Self {
        let (side, costs) = (instance.side, &instance.costs);
        match name {
            "lapjv" => {
                let floats = costs.iter().map(|cost| *cost as f64).collect();
                let matrix = Array2::from_shape_vec((side, side), floats);
                Self::Lapjv(instance, matrix.expect("side * side costs"))
            }
            "pathfinding" => {
                let matrix = Matrix::from_vec(side, side, costs.clone());
                Self::Pathfinding(matrix.expect("side * side costs"))
            }
            _ => Self::Ours(Problem::new(side, side, instance.edges()).expect("a problem")),
        }
    }

    /// Solves the instance and returns the least total cost.
    pub fn solve(&self) -> i64 {
        match self {
            Self::Ours(problem) => solve(problem, key).expect("different keys").total,
            Self::Lapjv(instance, matrix) => {
                let (columns, _) = lapjv::lapjv(matrix).expect("a solution");
                instance.total(columns.into_iter())
            }
            Self::Pathfinding(matrix) => pathfinding::kuhn_munkres::kuhn_munkres_min(matrix).0,
        }
    }
}

/// A tie key that is cheaper to compute than the hash of a ledger. Only few edges need one.
fn key(row: u32, column: u32) -> TieKey {
    let pair = (u64::from(row) << 32) | u64::from(column);
    let mut key = [0; 32];
    let mixed = (pair ^ (pair >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    key[..8].copy_from_slice(&(mixed ^ (mixed >> 32)).to_be_bytes());
    key[8..16].copy_from_slice(&pair.to_be_bytes());
    key
}
