//! The answer to a problem, and the reasons why there is none.

use super::problem::Edge;

/// The key that decides between equally good assignments. Keys compare as big-endian numbers.
///
/// In a ledger it is a hash over swarm, market, requester, the requester's task number and agent.
pub type TieKey = [u8; 32];

/// An optimal assignment with the prices that prove it.
///
/// The prices are those of the linear program in which an open column costs
/// [`Problem::skip_price`](super::Problem::skip_price): for each edge
/// `row_duals[row] + column_duals[column] <= cost`, with equality on the chosen ones. Of all such
/// prices these are the best for the rows: `column_duals[c]` is the most that column `c` can cost.
/// This is the payment of the Vickrey-Clarke-Groves rule to its winner, unless fewer columns would
/// be assigned without that winner. Then the skip price shows through, and a reserve price must
/// take its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Solution {
    /// The chosen edges, sorted by row.
    pub pairs: Vec<Edge>,
    /// The sum of the costs of the pairs.
    pub total: i64,
    /// The dual of each row, at most 0: the gain of the row, negated. 0 if the row is not assigned.
    pub row_duals: Vec<i64>,
    /// The dual of each column, at most the skip price, and equal to it if the column is left open.
    pub column_duals: Vec<i64>,
    /// The number of rows whose column differs between optima, before the tie rule. 0 if the
    /// optimum is unique.
    pub tied_rows: usize,
}

/// The reason why a problem has no answer by the rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SolveError {
    /// Two edges have the same tie key, and optima differ in them.
    #[error("the tie rule cannot tell {first:?} and {second:?} (row, column) apart: equal keys")]
    EqualTieKeys {
        /// The row and the column of one edge.
        first: (u32, u32),
        /// The row and the column of the other edge.
        second: (u32, u32),
    },
    /// The problem takes more steps than are allowed.
    #[error("the problem takes more steps than are allowed")]
    Effort,
}
