//! The laws that every mechanism obeys, and the rule of each (M-12, M-18, M-19, M-20).
#![expect(clippy::unwrap_used, reason = "a test's helpers may fail the test")]

use std::collections::{BTreeMap, BTreeSet};

use crate::common::{agent, auction, task_id, winners};
use proptest::prelude::*;
use quorate_market::mechanisms::{FirstPrice, Optimal, SecondPrice, Sequential, Vcg};
use quorate_market::{
    Auction, Bid, Clearing, Mechanism, TieSeed, Winner, check_mechanisms, mechanism, mechanisms,
};
use quorate_types::genesis::GenesisError;
use quorate_types::{Market, PublicKey, SwarmId};

#[test]
fn m17_every_mechanism_is_found_by_its_name_alone() {
    let names: BTreeSet<&str> = mechanisms().iter().map(|one| one.name()).collect();
    assert_eq!(names.len(), mechanisms().len());
    for one in mechanisms() {
        let found = mechanism(&one.label()).unwrap();
        assert_eq!((found.name(), found.version()), (one.name(), one.version()));
    }
    assert!(mechanism(&"assignments".parse().unwrap()).is_none());
}

#[test]
fn m17_a_market_by_an_unknown_mechanism_is_named() {
    let market = |name: &str, mechanism: &str| Market {
        name: name.parse().unwrap(),
        reserve: None,
        trusted: false,
        attempts: 1,
        lease_ms: 1,
        solve_ms: None,
        mechanism: mechanism.parse().unwrap(),
        reveal_ms: None,
        window_ms: 1,
    };
    let known = market("jobs", "assignment");
    assert_eq!(check_mechanisms(std::slice::from_ref(&known)), Ok(()));
    let error = GenesisError::Mechanism {
        market: "drones".parse().unwrap(),
        mechanism: "coin-toss".parse().unwrap(),
    };
    assert_eq!(
        check_mechanisms(&[known, market("drones", "coin-toss")]),
        Err(error)
    );
}

#[test]
fn m12_first_price_gives_each_task_to_its_cheapest_bid_that_still_fits() {
    let table = [
        (
            auction(&[9], &[1, 1], &[(0, 0, 5), (0, 1, 4)]),
            vec![(0, 1, 4)],
        ),
        (
            auction(&[9, 9], &[1, 1], &[(0, 0, 1), (1, 0, 1), (1, 1, 7)]),
            vec![(0, 0, 1), (1, 1, 7)],
        ),
        (
            auction(&[9, 9], &[2, 1], &[(0, 0, 1), (1, 0, 1), (1, 1, 7)]),
            vec![(0, 0, 1), (1, 0, 1)],
        ),
        (auction(&[3], &[1], &[(0, 0, 4)]), vec![]),
        (auction(&[9], &[0], &[(0, 0, 4)]), vec![]),
        (auction(&[9], &[1], &[(5, 0, 4), (0, 7, 4)]), vec![]),
    ];
    for (auction, expected) in table {
        assert_eq!(
            winners(&FirstPrice.clear(&auction)),
            expected,
            "{auction:?}"
        );
    }
}

#[test]
fn m13_optimal_assigns_most_tasks_first_and_then_at_least_cost() {
    let both = auction(&[99, 99], &[1, 1], &[(0, 0, 1), (1, 0, 2), (0, 1, 50)]);
    assert_eq!(winners(&Optimal.clear(&both)), [(0, 1, 50), (1, 0, 2)]);
    let one_each = auction(&[9, 9], &[2], &[(0, 0, 2), (1, 0, 1)]);
    assert_eq!(winners(&Optimal.clear(&one_each)), [(1, 0, 1)]);
    let limit = auction(&[3], &[1], &[(0, 0, 4)]);
    assert_eq!(winners(&Optimal.clear(&limit)), []);
}

#[test]
fn m18_second_price_pays_the_next_that_fits_and_at_most_the_limit() {
    let table = [
        (
            auction(&[9], &[1, 1], &[(0, 0, 5), (0, 1, 4)]),
            vec![(0, 1, 5)],
        ),
        (auction(&[9], &[1], &[(0, 0, 5)]), vec![(0, 0, 9)]),
        (
            auction(&[6], &[1, 1], &[(0, 0, 5), (0, 1, 7)]),
            vec![(0, 0, 6)],
        ),
        (
            auction(&[9], &[1, 0], &[(0, 0, 5), (0, 1, 7)]),
            vec![(0, 0, 9)],
        ),
        // Agent 0 has won task 0 and has no slot left, so its bid sets no price for task 1.
        (
            auction(
                &[9, 9],
                &[1, 1],
                &[(0, 0, 1), (0, 1, 3), (1, 0, 2), (1, 1, 4)],
            ),
            vec![(0, 0, 3), (1, 1, 9)],
        ),
        (auction(&[3], &[1], &[(0, 0, 4)]), vec![]),
    ];
    for (auction, expected) in table {
        assert_eq!(
            winners(&SecondPrice.clear(&auction)),
            expected,
            "{auction:?}"
        );
    }
}

#[test]
fn m19_sequential_awards_the_least_price_of_all_and_nothing_else() {
    let table = [
        (
            auction(&[9, 9], &[2, 2], &[(0, 0, 5), (1, 0, 3), (1, 1, 4)]),
            vec![(1, 0, 3)],
        ),
        (
            auction(&[9, 2], &[2, 2], &[(0, 0, 5), (1, 0, 3)]),
            vec![(0, 0, 5)],
        ),
        (
            auction(&[9, 9], &[0, 2], &[(0, 0, 1), (1, 1, 3)]),
            vec![(1, 1, 3)],
        ),
        (auction(&[9], &[1], &[(5, 0, 4), (0, 7, 4)]), vec![]),
    ];
    for (auction, expected) in table {
        assert_eq!(
            winners(&Sequential.clear(&auction)),
            expected,
            "{auction:?}"
        );
    }
}

