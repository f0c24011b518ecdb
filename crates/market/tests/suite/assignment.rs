//! Checks the assignment against the three rules of its definition (M-13): as many pairs as
//! possible, then the least total, then the tie rule of M-14.
#![expect(clippy::unwrap_used, reason = "a test's helpers may fail the test")]

use proptest::prelude::*;
use quorate_market::assignment::{
    Edge, MAX_COST, MAX_SIDE, Problem, ProblemError, ProofError, Solution, SolveError, TieKey,
    cost, solve, solve_within, verify,
};

/// A stand-in for the hash of M-14. A test that moves a pair in the matrix leaves it its key.
fn key(row: u32, column: u32) -> TieKey {
    let mut state = (u64::from(row) << 32) | u64::from(column);
    let mut key = [0; 32];
    for chunk in key.chunks_mut(8) {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = state;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        chunk.copy_from_slice(&(word ^ (word >> 31)).to_be_bytes());
    }
    key
}

#[derive(Clone, Debug)]
struct Instance {
    rows: usize,
    columns: usize,
    edges: Vec<Edge>,
}

impl Instance {
    fn problem(&self) -> Problem {
        Problem::new(self.rows, self.columns, self.edges.clone()).unwrap()
    }

    fn solve(&self) -> Solution {
        solve(&self.problem(), key).unwrap()
    }
}

fn edge(row: u32, column: u32, cost: i64) -> Edge {
    Edge { row, column, cost }
}

/// Instances of up to `side` rows and columns. Each edge is there with some chance, at a cost out
/// of `costs`.
fn instances(side: usize, costs: std::ops::RangeInclusive<i64>) -> impl Strategy<Value = Instance> {
    (0..=side, 0..=side, 1u32..=100).prop_flat_map(move |(rows, columns, percent)| {
        let cell = (0u32..100, costs.clone());
        prop::collection::vec(cell, rows * columns).prop_map(move |cells| {
            let edges = (0..rows as u32)
                .flat_map(|row| (0..columns as u32).map(move |column| (row, column)))
                .zip(cells)
                .filter(|(_, (chance, _))| *chance < percent)
                .map(|((row, column), (_, cost))| edge(row, column, cost))
                .collect();
            Instance {
                rows,
                columns,
                edges,
            }
        })
    })
}

/// Finds the best set of edges by trying all.
#[derive(Default)]
struct BruteForce {
    best: Option<(Vec<Edge>, i64, Vec<TieKey>)>,
    optima: Vec<Vec<Edge>>,
}

impl BruteForce {
    fn of(instance: &Instance) -> Self {
        let mut search = Self::default();
        search.extend(instance, 0, &mut Vec::new());
        search
    }

    fn extend(&mut self, instance: &Instance, row: u32, chosen: &mut Vec<Edge>) {
        if row as usize == instance.rows {
            self.compare(chosen);
            return;
        }
        self.extend(instance, row + 1, chosen);
        for &edge in instance.edges.iter().filter(|edge| edge.row == row) {
            if chosen.iter().all(|other| other.column != edge.column) {
                chosen.push(edge);
                self.extend(instance, row + 1, chosen);
                chosen.pop();
            }
        }
    }

    fn compare(&mut self, chosen: &[Edge]) {
        let total: i64 = chosen.iter().map(|edge| edge.cost).sum();
        let rank = (std::cmp::Reverse(chosen.len()), total);
        if let Some((best, cost, _)) = &self.best {
            let best_rank = (std::cmp::Reverse(best.len()), *cost);
            if rank > best_rank {
                return;
            }
            if rank < best_rank {
                self.best = None;
                self.optima.clear();
            }
        }
        self.optima.push(chosen.to_vec());
        let mut keys: Vec<TieKey> = chosen.iter().map(|e| key(e.row, e.column)).collect();
        keys.sort_unstable();
        if self.best.as_ref().is_none_or(|(_, _, best)| keys < *best) {
            self.best = Some((chosen.to_vec(), total, keys));
        }
    }

    /// The number of rows on which the optima differ: in the column, or in whether there is one.
    fn tied_rows(&self, rows: usize) -> usize {
        let column = |optimum: &[Edge], row: usize| {
            optimum
                .iter()
                .find(|edge| edge.row as usize == row)
                .map(|edge| edge.column)
        };
        let differs = |row: &usize| {
            let first = column(&self.optima[0], *row);
            self.optima
                .iter()
                .any(|optimum| column(optimum, *row) != first)
        };
        (0..rows).filter(differs).count()
    }
}

