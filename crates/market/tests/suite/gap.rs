//! Generalised assignment (M-22): against brute force, on files of the OR-Library, as a mechanism.
//!
//! The files are not part of this repository. They are looked for in the folder that `QUORATE_DATA`
//! names; if it is not set, in `../shared/data` beside the workspace. Without them the test prints
//! that it was skipped.
#![expect(clippy::unwrap_used, reason = "a test's helpers may fail the test")]

use std::path::PathBuf;

use crate::common;
use crate::common::{agent, auction, task_id};
use proptest::prelude::*;
use quorate_market::gap::{GapOffer, MAX_COST, MAX_SIDE, Problem, ProblemError, Solution, solve};
use quorate_market::mechanisms::{FirstPrice, Gap, Optimal};
use quorate_market::{
    Auction, Bid, Mechanism, Score, clearing_of, gap_effort, gap_search, mechanisms,
};
use quorate_types::Amounts;
use quorate_types::operation::Pair;

/// The number of steps, enough for every small problem.
const EFFORT: u64 = 3_000_000;

fn offer(agent: u32, job: u32, cost: i64, demand: &[i64]) -> GapOffer {
    GapOffer {
        agent,
        job,
        cost,
        demand: demand.to_vec(),
    }
}

#[derive(Debug, Clone)]
struct Instance {
    jobs: usize,
    capacities: Vec<Vec<i64>>,
    offers: Vec<GapOffer>,
}

impl Instance {
    fn solve(&self) -> Solution {
        let problem = Problem::new(self.jobs, &self.capacities, self.offers.clone()).unwrap();
        solve(&problem, EFFORT)
    }

    /// The most jobs, and the least total for so many, by trying every way.
    fn brute_force(&self) -> (usize, i64) {
        let (jobs, total) = self.extend(0, &mut self.capacities.clone());
        (jobs, total)
    }

    fn extend(&self, job: usize, left: &mut [Vec<i64>]) -> (usize, i64) {
        if job == self.jobs {
            return (0, 0);
        }
        let mut best = self.extend(job + 1, left);
        for offer in self.offers.iter().filter(|offer| offer.job as usize == job) {
            let of = offer.agent as usize;
            if offer
                .demand
                .iter()
                .zip(&left[of])
                .all(|(demand, left)| demand <= left)
            {
                take(&mut left[of], &offer.demand, -1);
                let (jobs, total) = self.extend(job + 1, left);
                take(&mut left[of], &offer.demand, 1);
                let found = (jobs + 1, total + offer.cost);
                if (std::cmp::Reverse(found.0), found.1) < (std::cmp::Reverse(best.0), best.1) {
                    best = found;
                }
            }
        }
        best
    }
}

fn take(left: &mut [i64], demand: &[i64], times: i64) {
    left.iter_mut()
        .zip(demand)
        .for_each(|(left, demand)| *left += times * demand);
}

/// Instances of up to `jobs` jobs, 4 agents and 2 dimensions.
fn instances(jobs: usize) -> impl Strategy<Value = Instance> {
    (0..=jobs, 1usize..=4, 1usize..=2).prop_flat_map(|(jobs, agents, dimensions)| {
        let amounts = |most: i64| prop::collection::vec(0..=most, dimensions);
        let capacities = prop::collection::vec(amounts(12), agents);
        let cell = (prop::bool::weighted(0.8), -9i64..=9, amounts(8));
        let cells = prop::collection::vec(cell, jobs * agents);
        (capacities, cells).prop_map(move |(capacities, cells)| {
            let offers = cells.into_iter().enumerate().filter(|(_, cell)| cell.0);
            let offers = offers.map(|(at, (_, cost, demand))| GapOffer {
                agent: (at % agents) as u32,
                job: (at / agents) as u32,
                cost,
                demand,
            });
            Instance {
                jobs,
                capacities,
                offers: offers.collect(),
            }
        })
    })
}

