//! A matching of rows and columns.

use super::problem::{Edge, Problem};

/// An assignment seen from both sides; `None` if a row or column is left open.
#[derive(Clone, Debug)]
pub(super) struct Matching {
    pub(super) column_of: Vec<Option<u32>>,
    pub(super) row_of: Vec<Option<u32>>,
}

impl Matching {
    /// Returns the edges of the matching, by row.
    pub(super) fn pairs<'a>(&'a self, problem: &'a Problem) -> impl Iterator<Item = Edge> + 'a {
        self.column_of
            .iter()
            .enumerate()
            .filter_map(|(row, column)| {
                // A pair is an edge, so the column is among those of the row.
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