fn agrees_with_definition(instance: &Instance) {
    let solution = instance.solve();
    let search = BruteForce::of(instance);
    let (pairs, total, _) = search.best.as_ref().unwrap();
    assert_eq!((&solution.pairs, solution.total), (pairs, *total));
    assert_eq!(solution.tied_rows, search.tied_rows(instance.rows));
    assert_eq!(verify(&instance.problem(), &solution), Ok(()));
    // M-15: the steps that are counted never exceed the declared cost. With half of it the solver
    // finds the same solution or gives up.
    let problem = instance.problem();
    let most = cost(instance.rows, instance.columns, instance.edges.len());
    assert_eq!(solve_within(&problem, key, most).as_ref(), Ok(&solution));
    match solve_within(&problem, key, most / 2) {
        Err(error) => assert_eq!(error, SolveError::Effort),
        Ok(within) => assert_eq!(within, solution),
    }
}

/// Gives row `r` the number `rows[r]`, and renumbers the columns in the same way. Each pair keeps
/// its key, so the solution and its duals must be the same.
fn renumbered(instance: &Instance, rows: &[u32], columns: &[u32]) {
    let place = |numbers: &[u32], new| numbers.iter().position(|&n| n == new).unwrap() as u32;
    let moved = |e: &Edge| edge(rows[e.row as usize], columns[e.column as usize], e.cost);
    let edges = instance.edges.iter().map(moved).collect();
    let problem = Problem::new(instance.rows, instance.columns, edges).unwrap();
    let other = solve(&problem, |r, c| key(place(rows, r), place(columns, c))).unwrap();

    let solution = instance.solve();
    let mut pairs: Vec<Edge> = solution.pairs.iter().map(moved).collect();
    pairs.sort_unstable();
    assert_eq!(other.pairs, pairs);
    for (row, &number) in rows.iter().enumerate() {
        assert_eq!(solution.row_duals[row], other.row_duals[number as usize]);
    }
    for (column, &number) in columns.iter().enumerate() {
        assert_eq!(
            solution.column_duals[column],
            other.column_duals[number as usize]
        );
    }
}

fn numbers(count: usize) -> Vec<u32> {
    (0..count as u32).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn m13_rules_1_to_3_with_many_ties(instance in instances(5, 0..=3)) {
        agrees_with_definition(&instance);
    }

    #[test]
    fn m13_rules_1_to_3_with_negative_costs(instance in instances(5, -2..=1)) {
        agrees_with_definition(&instance);
    }

    #[test]
    fn m13_rules_1_to_3_at_the_limits_of_cost(
        mut instance in instances(5, -1..=1),
        scale in prop::sample::select(vec![MAX_COST, MAX_COST - 1]),
    ) {
        for edge in &mut instance.edges {
            edge.cost *= scale;
        }
        agrees_with_definition(&instance);
    }

    #[test]
    fn costs_across_the_whole_range_do_not_overflow(
        instance in instances(25, -MAX_COST..=MAX_COST),
    ) {
        prop_assert_eq!(verify(&instance.problem(), &instance.solve()), Ok(()));
    }

    #[test]
    fn any_order_of_edges_gives_the_same_solution(
        (instance, shuffled) in instances(12, 0..=3).prop_flat_map(|instance| {
            let edges = Just(instance.edges.clone()).prop_shuffle();
            (Just(instance), edges)
        }),
    ) {
        let other = Instance { edges: shuffled, ..instance.clone() };
        prop_assert_eq!(instance.solve(), other.solve());
    }

    #[test]
    fn transposed_gives_the_same_pairs(instance in instances(12, 0..=3)) {
        let flip = |e: &Edge| edge(e.column, e.row, e.cost);
        let flipped = instance.edges.iter().map(flip).collect();
        let problem = Problem::new(instance.columns, instance.rows, flipped).unwrap();
        let solution = solve(&problem, |row, column| key(column, row)).unwrap();
        let mut pairs: Vec<Edge> = solution.pairs.iter().map(flip).collect();
        pairs.sort_unstable();
        prop_assert_eq!(pairs, instance.solve().pairs);
    }

    #[test]
    fn renumbered_gives_the_same_pairs_and_prices(
        (instance, rows, columns) in instances(12, 0..=3).prop_flat_map(|instance| {
            let rows = Just(numbers(instance.rows)).prop_shuffle();
            let columns = Just(numbers(instance.columns)).prop_shuffle();
            (Just(instance), rows, columns)
        }),
    ) {
        renumbered(&instance, &rows, &columns);
    }

    #[test]
    fn rows_reversed_gives_the_same_pairs_and_prices(instance in instances(12, 0..=3)) {
        let reversed: Vec<u32> = (0..instance.rows as u32).rev().collect();
        renumbered(&instance, &reversed, &numbers(instance.columns));
    }

    #[test]
    fn column_duals_are_vickrey_payments(instance in instances(5, 0..=5)) {
        let problem = instance.problem();
        let solution = instance.solve();
        for pair in &solution.pairs {
            let edges = instance.edges.iter().filter(|e| e.row != pair.row).copied().collect();
            let without = Instance { edges, ..instance.clone() }.solve();
            let lost = (solution.pairs.len() - without.pairs.len()) as i64;
            let others = solution.total - pair.cost;
            let payment = without.total - others + lost * problem.skip_price();
            prop_assert_eq!(solution.column_duals[pair.column as usize], payment);
        }
    }
}

