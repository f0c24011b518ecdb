//! Runs the solver on the assignment problems of the OR-Library, whose optima are published.
//!
//! The files are not part of this repository. They are looked for in the folder that `QUORATE_DATA`
//! names; if it is not set, in `../shared/data` beside the workspace. Without them each test prints
//! that it was skipped.
#![expect(clippy::unwrap_used, reason = "a test's helpers may fail the test")]

use std::path::PathBuf;

use quorate_market::assignment::{Edge, Problem, Solution, TieKey, cost, solve, verify};

const DENSE: [(&str, i64); 4] = [
    ("assign100", 305),
    ("assign200", 475),
    ("assign300", 626),
    ("assign400", 804),
];
const SPARSE: (&str, i64) = ("assignp800", 2239);

/// A stand-in for the hash of M-14. A test that moves a pair in the matrix leaves it its key.
fn key(row: u32, column: u32) -> TieKey {
    let pair = (u64::from(row) << 32) | u64::from(column);
    let mut key = [0; 32];
    let mixed = (pair ^ (pair >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 32)).wrapping_mul(0x94d0_49bb_1331_11eb);
    key[..8].copy_from_slice(&(mixed ^ (mixed >> 29)).to_be_bytes());
    key[8..16].copy_from_slice(&pair.to_be_bytes());
    key
}

fn numbers_of(name: &str) -> Option<Vec<i64>> {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data");
    let folder = std::env::var_os("QUORATE_DATA").map_or(PathBuf::from(beside), PathBuf::from);
    let path = folder.join("assignment").join(name).with_extension("txt");
    let Ok(text) = std::fs::read_to_string(&path) else {
        println!("skipped: no {}", path.display());
        return None;
    };
    Some(
        text.split_whitespace()
            .map(|word| word.parse().unwrap())
            .collect(),
    )
}

fn dense(name: &str) -> Option<(usize, Vec<Edge>)> {
    let numbers = numbers_of(name)?;
    let side = numbers[0] as usize;
    assert_eq!(numbers.len(), 1 + side * side);
    let place = |at: usize| ((at / side) as u32, (at % side) as u32);
    let edges = numbers[1..].iter().enumerate().map(|(at, &cost)| {
        let (row, column) = place(at);
        Edge { row, column, cost }
    });
    Some((side, edges.collect()))
}

fn sparse(name: &str) -> Option<(usize, Vec<Edge>)> {
    let numbers = numbers_of(name)?;
    let edges = numbers[1..].chunks(3).map(|line| Edge {
        row: line[0] as u32 - 1,
        column: line[1] as u32 - 1,
        cost: line[2],
    });
    Some((numbers[0] as usize, edges.collect()))
}

fn all() -> impl Iterator<Item = (&'static str, i64, usize, Vec<Edge>)> {
    let dense = DENSE.iter().filter_map(|&(name, optimum)| {
        dense(name).map(|(side, edges)| (name, optimum, side, edges))
    });
    let (name, optimum) = SPARSE;
    dense.chain(sparse(name).map(|(side, edges)| (name, optimum, side, edges)))
}

fn flipped(edges: &[Edge]) -> Vec<Edge> {
    let mut edges: Vec<Edge> = edges
        .iter()
        .map(|e| Edge {
            row: e.column,
            column: e.row,
            cost: e.cost,
        })
        .collect();
    edges.sort_unstable();
    edges
}

fn row_reversed(side: usize, edges: &[Edge]) -> Vec<Edge> {
    let mut edges: Vec<Edge> = edges
        .iter()
        .map(|e| Edge {
            row: side as u32 - 1 - e.row,
            ..*e
        })
        .collect();
    edges.sort_unstable();
    edges
}

#[test]
fn published_optima_are_reached_and_proved() {
    for (name, optimum, side, edges) in all() {
        let problem = Problem::new(side, side, edges).unwrap();
        let solution = solve(&problem, key).unwrap();
        assert_eq!(
            (solution.pairs.len(), solution.total),
            (side, optimum),
            "{name}"
        );
        assert_eq!(verify(&problem, &solution), Ok(()), "{name}");
    }
}

#[test]
fn orientation_does_not_change_who_wins() {
    for (name, _, side, edges) in all() {
        let problem = Problem::new(side, side, edges.clone()).unwrap();
        let solution = solve(&problem, key).unwrap();

        let transposed = Problem::new(side, side, flipped(&edges)).unwrap();
        let other = solve(&transposed, |row, column| key(column, row)).unwrap();
        assert_eq!(flipped(&other.pairs), solution.pairs, "{name} transposed");

        let reversed = Problem::new(side, side, row_reversed(side, &edges)).unwrap();
        let last = side as u32 - 1;
        let other = solve(&reversed, |row, column| key(last - row, column)).unwrap();
        assert_eq!(
            row_reversed(side, &other.pairs),
            solution.pairs,
            "{name} rows reversed"
        );
        assert_eq!(
            other.column_duals, solution.column_duals,
            "{name} rows reversed"
        );
        assert_eq!(other.tied_rows, solution.tied_rows, "{name} rows reversed");
    }
}

/// An optimum is the first by its keys (M-14) if and only if no cycle of tight edges has its
/// smallest key on an edge that would come in. Such a cycle would improve the sequence of keys.
#[test]
fn no_exchange_improves_the_keys() {
    for (name, _, side, edges) in all() {
        let problem = Problem::new(side, side, edges).unwrap();
        let solution = solve(&problem, key).unwrap();
        let tight = tight_edges(&problem, &solution);
        let mut row_of = vec![0; side];
        for pair in &solution.pairs {
            row_of[pair.column as usize] = pair.row;
        }
        for &(row, column) in &tight {
            if row_of[column as usize] != row {
                let improves = cycle_above(&tight, &row_of, row, column);
                assert!(!improves, "{name}: row {row} could have column {column}");
            }
        }
    }
}

