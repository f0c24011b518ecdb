//! Chooses between several optima: the one whose sorted tie keys come first.
//!
//! With optimal prices every optimum consists of tight edges, and cycles lead from one optimum to
//! another: a row takes a column over a tight edge, the column drops the row that had it, that row
//! takes another column, and so on. A cycle may also pass the outside, where rows of price 0 can go
//! without a column and columns at the skip price without a row. So an edge is in some optimum, but
//! not in all, exactly if its ends lie in one strongly connected component of this graph.
//!
//! The rule is greedy, and exact. Edges are tried in the order of their keys, and an edge that fits
//! together with those taken before is taken. An edge fits if it is in the matching or if a cycle
//! through it can be walked, which changes the matching. The two ends of a taken edge then leave
//! the graph. If no cycle is found, the component is split again. That happens at most once for
//! each edge taken, so all splits and walks together look at each tight edge at most
//! `3 * min(rows, columns)` times, however many ties there are.

use super::components::Components;
use super::exchange::Exchange;
use super::prices::Prices;
use super::problem::Problem;
use super::{Matching, Meter, SolveError, TieKey};

/// Exchanges `matching` for the optimum that the tie rule chooses. Returns with it the number of
/// rows that could have had another column or none.
pub(super) fn break_ties(
    problem: &Problem,
    matching: Matching,
    prices: &Prices,
    tie: impl Fn(u32, u32) -> TieKey,
    meter: &mut Meter,
) -> Result<(Matching, usize), SolveError> {
    let mut graph = Exchange::new(problem, matching, prices);
    let mut components = Components::new(&graph);

    let tied_rows = (0..problem.rows())
        .filter(|&row| components.tied(row))
        .count();

    for (_, row, column) in candidates(&graph, &components, tie)? {
        let (taker, taken) = (row as usize, graph.column(column));
        if !components.together(taker, taken) {
            continue;
        }

        if graph.matched(row, column) || graph.walk(&components, row, column) {
            // The ends of a taken edge can be in no other edge.
            components.settle(taker);
            components.settle(taken);
        } else {
            // Settled nodes have cut the cycles through this edge since the last split.
            meter.spend(components.split(&graph, taker))?;
        }

        meter.spend(graph.take_steps())?;
    }

    Ok((graph.into_matching(), tied_rows))
}

/// Returns the edges that optima differ in, sorted by their keys.
fn candidates(
    graph: &Exchange,
    components: &Components,
    tie: impl Fn(u32, u32) -> TieKey,
) -> Result<Vec<(TieKey, u32, u32)>, SolveError> {
    // An edge that is in all optima, or in none, needs no key.
    let mut candidates: Vec<(TieKey, u32, u32)> = graph
        .tight_edges()
        .filter(|&(row, column)| components.together(row as usize, graph.column(column)))
        .map(|(row, column)| (tie(row, column), row, column))
        .collect();

    candidates.sort_unstable();

    // Equal keys are neighbours now.
    for pair in candidates.windows(2) {
        let ((key, row, column), (next, other_row, other_column)) = (pair[0], pair[1]);
        if key == next {
            let (first, second) = ((row, column), (other_row, other_column));
            return Err(SolveError::EqualTieKeys { first, second });
        }
    }

    Ok(candidates)
}
