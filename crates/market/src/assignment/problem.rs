//! The input of the solver: which agents (rows) can do which tasks (columns), and at what cost.

/// The largest absolute value of the cost of an edge, in the caller's unit.
pub const MAX_COST: i64 = 1 << 40;
/// The most rows, and the most columns, of a problem.
pub const MAX_SIDE: usize = 1 << 14;
/// The most edges of a problem: a full matrix of 4096 by 4096.
pub const MAX_EDGES: usize = 1 << 24;

/// An offer: row `row` can take column `column` at `cost`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Edge {
    /// The index of the row, below the number of rows.
    pub row: u32,
    /// The index of the column, below the number of columns.
    pub column: u32,
    /// The cost, within ±[`MAX_COST`].
    pub cost: i64,
}

/// A checked assignment problem. Its edges are sorted by row, and in each row by column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    table: EdgeTable,
    columns: usize,
    skip_price: i64,
}

/// The reason why edges do not make a valid problem.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProblemError {
    /// There are more than [`MAX_SIDE`] rows or columns.
    #[error(
        "{rows} rows and {columns} columns are too many: at most {MAX_SIDE} of each are allowed"
    )]
    TooLarge {
        /// The number of rows asked for.
        rows: usize,
        /// The number of columns asked for.
        columns: usize,
    },
    /// There are more than [`MAX_EDGES`] edges.
    #[error("{edges} edges are too many: at most {MAX_EDGES} are allowed")]
    TooManyEdges {
        /// The number of edges given.
        edges: usize,
    },
    /// An edge names a row or column that does not exist.
    #[error("{edge:?} names a row or column that does not exist")]
    Outside {
        /// The edge that names it.
        edge: Edge,
    },
    /// An edge has a cost beyond ±[`MAX_COST`].
    #[error("{edge:?} has a cost outside of -{MAX_COST} to {MAX_COST}")]
    CostOutOfRange {
        /// The edge that has the cost.
        edge: Edge,
    },
    /// Two edges have the same row and column.
    #[error("the edge of row {row} and column {column} is given twice")]
    Duplicate {
        /// The row of both edges.
        row: u32,
        /// The column of both edges.
        column: u32,
    },
}

impl Problem {
    /// Checks the edges and sorts them. The order in which they are given does not matter.
    ///
    /// # Errors
    /// [`ProblemError`], naming the first rule that is broken.
    pub fn new(rows: usize, columns: usize, mut edges: Vec<Edge>) -> Result<Self, ProblemError> {
        if rows > MAX_SIDE || columns > MAX_SIDE {
            return Err(ProblemError::TooLarge { rows, columns });
        }

        if edges.len() > MAX_EDGES {
            return Err(ProblemError::TooManyEdges { edges: edges.len() });
        }

        for edge in &edges {
            edge.check(rows, columns)?;
        }

        edges.sort_unstable();
        check_unique(&edges)?;

        let skip_price = skip_price(rows.min(columns), &edges);
        Ok(Self {
            table: EdgeTable::by_row(rows, &edges),
            columns,
            skip_price,
        })
    }

    /// Returns the number of rows (agents).
    #[must_use]
    pub fn rows(&self) -> usize {
        self.table.len()
    }

    /// Returns the number of columns (tasks).
    #[must_use]
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Returns all edges by row, and in each row by column.
    pub fn edges(&self) -> impl Iterator<Item = Edge> + '_ {
        let rows = 0..self.rows();

        rows.flat_map(move |row| {
            let (columns, costs) = self.table.of(row);
            let edges = columns.iter().zip(costs);

            edges.map(move |(&column, &cost)| Edge {
                row: row as u32,
                column,
                cost,
            })
        })
    }

    /// Returns the cost of an open column: `high + (s - 1) * (high - low) + 1`, with the highest
    /// and the lowest cost and `s = min(rows, columns)`; 1 if there is no edge. It is below 2^56.
    ///
    /// At this price one more assigned column always pays. An augmenting path that starts from a
    /// set of `k < s` edges adds `k + 1` edges and removes `k`, so it adds at most
    /// `(k + 1) * high - k * low`, which is less.
    #[must_use]
    pub fn skip_price(&self) -> i64 {
        self.skip_price
    }

    /// Checks whether there are as many rows as columns, and an edge for each pair.
    pub(super) fn is_full_square(&self) -> bool {
        self.rows() == self.columns && self.table.edges() == self.columns * self.columns
    }

    /// Returns the edges by row.
    pub(super) fn by_row(&self) -> &EdgeTable {
        &self.table
    }
}

