//! What every mechanism must hold to, and what each adds.
#![expect(clippy::unwrap_used, reason = "a test's helpers may fail the test")]

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use quorate_market::{Award, Bid, Bidder, Clearing, Round, Task, TieSeed, mechanism};
use quorate_types::{Amounts, Label, MechanismKind, Price, PublicKey, SwarmId, TaskId};

const KINDS: [MechanismKind; 2] = [MechanismKind::FirstPrice, MechanismKind::Assignment];

fn task_id(number: u64) -> TaskId {
    TaskId { requester: PublicKey([9; 32]), number }
}

fn agent(number: u8) -> PublicKey {
    PublicKey([number; 32])
}

fn slots(amount: i64) -> Amounts {
    Amounts::from([("slots".parse::<Label>().unwrap(), amount)])
}

/// A round in which each agent has `budgets` slots, and `offers` are (task, agent, price).
fn round(limits: &[Price], budgets: &[i64], offers: &[(u64, u8, Price)]) -> Round {
    let tasks = limits.iter().zip(0..).map(|(limit, number)| Task {
        id: task_id(number),
        demand: slots(1),
        limit: *limit,
    });
    let bidders = budgets
        .iter()
        .zip(0..)
        .map(|(budget, number)| Bidder { agent: agent(number), budget: slots(*budget) });
    let bids: BTreeSet<Bid> = offers
        .iter()
        .map(|(task, by, price)| Bid { task: task_id(*task), agent: agent(*by), price: *price })
        .collect();
    Round {
        tasks: tasks.collect(),
        bidders: bidders.collect(),
        bids: bids.into_iter().collect(),
        ties: TieSeed { swarm: SwarmId([1; 32]), market: "drones".parse().unwrap() },
    }
}

fn awards(clearing: &Clearing) -> Vec<(u64, u8, Price)> {
    clearing.awards.iter().map(|won| (won.task.number, won.agent.0[0], won.payment)).collect()
}

#[test]
fn first_price_gives_each_task_to_its_cheapest_bid_that_still_fits() {
    let first = mechanism(MechanismKind::FirstPrice);
    let table = [
        (round(&[9], &[1, 1], &[(0, 0, 5), (0, 1, 4)]), vec![(0, 1, 4)]),
        (round(&[9, 9], &[1, 1], &[(0, 0, 1), (1, 0, 1), (1, 1, 7)]), vec![(0, 0, 1), (1, 1, 7)]),
        (round(&[9, 9], &[2, 1], &[(0, 0, 1), (1, 0, 1), (1, 1, 7)]), vec![(0, 0, 1), (1, 0, 1)]),
        (round(&[3], &[1], &[(0, 0, 4)]), vec![]),
        (round(&[9], &[0], &[(0, 0, 4)]), vec![]),
        (round(&[9], &[1], &[(5, 0, 4), (0, 7, 4)]), vec![]),
    ];
    for (round, expected) in table {
        assert_eq!(awards(&first.clear(&round)), expected, "{round:?}");
    }
}

#[test]
fn optimal_assigns_most_tasks_first_and_then_at_least_cost() {
    let optimal = mechanism(MechanismKind::Assignment);
    let both = round(&[99, 99], &[1, 1], &[(0, 0, 1), (1, 0, 2), (0, 1, 50)]);
    assert_eq!(awards(&optimal.clear(&both)), [(0, 1, 50), (1, 0, 2)]);
    let one_each = round(&[9, 9], &[2], &[(0, 0, 2), (1, 0, 1)]);
    assert_eq!(awards(&optimal.clear(&one_each)), [(1, 0, 1)]);
    let limit = round(&[3], &[1], &[(0, 0, 4)]);
    assert_eq!(awards(&optimal.clear(&limit)), []);
}