fn check_solution(instance: &Instance, solution: &Solution) -> Result<(), TestCaseError> {
    let mut left = instance.capacities.clone();
    for pair in &solution.pairs {
        prop_assert!(instance.offers.contains(pair));
        take(&mut left[pair.agent as usize], &pair.demand, -1);
    }
    prop_assert!(solution.pairs.is_sorted_by(|a, b| a.job < b.job));
    prop_assert!(left.iter().flatten().all(|left| *left >= 0));
    prop_assert_eq!(
        solution.total,
        solution.pairs.iter().map(|pair| pair.cost).sum::<i64>()
    );
    prop_assert!(solution.bound <= solution.total);
    prop_assert!(!solution.optimal || solution.bound == solution.total);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn small_problems_are_solved_and_proved(instance in instances(8)) {
        let solution = instance.solve();
        check_solution(&instance, &solution)?;
        prop_assert_eq!((solution.pairs.len(), solution.total), instance.brute_force());
        prop_assert!(solution.optimal);
    }

    #[test]
    fn the_order_of_offers_does_not_matter(
        (instance, shuffled) in instances(8).prop_flat_map(|instance| {
            let offers = Just(instance.offers.clone()).prop_shuffle();
            (Just(instance), offers)
        })
    ) {
        let other = Instance { offers: shuffled, ..instance.clone() };
        prop_assert_eq!(instance.solve(), other.solve());
    }

    #[test]
    fn the_bound_holds_without_effort(instance in instances(8)) {
        let problem =
            Problem::new(instance.jobs, &instance.capacities, instance.offers.clone()).unwrap();
        let solution = solve(&problem, 0);
        check_solution(&instance, &solution)?;
        let (jobs, total) = instance.brute_force();
        prop_assert!(solution.pairs.len() <= jobs);
        prop_assert!(solution.pairs.len() < jobs || solution.bound <= total);
    }
}

#[test]
fn what_is_no_problem_is_named() {
    let capacities = vec![vec![5], vec![5]];
    let table = [
        (
            vec![offer(2, 0, 1, &[1])],
            ProblemError::Outside { agent: 2, job: 0 },
        ),
        (
            vec![offer(0, 3, 1, &[1])],
            ProblemError::Outside { agent: 0, job: 3 },
        ),
        (
            vec![offer(0, 0, MAX_COST + 1, &[1])],
            ProblemError::OutOfRange(MAX_COST + 1),
        ),
        (vec![offer(0, 0, 1, &[-1])], ProblemError::OutOfRange(-1)),
        (vec![offer(0, 0, 1, &[1, 1])], ProblemError::Dimensions(2)),
        (
            vec![offer(0, 0, 1, &[1]), offer(0, 0, 2, &[1])],
            ProblemError::Duplicate { agent: 0, job: 0 },
        ),
    ];
    for (offers, expected) in table {
        assert_eq!(Problem::new(3, &capacities, offers), Err(expected));
    }
    let jobs = MAX_SIDE + 1;
    let error = ProblemError::TooLarge { agents: 2, jobs };
    assert_eq!(Problem::new(jobs, &capacities, Vec::new()), Err(error));
    let error = ProblemError::Dimensions(0);
    assert_eq!(Problem::new(1, &[vec![]], Vec::new()), Err(error));
}

#[test]
fn the_largest_numbers_are_solved() {
    let most = 1 << 40;
    let capacities = vec![vec![most], vec![most]];
    let dear = |job| {
        [
            offer(0, job, MAX_COST, &[most / 2]),
            offer(1, job, -MAX_COST, &[most]),
        ]
    };
    let offers = (0..4).flat_map(dear).collect();
    let solution = solve(&Problem::new(4, &capacities, offers).unwrap(), EFFORT);
    assert_eq!((solution.pairs.len(), solution.total), (3, MAX_COST));
    assert!(solution.optimal);
}