impl Edge {
    /// Checks that the edge names a row and a column that exist, at a cost in range.
    fn check(&self, rows: usize, columns: usize) -> Result<(), ProblemError> {
        let edge = *self;
        if edge.row as usize >= rows || edge.column as usize >= columns {
            return Err(ProblemError::Outside { edge });
        }

        if edge.cost.unsigned_abs() > MAX_COST.unsigned_abs() {
            return Err(ProblemError::CostOutOfRange { edge });
        }

        Ok(())
    }
}

/// Checks that no two of these edges, which are sorted, have the same row and column.
fn check_unique(sorted: &[Edge]) -> Result<(), ProblemError> {
    let ends = |edge: Edge| (edge.row, edge.column);

    // Equal pairs are neighbours, whatever they cost.
    let mut neighbours = sorted.windows(2);
    let twice = neighbours.find(|two| ends(two[0]) == ends(two[1]));

    let Some(two) = twice else {
        return Ok(());
    };

    // Both have the same ends.
    let (row, column) = ends(two[0]);
    Err(ProblemError::Duplicate { row, column })
}

/// Returns the cost of an open column; see [`Problem::skip_price`].
fn skip_price(side: usize, edges: &[Edge]) -> i64 {
    let low = edges.iter().map(|edge| edge.cost).min().unwrap_or(0);
    let high = edges.iter().map(|edge| edge.cost).max().unwrap_or(0);
    high + (side as i64 - 1).max(0) * (high - low) + 1
}

/// Edges grouped by one of their ends, flat and contiguous.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct EdgeTable {
    /// The index below at which each group begins, and at the end the number of edges.
    starts: Vec<usize>,
    /// The other end of each edge.
    others: Vec<u32>,
    costs: Vec<i64>,
}

impl EdgeTable {
    /// Groups sorted edges by their rows.
    fn by_row(rows: usize, sorted: &[Edge]) -> Self {
        Self {
            starts: starts_of(rows, sorted.iter().map(|edge| edge.row)),
            others: sorted.iter().map(|edge| edge.column).collect(),
            costs: sorted.iter().map(|edge| edge.cost).collect(),
        }
    }

    /// Returns the number of groups.
    pub(super) fn len(&self) -> usize {
        self.starts.len() - 1
    }

    /// Returns the number of edges.
    pub(super) fn edges(&self) -> usize {
        self.others.len()
    }

    /// Returns the other ends of the edges of group `this`, and their costs.
    pub(super) fn of(&self, this: usize) -> (&[u32], &[i64]) {
        let range = self.starts[this]..self.starts[this + 1];
        (&self.others[range.clone()], &self.costs[range])
    }

    /// Returns the same edges grouped by their other ends, of which there are `others`.
    pub(super) fn transposed(&self, others: usize) -> Self {
        let starts = starts_of(others, self.others.iter().copied());

        // The next free place of each new group.
        let mut next = starts.clone();
        let mut flipped = vec![0; self.others.len()];
        let mut costs = vec![0; self.costs.len()];

        // The groups are taken in order, so the ends in each new group ascend.
        for this in 0..self.len() {
            let (ends, values) = self.of(this);
            for (&end, &value) in ends.iter().zip(values) {
                let place = next[end as usize];
                next[end as usize] += 1;
                flipped[place] = this as u32;
                costs[place] = value;
            }
        }

        Self {
            starts,
            others: flipped,
            costs,
        }
    }
}

/// Returns the index at which each of `groups` begins if edges are sorted by group, and at the end
/// the number of edges. `members` yields the group of each edge, in any order.
pub(super) fn starts_of(groups: usize, members: impl Iterator<Item = u32>) -> Vec<usize> {
    let mut starts = vec![0; groups + 1];

    // The sizes of the groups, whose running sums are the starts.
    for group in members {
        starts[group as usize + 1] += 1;
    }
    for group in 0..groups {
        starts[group + 1] += starts[group];
    }

    starts
}