#[test]
fn a_tie_goes_to_the_lesser_key_in_every_mechanism() {
    let equal = round(&[9], &[1; 5], &[(0, 0, 4), (0, 1, 4), (0, 2, 4), (0, 3, 4), (0, 4, 4)]);
    let key = |number: &u8| equal.ties.key(&task_id(0), &agent(*number));
    let expected = (0..5).min_by_key(key).unwrap();
    for kind in KINDS {
        assert_eq!(awards(&mechanism(kind).clear(&equal)), [(0, expected, 4)]);
    }
}

#[test]
fn tie_keys_differ_by_swarm_market_task_and_agent() {
    let seed = |swarm, market: &str| TieSeed {
        swarm: SwarmId([swarm; 32]),
        market: market.parse().unwrap(),
    };
    let keys = BTreeSet::from([
        seed(1, "a").key(&task_id(0), &agent(1)),
        seed(2, "a").key(&task_id(0), &agent(1)),
        seed(1, "b").key(&task_id(0), &agent(1)),
        seed(1, "a").key(&task_id(1), &agent(1)),
        seed(1, "a").key(&task_id(0), &agent(2)),
    ]);
    assert_eq!(keys.len(), 5);
}

fn rounds() -> impl Strategy<Value = Round> {
    let offers = prop::collection::btree_map((0u64..7, 0u8..7), 0i64..6, 0..40);
    (prop::collection::vec(0i64..6, 0..7), prop::collection::vec(0i64..4, 0..7), offers).prop_map(
        |(limits, budgets, offers)| {
            let offers: Vec<_> = offers.into_iter().map(|((t, a), p)| (t, a, p)).collect();
            round(&limits, &budgets, &offers)
        },
    )
}

fn check_awards(round: &Round, awards: &[Award]) -> Result<(), TestCaseError> {
    prop_assert!(awards.is_sorted_by(|a, b| a.task < b.task));
    let mut taken: BTreeMap<PublicKey, i64> = BTreeMap::new();
    for award in awards {
        let bid = Bid { task: award.task, agent: award.agent, price: award.bid };
        prop_assert!(round.bids.contains(&bid));
        let task = round.tasks.iter().find(|task| task.id == award.task).unwrap();
        prop_assert!(award.payment <= task.limit);
        *taken.entry(award.agent).or_default() += 1;
    }
    for (agent, taken) in taken {
        let bidder = round.bidders.iter().find(|bidder| bidder.agent == agent).unwrap();
        prop_assert!(bidder.budget.values().all(|budget| *budget >= taken));
    }
    Ok(())
}

proptest! {
    #[test]
    fn awards_cite_a_bid_within_limit_and_budget(round in rounds()) {
        for kind in KINDS {
            check_awards(&round, &mechanism(kind).clear(&round).awards)?;
        }
    }

    #[test]
    fn optimal_assigns_as_many_as_one_each_of_first_price(round in rounds()) {
        let mut single = round;
        for bidder in &mut single.bidders {
            bidder.budget.values_mut().for_each(|slots| *slots = (*slots).min(1));
        }
        let total = |clearing: &Clearing| {
            (clearing.awards.len(), clearing.awards.iter().map(|award| award.bid).sum::<i64>())
        };
        let (best, sum) = total(&mechanism(MechanismKind::Assignment).clear(&single));
        let (greedy, greedy_sum) = total(&mechanism(MechanismKind::FirstPrice).clear(&single));
        prop_assert!(best > greedy || (best == greedy && sum <= greedy_sum));
    }

    #[test]
    fn cost_grows_with_every_size(
        tasks in 0usize..900,
        bidders in 0usize..900,
        bids in 0usize..9000,
    ) {
        for kind in KINDS {
            let cost = |t, a, b| mechanism(kind).cost(t, a, b);
            let base = cost(tasks, bidders, bids);
            prop_assert!(base <= cost(tasks + 1, bidders, bids));
            prop_assert!(base <= cost(tasks, bidders + 1, bids));
            prop_assert!(base < cost(tasks, bidders, bids + 1));
        }
    }
}
