//! Finds one optimal assignment by shortest augmenting paths.
//!
//! The shorter side of the matrix are the persons, the longer one the objects. A person takes one
//! object, or stays without one at the skip price. An object that nobody takes has the price 0, and
//! all others have at most 0. The search keeps an invariant: `gain[p] + price[o] <= cost(p, o)`,
//! with equality on pairs, and `gain[p] <= skip`.

mod partial;
mod search;

use self::partial::{FAR, PartialMatching};
use self::search::{End, Nearest, Search};
use super::matching::Matching;
use super::meter::Meter;
use super::prices::Prices;
use super::problem::Problem;
use super::solution::SolveError;

/// Returns an optimal matching, and some prices that prove it.
pub(super) fn shortest_augmenting_paths(
    problem: &Problem,
    meter: &mut Meter,
) -> Result<(Matching, Prices), SolveError> {
    if problem.is_full_square() {
        full_square(problem, meter)
    } else if problem.rows() <= problem.columns() {
        rows_as_persons(problem, meter)
    } else {
        columns_as_persons(problem, meter)
    }
}

/// Solves a problem that has at most as many rows as columns.
fn rows_as_persons(problem: &Problem, meter: &mut Meter) -> Result<(Matching, Prices), SolveError> {
    let skip = problem.skip_price();
    let state = PartialMatching::new(problem.by_row(), problem.columns(), skip);
    let done = solve(state, meter)?;

    // The rows are the persons here, so the skip price is on their side. In the result it is on the
    // columns' side, because a row that is skipped costs nothing.
    Ok(done.into_rows_and_columns(skip))
}

/// Solves a problem that has more rows than columns.
fn columns_as_persons(
    problem: &Problem,
    meter: &mut Meter,
) -> Result<(Matching, Prices), SolveError> {
    let by_column = problem.by_row().transposed(problem.columns());
    let state = PartialMatching::new(&by_column, problem.rows(), problem.skip_price());
    let done = solve(state, meter)?;

    Ok(done.into_columns_and_rows())
}

/// Solves a problem in which every row can take every column and there are as many of both. All of
/// them are assigned, whatever it costs. So the search may forget skipping, and begin at any
/// prices: the least costs of the columns. In the end all prices are moved together until the
/// highest is that of a column without a row.
///
/// Prices of two objects differ by at most `high - low`, because otherwise the person at one would
/// leave it for the other. So the gains are then within the skip price.
fn full_square(problem: &Problem, meter: &mut Meter) -> Result<(Matching, Prices), SolveError> {
    // At this skip price nobody stays without an object.
    let skip = FAR / 2;
    let mut state = PartialMatching::new(problem.by_row(), problem.columns(), skip);

    state.reduce_columns();
    let done = solve(state, meter)?;

    // The highest price becomes the skip price, as that of an open column.
    let highest = done.prices().iter().max();
    let shift = highest.map_or(0, |highest| problem.skip_price() - highest);

    Ok(done.into_rows_and_columns(shift))
}

/// Places each person, and makes the prices optimal.
fn solve<'a>(
    mut state: PartialMatching<'a>,
    meter: &mut Meter,
) -> Result<PartialMatching<'a>, SolveError> {
    let mut search = Search::new(state.objects());
    let unplaced = state.reduce();

    // Each search places one person and leaves optimal prices behind.
    for person in unplaced {
        let Nearest { end, distance } = search.run(&state, person);
        meter.spend(search.steps())?;

        adopt(&mut state, &search, person, distance);
        augment(&mut state, &search, person, end);
    }

    Ok(state)
}

/// Moves the prices so that the edges of the path become tight.
fn adopt(state: &mut PartialMatching, search: &Search, root: u32, length: i64) {
    state.set_gain(root, length);

    for (object, distance) in search.scanned() {
        state.lower_price(object, length - distance);
    }
}

/// Shifts the objects along the path, from its end to the root.
fn augment(state: &mut PartialMatching, search: &Search, root: u32, end: End) {
    let mut open = match end {
        End::Free(object) => {
            state.take_free(object);
            Some(object)
        }
        End::Skip(person) => state.leave(person),
    };

    // Each person on the path takes the open object, and leaves the one that it had.
    while let Some(object) = open {
        let person = search.reached_by(object);
        open = state.object_of(person);
        state.pair(person, object);
        if person == root {
            break;
        }
    }
}