#[test]
fn m13_rules_1_to_3_on_seven_by_seven() {
    for (seed, (rows, columns)) in [(7, 7), (7, 6), (6, 7), (7, 3), (3, 7)]
        .into_iter()
        .enumerate()
    {
        let cells = (0..rows as u32).flat_map(|r| (0..columns as u32).map(move |c| (r, c)));
        let edges = cells
            .map(|(row, column)| (row, column, key(row + 100 * seed as u32, column)[9]))
            .filter(|(_, _, chance)| chance % 4 != 0)
            .map(|(row, column, chance)| edge(row, column, i64::from(chance / 4 % 3)))
            .collect();
        agrees_with_definition(&Instance {
            rows,
            columns,
            edges,
        });
    }
}

#[test]
fn m13_assigns_more_before_it_assigns_cheaper() {
    let edges = vec![edge(0, 0, 0), edge(0, 1, 1000), edge(1, 0, 1000)];
    let solution = Instance {
        rows: 2,
        columns: 2,
        edges,
    }
    .solve();
    assert_eq!((solution.pairs.len(), solution.total), (2, 2000));
}

#[test]
fn no_rows_or_no_edges_leave_all_columns_open() {
    for (rows, columns) in [(0, 0), (0, 3), (3, 0), (2, 3)] {
        let instance = Instance {
            rows,
            columns,
            edges: Vec::new(),
        };
        let solution = instance.solve();
        assert_eq!(
            (solution.pairs.len(), solution.total, solution.tied_rows),
            (0, 0, 0)
        );
        assert_eq!(verify(&instance.problem(), &solution), Ok(()));
    }
}

#[test]
fn m14_refuses_keys_that_do_not_decide() {
    let tied = Problem::new(2, 1, vec![edge(0, 0, 5), edge(1, 0, 5)]).unwrap();
    let equal = SolveError::EqualTieKeys {
        first: (0, 0),
        second: (1, 0),
    };
    assert_eq!(solve(&tied, |_, _| [7; 32]), Err(equal));
    let unique = Problem::new(2, 1, vec![edge(0, 0, 5), edge(1, 0, 6)]).unwrap();
    assert!(
        solve(&unique, |_, _| [7; 32]).is_ok(),
        "no key is asked for if nothing is tied"
    );
}

#[test]
fn problems_out_of_bounds_are_refused() {
    let large = ProblemError::TooLarge {
        rows: MAX_SIDE + 1,
        columns: 1,
    };
    assert_eq!(Problem::new(MAX_SIDE + 1, 1, Vec::new()), Err(large));
    for bad in [
        edge(0, 0, -MAX_COST - 1),
        edge(0, 0, MAX_COST + 1),
        edge(0, 0, i64::MIN),
    ] {
        let refused = ProblemError::CostOutOfRange { edge: bad };
        assert_eq!(Problem::new(1, 2, vec![bad]), Err(refused));
    }
    for bad in [edge(1, 0, 0), edge(0, 2, 0), edge(u32::MAX, 0, 0)] {
        assert_eq!(
            Problem::new(1, 2, vec![bad]),
            Err(ProblemError::Outside { edge: bad })
        );
    }
    let twice = vec![edge(0, 1, 3), edge(0, 0, 1), edge(0, 1, 2)];
    let duplicate = ProblemError::Duplicate { row: 0, column: 1 };
    assert_eq!(Problem::new(1, 2, twice), Err(duplicate));
}

#[test]
fn m15_cost_grows_with_each_size_and_saturates() {
    assert!(cost(10, 10, 100) < cost(11, 11, 100));
    assert!(cost(10, 10, 100) < cost(10, 10, 101));
    assert_eq!(cost(usize::MAX >> 2, usize::MAX >> 2, 9), u64::MAX);
}

/// A problem and its solution. There are rows too many and a column that no row can take, so that
/// each condition of the proof is needed.
fn proved() -> (Problem, Solution) {
    let edges = vec![
        edge(0, 0, 4),
        edge(0, 1, 9),
        edge(1, 0, 7),
        edge(1, 1, 9),
        edge(2, 1, 8),
    ];
    let problem = Problem::new(4, 3, edges).unwrap();
    let solution = solve(&problem, key).unwrap();
    assert_eq!(solution.pairs, [edge(0, 0, 4), edge(2, 1, 8)]);
    assert_eq!(verify(&problem, &solution), Ok(()));
    (problem, solution)
}