fn data(name: &str) -> Option<String> {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data");
    let folder = std::env::var_os("QUORATE_DATA").map_or(PathBuf::from(beside), PathBuf::from);
    let path = folder.join("gap").join(name);
    let text = std::fs::read_to_string(&path).ok();
    if text.is_none() {
        println!("skipped: no {}", path.display());
    }
    text
}

/// Reads a file of the OR-Library: agents, jobs, costs, demands, capacities. `sign` is -1 if a
/// maximum is asked for, which is the minimum of the negated costs.
fn or_library(text: &str, sign: i64) -> Instance {
    let numbers: Vec<i64> = text
        .split_whitespace()
        .map(|word| word.parse().unwrap())
        .collect();
    let (agents, jobs) = (numbers[0] as usize, numbers[1] as usize);
    let (costs, rest) = numbers[2..].split_at(agents * jobs);
    let (demands, capacities) = rest.split_at(agents * jobs);
    let offers = costs
        .iter()
        .zip(demands)
        .enumerate()
        .map(|(at, (cost, demand))| {
            offer(
                (at / jobs) as u32,
                (at % jobs) as u32,
                sign * cost,
                &[*demand],
            )
        });
    Instance {
        jobs,
        offers: offers.collect(),
        capacities: capacities.iter().map(|capacity| vec![*capacity]).collect(),
    }
}

#[test]
fn published_optima_are_reached_within_half_a_percent_and_mostly_proved() {
    let Some(bounds) = data("bounds.txt") else {
        return;
    };
    let mut proved = 0;
    for line in bounds.lines().filter(|line| !line.trim().is_empty()) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let (name, kind) = words[0].rsplit_once('_').unwrap();
        let sign = if kind == "Max" { -1 } else { 1 };
        let instance = or_library(&data(name).unwrap(), sign);
        let published = sign * words[1].parse::<i64>().unwrap();
        let solution = instance.solve();
        assert_eq!(solution.pairs.len(), instance.jobs, "{line}");
        assert!(
            (solution.total - published) * 200 <= published.abs(),
            "{line}: {}",
            solution.total
        );
        assert!(solution.bound <= published, "{line}");
        assert!(!solution.optimal || solution.total == published, "{line}");
        proved += usize::from(solution.optimal);
    }
    assert!(proved >= 30, "{proved}");
}

#[test]
fn gap_packs_budgets_where_others_give_one_task_or_go_in_order() {
    // Agent 0 has two slots and is the cheapest for each task.
    let offers = [(0, 0, 1), (1, 0, 1), (2, 0, 1), (0, 1, 2), (2, 1, 9)];
    let auction = auction(&[9; 3], &[2, 1], &offers);
    let total = |mechanism: &dyn Mechanism| {
        let score = Score::new(&auction, &mechanism.clear(&auction));
        (score.tasks.0, score.total)
    };
    assert_eq!(total(&Gap), (3, 4));
    assert_eq!(total(&FirstPrice), (3, 11));
    assert_eq!(total(&Optimal), (2, 3));
}

fn tied() -> Auction {
    auction(
        &[9; 2],
        &[1, 1],
        &[(0, 0, 4), (0, 1, 4), (1, 0, 4), (1, 1, 4)],
    )
}

fn solution(pairs: &[(u64, u8)]) -> Vec<Pair> {
    pairs
        .iter()
        .map(|&(task, by)| Pair {
            task: task_id(task),
            agent: agent(by),
        })
        .collect()
}

/// The auction with these solutions added.
fn given(auction: &Auction, solutions: &[Vec<Pair>]) -> Auction {
    Auction {
        solutions: solutions.to_vec(),
        ..auction.clone()
    }
}

/// The amount in each of so many dimensions that no other task has.
fn strange(task: usize, names: usize, amount: i64) -> Amounts {
    let name = |at| format!("x{task}.{at}").parse().unwrap();
    (0..names).map(|at| (name(at), amount)).collect()
}

