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
use super::matching::Matching;
use super::meter::Meter;
use super::prices::Prices;
use super::problem::Problem;
use super::solution::{SolveError, TieKey};

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

    let rows = 0..problem.rows();
    let tied_rows = rows.filter(|&row| components.tied(row)).count();

    for edge in candidates(&graph, &components, tie)? {
        let taker = edge.row as usize;
        let taken = graph.column(edge.column);

        // The edges taken before may have left no cycle through this one.
        if !components.together(taker, taken) {
            continue;
        }

        if take(&mut graph, &components, edge) {
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

/// Brings an edge into the matching, if it is not there. Returns false if that is not possible.
fn take(graph: &mut Exchange, components: &Components, edge: Candidate) -> bool {
    let Candidate { row, column, .. } = edge;
    graph.matched(row, column) || graph.walk(components, row, column)
}

/// An edge that optima differ in. Candidates are ordered by their keys.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Candidate {
    key: TieKey,
    row: u32,
    column: u32,
}

impl Candidate {
    /// Returns the row and the column.
    fn ends(&self) -> (u32, u32) {
        (self.row, self.column)
    }
}

/// Returns the edges that optima differ in, sorted by their keys.
fn candidates(
    graph: &Exchange,
    components: &Components,
    tie: impl Fn(u32, u32) -> TieKey,
) -> Result<Vec<Candidate>, SolveError> {
    // An edge that is in all optima, or in none, needs no key.
    let differing = graph
        .tight_edges()
        .filter(|&(row, column)| components.together(row as usize, graph.column(column)));

    let with_key = differing.map(|(row, column)| Candidate {
        key: tie(row, column),
        row,
        column,
    });

    let mut candidates: Vec<Candidate> = with_key.collect();
    candidates.sort_unstable();
    check_keys(&candidates)?;
    Ok(candidates)
}

/// Checks that no two of these candidates, which are sorted, have the same key.
fn check_keys(sorted: &[Candidate]) -> Result<(), SolveError> {
    // Equal keys are neighbours.
    let equal = sorted.windows(2).find(|two| two[0].key == two[1].key);

    let Some(two) = equal else {
        return Ok(());
    };

    Err(SolveError::EqualTieKeys {
        first: two[0].ends(),
        second: two[1].ends(),
    })
}
