//! Exact minimum-cost assignment with prices that prove it.
//!
//! Rows are agents, columns are tasks, an edge is an offer. [`solve`] chooses a set of edges in
//! which no row and no column occurs twice, by three rules in this order:
//!
//! 1. as many assigned columns as possible (a market leaves no task open that somebody can do);
//! 2. among those, the least total cost;
//! 3. among those, the tie rule: sort the tie keys of the chosen edges; the set whose sorted
//!    sequence comes first, compared key by key, is the answer.
//!
//! Nothing else enters. The order in which edges arrive, a matrix that is transposed or has its
//! rows renumbered, and the path the solver took give the same pairs as long as each pair keeps
//! its key. Two edges between which the rule would have to choose must have different keys, or
//! [`SolveError::EqualTieKeys`] is returned: no hidden last resort decides.
//!
//! ```
//! use quorate_market::assignment::{Edge, Problem, solve, verify};
//!
//! // Two agents, two tasks: agent 1 can do task 1 only.
//! let edge = |row, column, cost| Edge { row, column, cost };
//! let problem = Problem::new(2, 2, vec![edge(0, 0, 7), edge(0, 1, 2), edge(1, 1, 3)])?;
//! let solution = solve(&problem, |row, column| [(2 * row + column) as u8; 32])?;
//! assert_eq!(solution.pairs, [edge(0, 0, 7), edge(1, 1, 3)]);
//! verify(&problem, &solution)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # How
//! Leaving a column open costs [`Problem::skip_price`], which is so high that one more assigned
//! column always pays: the first rule becomes a case of the second. Column reduction (where every
//! pair has an edge), augmenting row reduction and shortest augmenting paths in the manner of
//! Jonker and Volgenant (Computing 38, 1987) give one optimum (`paths`). One more pass of Dijkstra
//! gives, out of all prices that prove optimality, those that are best for the agents (`prices`).
//! They are unique, so they too do not depend on the path. Every optimum uses tight edges only,
//! those that cost exactly their prices; hence one optimum is exchanged for another along cycles of
//! tight edges, and `ties` walks these in the order of the keys (`exchange` is the graph,
//! `components` says which nodes share a cycle).
//!
//! [`verify`] checks an answer against the optimality conditions of the linear program in one
//! pass over the edges and shares no code with the solver.
//!
//! # Cost
//! See [`cost`]. Integers only: costs are within ±[`MAX_COST`], prices within ±2^56 and every sum
//! that occurs within ±2^58, so 64 bits never overflow.

mod components;
mod exchange;
mod paths;
mod prices;
mod problem;
mod proof;
mod ties;

pub use problem::{Edge, MAX_COST, MAX_EDGES, MAX_SIDE, Problem, ProblemError};
pub use proof::{ProofError, verify};

/// What decides between equally good assignments: compared as a big-endian number.
///
/// In a ledger it is a hash over swarm, market, requester, the requester's task number and agent.
pub type TieKey = [u8; 32];

/// An optimal assignment with the prices that prove it.
///
/// The prices are those of the linear program in which an open column costs
/// [`Problem::skip_price`]: for each edge `row_duals[row] + column_duals[column] <= cost`, with
/// equality on the chosen ones. Of all such prices these are the best for the rows:
/// `column_duals[c]` is the most that column `c` can cost, which is the payment of the
/// Vickrey-Clarke-Groves rule to its winner, unless the winner is one without whom fewer columns
/// would be assigned; then the skip price shows through and a reserve price must take its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Solution {
    /// The chosen edges, sorted by row.
    pub pairs: Vec<Edge>,
    /// Sum of the costs of the pairs.
    pub total: i64,
    /// One per row, at most 0: what the row gains, negated. 0 where the row is not assigned.
    pub row_duals: Vec<i64>,
    /// One per column, at most the skip price; equal to it where the column is left open.
    pub column_duals: Vec<i64>,
    /// Number of rows whose column differs between optima, before the tie rule. 0: the optimum
    /// was unique.
    pub tied_rows: usize,
}

/// Why a problem has no answer by the rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SolveError {
    /// Two edges have the same tie key and optima differ in them.
    #[error("edges {first:?} and {second:?} (row, column) have the same tie key")]
    EqualTieKeys {
        /// Row and column of one edge.
        first: (u32, u32),
        /// Row and column of the other.
        second: (u32, u32),
    },
    /// It takes more steps than were allowed.
    #[error("more steps than allowed")]
    Effort,
}