#[test]
fn m22_dimensions_are_each_agents_own() {
    let mut auction = auction(&[9; 8], &[2, 1], &[(0, 0, 4), (1, 0, 4), (2, 1, 4)]);
    let plain = Gap.clear(&auction);
    assert_eq!(common::winners(&plain), [(0, 0, 4), (1, 0, 4), (2, 1, 4)]);
    // A dimension counts for an agent only if it bids on a task that demands something of it. First
    // nobody bids on these tasks; then they demand nothing.
    for task in 3..8 {
        auction.tasks[task].demand = strange(task, 16, 1);
    }
    assert_eq!(Gap.clear(&auction), plain);
    for task in 3..8 {
        auction.tasks[task].demand = strange(task, 16, 0);
    }
    auction.bids.extend((3..8).map(|task| Bid {
        task: task_id(task),
        agent: agent(1),
        price: 4,
    }));
    assert_eq!(Gap.clear(&auction).winners.len(), 8);
    // Agent 1 bids in more than 16 dimensions now: only its first offers count, up to 16 of them.
    // Nothing changes for agent 0.
    for task in 3..8 {
        auction.tasks[task].demand = strange(task, 5, 1);
        auction.bidders[1].budget.extend(strange(task, 5, 1));
    }
    let won: Vec<_> = Gap
        .clear(&auction)
        .winners
        .iter()
        .map(|won| won.task.number)
        .collect();
    assert_eq!(won, [0, 1, 2, 3, 4, 5]);
}

#[test]
fn m30_of_a_solution_counts_what_holds() {
    let auction = auction(
        &[9, 3, 9],
        &[1, 1],
        &[(0, 0, 4), (1, 0, 3), (1, 1, 4), (2, 1, 9)],
    );
    type Given = &'static [(u64, u8)];
    type Held = &'static [(u64, u8, i64)];
    let table: [(Given, Held); 8] = [
        (&[], &[]),
        (&[(0, 0)], &[(0, 0, 4)]),
        (&[(1, 0), (2, 1)], &[(1, 0, 3), (2, 1, 9)]),
        // (1, 0) is beyond what is left of the budget; the other pairs stand.
        (&[(0, 0), (1, 0), (2, 1)], &[(0, 0, 4), (2, 1, 9)]),
        // Pairs above the limit, by an unknown agent, on an unknown task, and without a bid.
        (&[(0, 0), (1, 1)], &[(0, 0, 4)]),
        (&[(0, 0), (1, 7)], &[(0, 0, 4)]),
        (&[(0, 0), (9, 1)], &[(0, 0, 4)]),
        (&[(0, 1), (2, 1)], &[(2, 1, 9)]),
    ];
    for (pairs, expected) in table {
        assert_eq!(
            common::winners(&clearing_of(&auction, &solution(pairs))),
            expected,
            "{pairs:?}"
        );
    }
    for unsorted in [[(1, 0), (0, 0)], [(1, 0), (1, 0)]] {
        let clearing = clearing_of(&auction, &solution(&unsorted));
        assert_eq!(common::winners(&clearing), [(1, 0, 3)], "{unsorted:?}");
    }
}

#[test]
fn m30_the_best_score_wins_and_the_tie_rule_decides() {
    let auction = tied();
    let (one, other) = (solution(&[(0, 0), (1, 1)]), solution(&[(0, 1), (1, 0)]));
    let half = solution(&[(0, 0)]);
    let score_of = |solution: &[Pair]| Score::new(&auction, &clearing_of(&auction, solution));
    let least = score_of(&one).min(score_of(&other));
    assert!(score_of(&half) > score_of(&one).max(score_of(&other)));
    let winner = Gap.clear(&given(&auction, &[one, other, half.clone()]));
    assert_eq!(Score::new(&auction, &winner), least);
    // Solutions that are not better, or hold in part only, do not change the result of the search.
    let beyond = solution(&[(0, 0), (1, 0)]);
    assert_eq!(
        Gap.clear(&given(&auction, &[half, beyond])),
        Gap.clear(&auction)
    );
}

