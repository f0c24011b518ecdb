//! Checks an answer by the optimality conditions of the linear program, in one pass over the
//! edges. It shares no code with the solver and trusts nothing of the solution.
//!
//! The program: minimise the sum of the chosen costs plus `skip` for each open column, each row
//! used at most once, each column used or open. Its dual: maximise the sum of all row and column
//! duals, where `row + column <= cost` on each edge, `row <= 0`, `column <= skip`. Feasible
//! solutions of both with complementary slackness are optimal (weak duality). `skip` is computed
//! here from the definition in [`Problem::skip_price`], so the proof covers cardinality too.

use super::Solution;
use super::problem::{Edge, Problem};

/// The condition that a solution breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// Not one dual per row and column.
    #[error("{rows} row and {columns} column duals do not fit the problem")]
    DualCount {
        /// Row duals given.
        rows: usize,
        /// Column duals given.
        columns: usize,
    },
    /// Pairs are not sorted by row, or a row has two.
    #[error("{0:?} is out of order")]
    Order(Edge),
    /// A column has two pairs.
    #[error("column of {0:?} is taken twice")]
    ColumnTwice(Edge),
    /// A pair that is no edge of the problem, or not at this cost.
    #[error("{0:?} is no edge of the problem")]
    NoEdge(Edge),
    /// The total is not the sum of the costs of the pairs.
    #[error("the costs add up to {sum}, not to {total}")]
    Total {
        /// What they add up to.
        sum: i128,
        /// What the solution says.
        total: i64,
    },
    /// An edge is cheaper than its duals allow.
    #[error("the duals of {0:?} exceed its cost")]
    DualInfeasible(Edge),
    /// A chosen pair is dearer than its duals.
    #[error("the duals of {0:?} do not add up to its cost")]
    NotTight(Edge),
    /// A row's dual is above 0, or not 0 although the row has no column.
    #[error("dual {dual} of row {row}")]
    RowDual {
        /// The row.
        row: usize,
        /// Its dual.
        dual: i64,
    },
    /// A column's dual is above the skip price, or not equal to it although it is open.
    #[error("dual {dual} of column {column}")]
    ColumnDual {
        /// The column.
        column: usize,
        /// Its dual.
        dual: i64,
    },
}

/// Proves that the pairs assign as many columns as possible, at the least cost.
///
/// Does not judge the tie rule, which only solving again can do, nor `tied_rows`, nor that the
/// duals are the best for the rows.
///
/// # Errors
/// [`ProofError`] names the first condition that fails.
pub fn verify(problem: &Problem, solution: &Solution) -> Result<(), ProofError> {
    let (rows, columns) = (solution.row_duals.len(), solution.column_duals.len());
    if (rows, columns) != (problem.rows(), problem.columns()) {
        return Err(ProofError::DualCount { rows, columns });
    }
    let taken = check_pairs(problem, &solution.pairs)?;
    check_total(solution)?;
    check_edges(problem, solution)?;
    check_open(problem, solution, &taken)
}

/// Rows and columns at most once, in order. Returns which columns are taken.
fn check_pairs(problem: &Problem, pairs: &[Edge]) -> Result<Vec<bool>, ProofError> {
    let mut taken = vec![false; problem.columns()];
    let mut least_row = 0;
    for &pair in pairs {
        if pair.row < least_row {
            return Err(ProofError::Order(pair));
        }
        least_row = pair.row.saturating_add(1);
        match taken.get_mut(pair.column as usize) {
            None => return Err(ProofError::NoEdge(pair)),
            Some(true) => return Err(ProofError::ColumnTwice(pair)),
            Some(free) => *free = true,
        }
    }
    Ok(taken)
}

fn check_total(solution: &Solution) -> Result<(), ProofError> {
    let sum: i128 = solution
        .pairs
        .iter()
        .map(|pair| i128::from(pair.cost))
        .sum();
    if sum == i128::from(solution.total) {
        Ok(())
    } else {
        Err(ProofError::Total {
            sum,
            total: solution.total,
        })
    }
}

/// Each edge's duals at most its cost; each pair an edge, with equality.
fn check_edges(problem: &Problem, solution: &Solution) -> Result<(), ProofError> {
    let mut pairs = solution.pairs.iter().peekable();
    for edge in problem.edges() {
        let row = i128::from(solution.row_duals[edge.row as usize]);
        let duals = row + i128::from(solution.column_duals[edge.column as usize]);
        if duals > i128::from(edge.cost) {
            return Err(ProofError::DualInfeasible(edge));
        }
        if pairs.next_if(|pair| **pair == edge).is_some() && duals != i128::from(edge.cost) {
            return Err(ProofError::NotTight(edge));
        }
    }
    // Pairs and edges have the same order, so one that is no edge was never passed.
    pairs
        .next()
        .map_or(Ok(()), |pair| Err(ProofError::NoEdge(*pair)))
}

fn check_open(problem: &Problem, solution: &Solution, taken: &[bool]) -> Result<(), ProofError> {
    let mut used = vec![false; problem.rows()];
    for pair in &solution.pairs {
        used[pair.row as usize] = true;
    }
    for (row, (&dual, used)) in solution.row_duals.iter().zip(used).enumerate() {
        if dual > 0 || (!used && dual != 0) {
            return Err(ProofError::RowDual { row, dual });
        }
    }
    let skip = skip_by_definition(problem);
    for (column, (&dual, taken)) in solution.column_duals.iter().zip(taken).enumerate() {
        let (dual_wide, open) = (i128::from(dual), !taken);
        if dual_wide > skip || (open && dual_wide != skip) {
            return Err(ProofError::ColumnDual { column, dual });
        }
    }
    Ok(())
}

fn skip_by_definition(problem: &Problem) -> i128 {
    let costs = || problem.edges().map(|edge| i128::from(edge.cost));
    let (Some(low), Some(high)) = (costs().min(), costs().max()) else {
        return 1;
    };
    let smaller = problem.rows().min(problem.columns()) as i128;
    high + (smaller - 1) * (high - low) + 1
}