#[test]
fn verify_refuses_any_changed_dual() {
    let (problem, solution) = proved();
    for change in [-1, 1, i64::MIN / 2, i64::MAX / 4] {
        for place in 0..solution.row_duals.len() {
            let mut tampered = solution.clone();
            tampered.row_duals[place] += change;
            assert!(
                verify(&problem, &tampered).is_err(),
                "row dual {place} by {change}"
            );
        }
        for place in 0..solution.column_duals.len() {
            let mut tampered = solution.clone();
            tampered.column_duals[place] += change;
            assert!(
                verify(&problem, &tampered).is_err(),
                "column dual {place} by {change}"
            );
        }
    }
}

#[test]
fn verify_names_the_condition_that_fails() {
    type Tamper = fn(&mut Solution);
    let (problem, solution) = proved();
    let table: &[(Tamper, ProofError)] = &[
        (|s| s.total += 1, ProofError::Total { sum: 12, total: 13 }),
        (|s| s.pairs.reverse(), ProofError::Order(edge(0, 0, 4))),
        (
            |s| s.pairs.insert(1, edge(0, 2, 9)),
            ProofError::Order(edge(0, 2, 9)),
        ),
        (
            |s| s.pairs.insert(1, edge(1, 0, 7)),
            ProofError::ColumnTwice(edge(1, 0, 7)),
        ),
        (|s| s.pairs[1].column = 3, ProofError::NoEdge(edge(2, 3, 8))),
        (|s| s.pairs[1].column = 2, ProofError::NoEdge(edge(2, 2, 8))),
        (
            |s| s.pairs.push(edge(3, 2, 0)),
            ProofError::NoEdge(edge(3, 2, 0)),
        ),
        (
            |s| s.pairs.push(edge(u32::MAX, 2, 0)),
            ProofError::NoEdge(edge(u32::MAX, 2, 0)),
        ),
        (
            |s| s.row_duals.truncate(3),
            ProofError::DualCount {
                rows: 3,
                columns: 3,
            },
        ),
        (
            |s| s.column_duals.push(0),
            ProofError::DualCount {
                rows: 4,
                columns: 4,
            },
        ),
        (
            |s| s.row_duals[3] = -1,
            ProofError::RowDual { row: 3, dual: -1 },
        ),
        (
            |s| s.row_duals[3] = 1,
            ProofError::RowDual { row: 3, dual: 1 },
        ),
        (
            |s| s.column_duals[2] -= 1,
            ProofError::ColumnDual {
                column: 2,
                dual: 19,
            },
        ),
        (
            |s| s.row_duals[1] = 1,
            ProofError::DualInfeasible(edge(1, 0, 7)),
        ),
        (|s| s.row_duals[0] -= 1, ProofError::NotTight(edge(0, 0, 4))),
    ];
    for (tamper, error) in table {
        let mut tampered = solution.clone();
        tamper(&mut tampered);
        assert_eq!(verify(&problem, &tampered), Err(*error));
    }
}

#[test]
fn verify_refuses_duals_beyond_their_bounds_on_a_tight_pair() {
    let problem = Problem::new(1, 1, vec![edge(0, 0, 4)]).unwrap();
    let solution = solve(&problem, key).unwrap();
    let skip = problem.skip_price();
    let table = [
        (1, 3, Err(ProofError::RowDual { row: 0, dual: 1 })),
        (0, 4, Ok(())),
        (4 - skip, skip, Ok(())),
        (
            3 - skip,
            skip + 1,
            Err(ProofError::ColumnDual {
                column: 0,
                dual: skip + 1,
            }),
        ),
    ];
    for (row, column, verdict) in table {
        let (row_duals, column_duals) = (vec![row], vec![column]);
        let other = Solution {
            row_duals,
            column_duals,
            ..solution.clone()
        };
        assert_eq!(verify(&problem, &other), verdict);
    }
}

#[test]
fn verify_refuses_a_pair_at_another_cost() {
    let (problem, mut solution) = proved();
    solution.pairs[0].cost -= 1;
    solution.total -= 1;
    assert_eq!(
        verify(&problem, &solution),
        Err(ProofError::NoEdge(edge(0, 0, 3)))
    );
}

#[test]
fn verify_refuses_every_worse_assignment() {
    let (problem, solution) = proved();
    for pairs in [
        vec![],
        vec![edge(0, 0, 4)],
        vec![edge(2, 1, 8)],
        vec![edge(0, 1, 9), edge(1, 0, 7)],
        vec![edge(0, 0, 4), edge(1, 1, 9)],
        vec![edge(1, 0, 7), edge(2, 1, 8)],
    ] {
        let total = pairs.iter().map(|pair| pair.cost).sum();
        let other = Solution {
            pairs,
            total,
            ..solution.clone()
        };
        assert!(verify(&problem, &other).is_err(), "{other:?}");
    }
}