#[test]
fn m20_vcg_pays_what_a_winner_saves_and_leaves_open_what_costs_more_than_its_limit() {
    let table = [
        (
            auction(&[9], &[1, 1], &[(0, 0, 5), (0, 1, 4)]),
            vec![(0, 1, 5)],
        ),
        (auction(&[9], &[1], &[(0, 0, 5)]), vec![(0, 0, 9)]),
        (auction(&[9], &[1], &[(0, 0, 9)]), vec![(0, 0, 9)]),
        (auction(&[3], &[1], &[(0, 0, 4)]), vec![]),
        // The agent gets the task of the higher limit. The sum is 2 + 5 with it, 14 without it.
        (
            auction(&[9, 5], &[1], &[(0, 0, 2), (1, 0, 1)]),
            vec![(0, 0, 9)],
        ),
        // Without agent 0, agent 1 would take task 0 and task 1 would stay open: the sum would be
        // 3 + 9; it is 1 + 4 with agent 0.
        (
            auction(&[9, 9], &[1, 1], &[(0, 0, 1), (0, 1, 3), (1, 1, 4)]),
            vec![(0, 0, 8), (1, 1, 9)],
        ),
    ];
    for (auction, expected) in table {
        assert_eq!(winners(&Vcg.clear(&auction)), expected, "{auction:?}");
    }
}

#[test]
fn m14_a_tie_goes_to_the_lesser_key_in_every_mechanism() {
    let equal = auction(
        &[9],
        &[1; 5],
        &[(0, 0, 4), (0, 1, 4), (0, 2, 4), (0, 3, 4), (0, 4, 4)],
    );
    let key = |number: &u8| equal.ties.key(&task_id(0), &agent(*number));
    let expected = (0..5).min_by_key(key).unwrap();
    // McAfee's rule leaves out the marginal trade, which is the only one here.
    for mechanism in mechanisms().iter().filter(|one| one.name() != "mcafee") {
        let found = winners(&mechanism.clear(&equal));
        assert_eq!(found, [(0, expected, 4)], "{}", mechanism.name());
    }
}

#[test]
fn m14_tie_keys_differ_by_swarm_market_task_and_agent() {
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

fn rounds() -> impl Strategy<Value = Auction> {
    let offers = prop::collection::btree_map((0u64..7, 0u8..7), 0i64..6, 0..40);
    (
        prop::collection::vec(0i64..6, 0..7),
        prop::collection::vec(0i64..4, 0..7),
        offers,
    )
        .prop_map(|(limits, budgets, offers)| {
            let offers: Vec<_> = offers.into_iter().map(|((t, a), p)| (t, a, p)).collect();
            auction(&limits, &budgets, &offers)
        })
}

fn check_awards(auction: &Auction, winners: &[Winner]) -> Result<(), TestCaseError> {
    prop_assert!(winners.is_sorted_by(|a, b| a.task < b.task));
    let mut taken: BTreeMap<PublicKey, i64> = BTreeMap::new();
    for award in winners {
        let bid = Bid {
            task: award.task,
            agent: award.agent,
            price: award.bid,
        };
        prop_assert!(auction.bids.contains(&bid));
        let task = auction
            .tasks
            .iter()
            .find(|task| task.id == award.task)
            .unwrap();
        prop_assert!(award.bid <= award.payment);
        prop_assert!(award.payment <= award.charge);
        prop_assert!(award.charge <= task.limit);
        *taken.entry(award.agent).or_default() += 1;
    }
    for (agent, taken) in taken {
        let bidder = auction
            .bidders
            .iter()
            .find(|bidder| bidder.agent == agent)
            .unwrap();
        prop_assert!(bidder.budget.values().all(|budget| *budget >= taken));
    }
    Ok(())
}

proptest! {
    #[test]
    fn awards_cite_a_bid_within_limit_and_budget(auction in rounds()) {
        for mechanism in mechanisms() {
            check_awards(&auction, &mechanism.clear(&auction).winners)?;
        }
    }

    #[test]
    fn optimal_assigns_as_many_as_one_each_of_first_price(auction in rounds()) {
        let mut single = auction;
        for bidder in &mut single.bidders {
            bidder.budget.values_mut().for_each(|slots| *slots = (*slots).min(1));
        }
        let total = |clearing: &Clearing| {
            (clearing.winners.len(), clearing.winners.iter().map(|award| award.bid).sum::<i64>())
        };
        let (best, sum) = total(&Optimal.clear(&single));
        let (greedy, greedy_sum) = total(&FirstPrice.clear(&single));
        prop_assert!(best > greedy || (best == greedy && sum <= greedy_sum));
    }

    #[test]
    fn m15_cost_grows_with_every_size(
        tasks in 0usize..900,
        bidders in 0usize..900,
        bids in 0usize..9000,
    ) {
        for mechanism in mechanisms() {
            let cost = |t, a, b| mechanism.cost(t, a, b);
            let base = cost(tasks, bidders, bids);
            prop_assert!(base <= cost(tasks + 1, bidders, bids));
            prop_assert!(base <= cost(tasks, bidders + 1, bids));
            prop_assert!(base < cost(tasks, bidders, bids + 1));
        }
    }
}
