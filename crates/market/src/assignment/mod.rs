//! Exact minimum-cost assignment, with prices that prove it.
//!
//! Rows are agents, columns are tasks, and an edge is an offer. [`solve`] chooses a set of edges in
//! which no row and no column occurs twice, by three rules in this order:
//!
//! 1. as many assigned columns as possible (a market leaves no task open that somebody can do);
//! 2. among those sets, the least total cost;
//! 3. among those, the tie rule: sort the tie keys of the chosen edges; the set whose sorted
//!    sequence comes first, compared key by key, is the answer.
//!
//! Nothing else enters. The pairs stay the same if the edges arrive in another order, if the matrix
//! is transposed or its rows are renumbered, and whatever path the solver takes, as long as each
//! pair keeps its key. Two edges between which the tie rule would have to choose must have
//! different keys; otherwise the result is [`SolveError::EqualTieKeys`], because no hidden last
//! resort decides.
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
//! # How it works
//! Leaving a column open costs [`Problem::skip_price`], which is so high that one more assigned
//! column always pays. So the first rule becomes a case of the second. One optimum comes from
//! column reduction (if every pair has an edge), augmenting row reduction and shortest augmenting
//! paths, in the manner of Jonker and Volgenant (Computing 38, 1987): see `paths`. One more pass of
//! Dijkstra's algorithm gives, of all prices that prove optimality, those that are best for the
//! agents (`prices`). They are unique, so they do not depend on the path either.
//!
//! Every optimum uses only tight edges, which cost exactly the sum of their two prices. So one
//! optimum can be exchanged for another along cycles of tight edges, and `ties` walks these in the
//! order of the keys. `exchange` is the graph of exchanges, and `components` tells which nodes
//! share a cycle.
//!
//! [`verify`] checks an answer against the optimality conditions of the linear program, in one pass
//! over the edges. It shares no code with the solver.
//!
//! # Cost
//! See [`cost`]. All arithmetic is on integers: costs are within ±[`MAX_COST`], prices within
//! ±2^56 and every sum that occurs within ±2^58, so 64 bits never overflow.

mod blocks;
mod components;
mod exchange;
mod matching;
mod meter;
mod paths;
mod prices;
mod problem;
mod proof;
mod solution;
mod ties;

pub use problem::{Edge, MAX_COST, MAX_EDGES, MAX_SIDE, Problem, ProblemError};
pub use proof::{ProofError, verify};
pub use solution::{Solution, SolveError, TieKey};

use meter::Meter;

/// Solves the problem by the three rules of the [module](self).
///
/// `tie` gives the key of an edge by row and column. It is called at most once for an edge, and
/// only for an edge that is in some optimum but not in all. It must depend on its arguments only.
///
/// # Errors
/// [`SolveError::EqualTieKeys`] if `tie` gives two such edges the same key.
pub fn solve(problem: &Problem, tie: impl Fn(u32, u32) -> TieKey) -> Result<Solution, SolveError> {
    solve_within(problem, tie, u64::MAX)
}

/// Solves the problem as [`solve`] does, unless that takes more than `steps` in the unit of
/// [`cost`]. Most problems need a small part of what the worst ones of their size may take, and
/// only trying shows which ones.
///
/// Steps are counted, not timed, so all machines give up at the same one.
///
/// # Errors
/// As [`solve`], and [`SolveError::Effort`] if the steps do not suffice. If they are [`cost`], they
/// always do.
pub fn solve_within(
    problem: &Problem,
    tie: impl Fn(u32, u32) -> TieKey,
    steps: u64,
) -> Result<Solution, SolveError> {
    let mut meter = Meter::new(steps);

    // The work that is done once for each edge is charged before it is done.
    let edges = problem.by_row().edges();
    let edges = weighed_edges(problem.rows(), problem.columns(), edges);
    let once = usize::try_from(once(edges));
    meter.spend(once.unwrap_or(usize::MAX))?;

    // First any optimum, then the prices that prove it, which tell which other optima there are.
    let (matching, some) = paths::shortest_augmenting_paths(problem, &mut meter)?;
    let prices = prices::best_for_rows(problem, &matching, some);
    let (matching, tied_rows) = ties::break_ties(problem, matching, &prices, tie, &mut meter)?;

    // The prices are the same for all optima, so the tie rule does not change them.
    let pairs: Vec<Edge> = matching.pairs(problem).collect();
    let total = pairs.iter().map(|pair| pair.cost).sum();

    Ok(Solution {
        pairs,
        total,
        row_duals: prices.rows,
        column_duals: prices.columns,
        tied_rows,
    })
}

/// Returns the worst-case cost of [`solve`] and [`verify`], in steps of about a nanosecond.
///
/// It is a pure function of the three sizes, so a block can be charged before it is executed. With
/// `s = min(rows, columns)`, and with rows and columns counted among the edges:
///
/// - Each of `s` searches looks once at each edge. For each of the at most `s` persons on its way,
///   it passes twice through a list of at most `s` objects.
/// - The tie rule makes `s` choices. Each walks once over the tight edges, and splits them once.
/// - Once for each edge there are a tie key (counted as 128 steps), some passes, a heap and a sort.
///
/// The result saturates at `u64::MAX`. Costs that are drawn at random need a hundredth of it, and
/// the costs `row * column` need half.
#[must_use]
pub fn cost(rows: usize, columns: usize, edges: usize) -> u64 {
    let side = rows.min(columns) as u64;
    let edges = weighed_edges(rows, columns, edges);

    let search = edges
        .saturating_mul(3)
        .saturating_add(side.saturating_mul(side).saturating_mul(2));

    side.saturating_mul(search).saturating_add(once(edges))
}

/// Returns the number of edges that steps are counted by, in which rows and columns count as edges.
fn weighed_edges(rows: usize, columns: usize, edges: usize) -> u64 {
    (edges as u64)
        .saturating_add(rows as u64)
        .saturating_add(columns as u64)
}

/// Returns the steps of the work that is done once for each edge, row and column.
fn once(edges: u64) -> u64 {
    let logarithm = u64::from(edges.checked_ilog2().unwrap_or(0));
    edges.saturating_mul(128 + 12 + 2 * logarithm)
}