/// Steps that are left. What is counted is the same on every machine.
struct Meter(u64);

impl Meter {
    fn spend(&mut self, steps: usize) -> Result<(), SolveError> {
        self.0 = self.0.checked_sub(steps as u64).ok_or(SolveError::Effort)?;
        Ok(())
    }
}

/// Solves the problem by the three rules of the [module](self).
///
/// `tie` gives the key of an edge by row and column. It is asked at most once for an edge, and
/// only for one that is in some optimum but not in all; it must depend on its arguments only.
///
/// # Errors
/// [`SolveError::EqualTieKeys`] where `tie` does not tell two such edges apart.
pub fn solve(problem: &Problem, tie: impl Fn(u32, u32) -> TieKey) -> Result<Solution, SolveError> {
    solve_within(problem, tie, u64::MAX)
}

/// The same, unless it takes more than `steps` in the unit of [`cost`]: most problems need a small
/// part of what the worst ones of their size may take, and which do is known only by trying.
///
/// Steps are counted, not timed: all machines give up at the same one.
///
/// # Errors
/// As [`solve`], and [`SolveError::Effort`] where the steps do not suffice; they always do where
/// they are [`cost`].
pub fn solve_within(
    problem: &Problem,
    tie: impl Fn(u32, u32) -> TieKey,
    steps: u64,
) -> Result<Solution, SolveError> {
    let mut meter = Meter(steps);
    let (rows, columns) = (problem.rows(), problem.columns());
    let edges = problem
        .by_row()
        .edges()
        .saturating_add(rows)
        .saturating_add(columns);
    meter.spend(usize::try_from(once(edges as u64)).unwrap_or(usize::MAX))?;
    let (matching, some) = paths::shortest_augmenting_paths(problem, &mut meter)?;
    let prices = prices::best_for_rows(problem, &matching, some);
    let (matching, tied_rows) = ties::break_ties(problem, matching, &prices, tie, &mut meter)?;
    let pairs: Vec<Edge> = matching.pairs(problem).collect();
    let total = pairs.iter().map(|pair| pair.cost).sum();
    let prices::Prices {
        rows: row_duals,
        columns: column_duals,
    } = prices;
    Ok(Solution {
        pairs,
        total,
        row_duals,
        column_duals,
        tied_rows,
    })
}

/// Worst-case cost of [`solve`] and [`verify`] in steps of about a nanosecond.
///
/// A pure function of the three sizes, so that a block can be charged before it is executed. With
/// `s = min(rows, columns)` and `e` the edges, rows and columns together:
///
/// - each of `s` searches looks once at each edge, and for each of at most `s` persons on its way
///   twice through a list of at most `s` objects;
/// - each of `s` choices of the tie rule walks once over the tight edges and splits them once;
/// - once per edge there are a tie key (taken as 128 steps), some passes, a heap and a sort.
///
/// Saturates at `u64::MAX`. Costs drawn at random need a hundredth of it, `row * column` half.
#[must_use]
pub fn cost(rows: usize, columns: usize, edges: usize) -> u64 {
    let side = rows.min(columns) as u64;
    let edges = (edges as u64)
        .saturating_add(rows as u64)
        .saturating_add(columns as u64);
    let search = edges
        .saturating_mul(3)
        .saturating_add(side.saturating_mul(side).saturating_mul(2));
    side.saturating_mul(search).saturating_add(once(edges))
}

/// What is done once for each edge, row and column.
fn once(edges: u64) -> u64 {
    let logarithm = u64::from(edges.checked_ilog2().unwrap_or(0));
    edges.saturating_mul(128 + 12 + 2 * logarithm)
}

/// One assignment seen from both sides; `None` where a row or column is left open.
#[derive(Clone, Debug)]
struct Matching {
    column_of: Vec<Option<u32>>,
    row_of: Vec<Option<u32>>,
}

impl Matching {
    /// The edges of the matching, by row.
    fn pairs<'a>(&'a self, problem: &'a Problem) -> impl Iterator<Item = Edge> + 'a {
        self.column_of
            .iter()
            .enumerate()
            .filter_map(|(row, column)| {
                let column = (*column)?;
                let (columns, costs) = problem.by_row().of(row);
                let cost = costs[columns.binary_search(&column).ok()?];
                Some(Edge {
                    row: row as u32,
                    column,
                    cost,
                })
            })
    }
}
