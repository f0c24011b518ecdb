//! Checks an answer against the optimality conditions of the linear program, in one pass over the
//! edges. The check shares no code with the solver, and trusts nothing in the solution.
//!
//! The program minimises the sum of the chosen costs plus `skip` for each open column, where each
//! row is used at most once and each column is used once or open. Its dual maximises the sum of all
//! row and column duals, where `row + column <= cost` on each edge, `row <= 0` and
//! `column <= skip`. Feasible solutions of both with complementary slackness are optimal (weak
//! duality). `skip` is computed here from the definition in [`Problem::skip_price`], so the proof
//! covers the number of assigned columns too.

use super::problem::{Edge, Problem};
use super::solution::Solution;

/// The condition that a solution breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// There is not one dual for each row and column.
    #[error("{rows} row and {columns} column duals: the problem needs one for each row and column")]
    DualCount {
        /// The number of row duals given.
        rows: usize,
        /// The number of column duals given.
        columns: usize,
    },
    /// Pairs are not sorted by row, or a row has two.
    #[error("{0:?} is out of order: pairs ascend by row, one for each row")]
    Order(Edge),
    /// A column has two pairs.
    #[error("the column of {0:?} is taken twice")]
    ColumnTwice(Edge),
    /// A pair is not an edge of the problem, or not at this cost.
    #[error("{0:?} is not an edge of the problem")]
    NoEdge(Edge),
    /// The total is not the sum of the costs of the pairs.
    #[error("the costs of the pairs add up to {sum}, not to the total of {total}")]
    Total {
        /// The sum of the costs.
        sum: i128,
        /// The total that the solution states.
        total: i64,
    },
    /// The duals of an edge exceed its cost.
    #[error("the duals of {0:?} exceed its cost")]
    DualInfeasible(Edge),
    /// The duals of a chosen pair are less than its cost.
    #[error("the duals of {0:?} do not add up to its cost")]
    NotTight(Edge),
    /// A row's dual is above 0, or it is not 0 although the row has no column.
    #[error("dual {dual} of row {row} is above 0, or below 0 though the row has no column")]
    RowDual {
        /// The index of the row.
        row: usize,
        /// The row's dual.
        dual: i64,
    },
    /// A column's dual is above the skip price, or it is less although the column is open.
    #[error("dual {dual} of column {column} is above the skip price, or below it though open")]
    ColumnDual {
        /// The index of the column.
        column: usize,
        /// The column's dual.
        dual: i64,
    },
}

/// Checks the proof that the pairs assign as many columns as possible, at the least cost.
///
/// It does not check the tie rule, which would take solving again, nor `tied_rows`, nor that the
/// duals are the best for the rows.
///
/// # Errors
/// [`ProofError`], naming the first condition that fails.
pub fn verify(problem: &Problem, solution: &Solution) -> Result<(), ProofError> {
    let rows = solution.row_duals.len();
    let columns = solution.column_duals.len();

    if rows != problem.rows() || columns != problem.columns() {
        return Err(ProofError::DualCount { rows, columns });
    }

    // The order matters: `check_rows` indexes by rows of pairs, which `check_edges` has checked.
    let taken = check_pairs(problem, &solution.pairs)?;
    check_total(solution)?;
    check_edges(problem, solution)?;
    check_rows(problem, solution)?;
    check_columns(problem, &solution.column_duals, &taken)
}

/// Checks that rows and columns occur at most once, and rows in order. Returns the columns taken.
fn check_pairs(problem: &Problem, pairs: &[Edge]) -> Result<Vec<bool>, ProofError> {
    let mut taken = vec![false; problem.columns()];
    let mut least_row = 0;

    for &pair in pairs {
        // Rows must ascend strictly, so none occurs twice.
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

/// Checks that the total is the sum of the costs of the pairs.
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

/// Checks that the duals of each edge are at most its cost, and that each pair is an edge whose
/// duals equal its cost.
fn check_edges(problem: &Problem, solution: &Solution) -> Result<(), ProofError> {
    let mut pairs = solution.pairs.iter().peekable();

    for edge in problem.edges() {
        let row = i128::from(solution.row_duals[edge.row as usize]);
        let column = i128::from(solution.column_duals[edge.column as usize]);
        let slack = i128::from(edge.cost) - row - column;

        // No edge costs less than its duals.
        if slack < 0 {
            return Err(ProofError::DualInfeasible(edge));
        }

        // The duals of a chosen pair must equal its cost.
        let is_chosen = pairs.next_if(|pair| **pair == edge).is_some();
        if is_chosen && slack != 0 {
            return Err(ProofError::NotTight(edge));
        }
    }

    // Pairs and edges have the same order, so a pair that is not an edge was never passed.
    pairs
        .next()
        .map_or(Ok(()), |pair| Err(ProofError::NoEdge(*pair)))
}

/// Checks that no row loses, and that a row without a column gains nothing.
fn check_rows(problem: &Problem, solution: &Solution) -> Result<(), ProofError> {
    let mut used = vec![false; problem.rows()];
    for pair in &solution.pairs {
        used[pair.row as usize] = true;
    }

    let rows = solution.row_duals.iter().zip(used);

    for (row, (&dual, used)) in rows.enumerate() {
        // A row gains what its dual is below 0.
        let gains_alone = !used && dual != 0;
        if dual > 0 || gains_alone {
            return Err(ProofError::RowDual { row, dual });
        }
    }

    Ok(())
}

/// Checks that no column costs more than the skip price, and that an open one costs exactly that.
fn check_columns(problem: &Problem, duals: &[i64], taken: &[bool]) -> Result<(), ProofError> {
    let skip = skip_by_definition(problem);

    let columns = duals.iter().zip(taken);

    for (column, (&dual, &taken)) in columns.enumerate() {
        // In 128 bits, as the skip price is computed, so that nothing overflows.
        let price = i128::from(dual);
        let is_open_for_less = !taken && price != skip;

        if price > skip || is_open_for_less {
            return Err(ProofError::ColumnDual { column, dual });
        }
    }

    Ok(())
}

/// Computes the skip price again from its definition.
fn skip_by_definition(problem: &Problem) -> i128 {
    let costs = || problem.edges().map(|edge| i128::from(edge.cost));
    let (Some(low), Some(high)) = (costs().min(), costs().max()) else {
        return 1;
    };
    let smaller = problem.rows().min(problem.columns()) as i128;
    high + (smaller - 1) * (high - low) + 1
}