#[test]
fn m30_a_better_solution_than_what_is_found_is_taken_and_named() {
    let auction = tight(20, 200);
    let found = Gap.clear(&auction);
    let better = longer(&auction);
    let half = better[..9].to_vec();
    let winner = Gap.clear(&given(
        &auction,
        &[half.clone(), better.clone(), better.clone()],
    ));
    assert!(Score::new(&auction, &winner) < Score::new(&auction, &found));
    assert_eq!(winner.solution, Some(1), "the first of those that are best");
    let won = winner.winners.iter().map(|award| Pair {
        task: award.task,
        agent: award.agent,
    });
    assert_eq!(won.collect::<Vec<_>>(), better);
    assert_eq!(Gap.clear(&given(&auction, &[half])).solution, None);
}

#[test]
fn only_a_mechanism_without_the_optimum_takes_solutions() {
    let takers = mechanisms()
        .iter()
        .filter(|one| one.about().takes_solutions);
    assert_eq!(takers.map(|one| one.name()).collect::<Vec<_>>(), ["gap"]);
}

/// An auction in which all agents bid on all tasks. Each budget is 80 % of an even share of what
/// the tasks demand together.
fn tight(agents: u8, tasks: u64) -> Auction {
    let mut roll = dice();
    let demands: Vec<i64> = (0..tasks).map(|_| roll(5, 25)).collect();
    let budget = demands.iter().sum::<i64>() * 8 / 10 / i64::from(agents);
    let mut offers = Vec::new();
    for task in 0..tasks {
        offers.extend((0..agents).map(|by| (task, by, roll(10, 50))));
    }
    let limits: Vec<i64> = demands.iter().map(|_| 99).collect();
    let mut auction = auction(&limits, &vec![budget; usize::from(agents)], &offers);
    for (task, demand) in auction.tasks.iter_mut().zip(demands) {
        task.demand = common::slots(demand);
    }
    auction
}

/// The pairs that the search finds with fifty times its effort.
fn longer(auction: &Auction) -> Vec<Pair> {
    let found = gap_search(auction, 50 * gap_effort(auction.bids.len()));
    found
        .winners
        .iter()
        .map(|won| Pair {
            task: won.task,
            agent: won.agent,
        })
        .collect()
}

fn dice() -> impl FnMut(i64, i64) -> i64 {
    let mut state = 88_172_645_463_325_252_u64;
    move |low, high| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        low + (state % (high - low + 1) as u64) as i64
    }
}

/// An instance of type C of the literature, in which demand and cost are independent, or of type D
/// if `is_correlated`: the dearer an offer, the less it demands. Capacities are 80 % of an even
/// share.
fn generated(agents: usize, jobs: usize, is_correlated: bool) -> Instance {
    let mut roll = dice();
    let mut offers = Vec::new();
    let mut wanted = vec![0; agents];
    for at in 0..agents * jobs {
        let demand = if is_correlated {
            roll(1, 100)
        } else {
            roll(5, 25)
        };
        let cost = if is_correlated {
            111 - demand + roll(-10, 10)
        } else {
            roll(10, 50)
        };
        wanted[at / jobs] += demand;
        offers.push(offer(
            (at / jobs) as u32,
            (at % jobs) as u32,
            cost,
            &[demand],
        ));
    }
    let capacities = wanted
        .iter()
        .map(|sum| vec![sum * 8 / 10 / agents as i64])
        .collect();
    Instance {
        jobs,
        capacities,
        offers,
    }
}

#[test]
fn hard_types_come_near_to_their_bound() {
    for (is_correlated, permille) in [(false, 15), (true, 20)] {
        let instance = generated(10, 100, is_correlated);
        let solution = instance.solve();
        assert_eq!(solution.pairs.len(), instance.jobs);
        let gap = solution.total - solution.bound;
        assert!(
            gap * 1000 <= permille * solution.bound,
            "{} {}",
            solution.total,
            solution.bound
        );
    }
}