fn tight_edges(problem: &Problem, solution: &Solution) -> Vec<(u32, u32)> {
    let dual =
        |e: &Edge| solution.row_duals[e.row as usize] + solution.column_duals[e.column as usize];
    problem
        .edges()
        .filter(|e| dual(e) == e.cost)
        .map(|e| (e.row, e.column))
        .collect()
}

/// Returns whether `row` can take `column` in an exchange in which all other edges have greater
/// keys. All rows and columns are assigned here, so no exchange ends at a free one.
fn cycle_above(tight: &[(u32, u32)], row_of: &[u32], row: u32, column: u32) -> bool {
    let least = key(row, column);
    let mut reached = vec![false; row_of.len()];
    let mut columns = vec![column];
    while let Some(column) = columns.pop() {
        let dropped = row_of[column as usize];
        if key(dropped, column) < least {
            continue;
        }
        if dropped == row {
            return true;
        }
        if std::mem::replace(&mut reached[dropped as usize], true) {
            continue;
        }
        let from = tight.partition_point(|&(row, _)| row < dropped);
        let taken = tight[from..].iter().take_while(|&&(row, _)| row == dropped);
        columns.extend(
            taken
                .filter(|&&(r, c)| key(r, c) > least)
                .map(|&(_, column)| column),
        );
    }
    false
}

/// The values of `golden.json`: with the first 50 columns of assign100 the least total is 127, and
/// the payments sum to 201.
#[test]
fn vickrey_payments_of_the_first_fifty_columns_of_assign100() {
    let Some((side, mut edges)) = dense("assign100") else {
        return;
    };
    edges.retain(|edge| edge.column < 50);
    let solution = solve(&Problem::new(side, 50, edges).unwrap(), key).unwrap();
    assert_eq!(
        (solution.total, solution.column_duals.iter().sum::<i64>()),
        (127, 201)
    );
}

/// Prints how long it takes to solve and to check. Run it with
/// `--release -- --ignored --nocapture`.
#[test]
#[ignore = "a measurement, not a check"]
fn speed() {
    println!("problem                  new ms   solve  verify   tied  of worst case in ns");
    for (name, _, side, edges) in all() {
        measure(name, (side, side), &edges);
    }
    for side in [100, 200, 400, 800] {
        let sides = (side, side);
        measure(
            "costs 1 to 100",
            sides,
            &cells(sides, |_, _, r| 1 + r % 100),
        );
        measure(
            "costs 1 to 1e9",
            sides,
            &cells(sides, |_, _, r| 1 + r % 1_000_000_000),
        );
        measure("all equal", sides, &cells(sides, |_, _, _| 1));
        measure("two costs", sides, &cells(sides, |_, _, r| r % 2));
        measure(
            "row times column",
            sides,
            &cells(sides, |row, column, _| row * column),
        );
        measure(
            "row plus column",
            sides,
            &cells(sides, |row, column, _| row + column),
        );
        measure(
            "difference",
            sides,
            &cells(sides, |row, column, _| row.abs_diff(column)),
        );
    }
    for sides in [(1024, 1024), (100, 1000), (1000, 100), (1000, 900)] {
        measure(
            "costs 1 to 100",
            sides,
            &cells(sides, |_, _, r| 1 + r % 100),
        );
    }
    let mut edges = cells((800, 800), |_, _, r| 1 + r % 100);
    edges.retain(|edge| edge.row < 400 || edge.column < 200);
    measure("200 must stay open", (800, 800), &edges);
    edges.retain(|edge| (edge.row + 7 * edge.column) % 50 == 0);
    measure("one in 50", (800, 800), &edges);
}

fn measure(name: &str, sides: (usize, usize), edges: &[Edge]) {
    let mut best = [f64::MAX; 3];
    let mut tied = 0;
    for _ in 0..3 {
        let edges = edges.to_vec();
        let start = now();
        let problem = Problem::new(sides.0, sides.1, edges).unwrap();
        let built = start.elapsed();
        let solution = solve(&problem, key).unwrap();
        let solved = start.elapsed();
        verify(&problem, &solution).unwrap();
        let times = [built, solved - built, start.elapsed() - solved];
        for (best, time) in best.iter_mut().zip(times) {
            *best = best.min(time.as_secs_f64() * 1e3);
        }
        tied = solution.tied_rows;
    }
    let [new, solve, verify] = best;
    let share = 1e6 * (solve + verify) / cost(sides.0, sides.1, edges.len()) as f64;
    let name = format!("{name} {}x{}", sides.0, sides.1);
    println!("{name:<24} {new:6.2} {solve:7.2} {verify:7.2} {tied:6}  {share:.5}");
}

#[expect(clippy::disallowed_methods, reason = "a measurement needs a clock")]
fn now() -> std::time::Instant {
    std::time::Instant::now()
}

/// A full matrix. `cost` gives each cost from the row, the column and a pseudo-random number.
fn cells(sides: (usize, usize), cost: impl Fn(u64, u64, u64) -> u64) -> Vec<Edge> {
    let mut state = 88_172_645_463_325_252_u64;
    let mut edges = Vec::with_capacity(sides.0 * sides.1);
    for row in 0..sides.0 as u32 {
        for column in 0..sides.1 as u32 {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let cost = cost(row.into(), column.into(), state) as i64;
            edges.push(Edge { row, column, cost });
        }
    }
    edges
}
