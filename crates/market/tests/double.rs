//! The double auctions: prices, rationing, matching, and their laws.
#![expect(clippy::unwrap_used, reason = "a test's helpers may fail the test")]

mod common;

use std::collections::BTreeSet;

use common::{agent, slots};
use proptest::prelude::*;
use quorate_market::{
    Bid, Bidder, Clearing, McAfee, Mechanism, Round, Task, TieSeed, UniformDouble,
};
use quorate_types::{Amounts, Price, PublicKey, SwarmId, TaskId};

const TOP: Price = 6;

fn requester(number: usize) -> PublicKey {
    PublicKey([100 + number as u8; 32])
}

/// Requesters want one unit for each of their limits; sellers have an ask, and so many units.
fn market(buyers: &[Vec<Price>], sellers: &[(Price, i64)]) -> Round {
    let tasks = buyers.iter().enumerate().flat_map(|(at, limits)| {
        limits.iter().zip(0..).map(move |(limit, number)| Task {
            id: TaskId {
                requester: requester(at),
                number,
            },
            demand: slots(1),
            limit: *limit,
        })
    });
    let tasks: Vec<Task> = tasks.collect();
    let offers = |task: &Task| {
        let task = task.id;
        let asks = sellers.iter().zip(0..);
        asks.map(move |((price, _), by)| Bid {
            task,
            agent: agent(by),
            price: *price,
        })
    };
    let bids: BTreeSet<Bid> = tasks.iter().flat_map(offers).collect();
    let bidder = |((_, units), by): (&(Price, i64), u8)| Bidder {
        agent: agent(by),
        budget: slots(*units),
    };
    Round {
        bids: bids.into_iter().collect(),
        bidders: sellers.iter().zip(0..).map(bidder).collect(),
        tasks,
        solutions: Vec::new(),
        ties: TieSeed {
            swarm: SwarmId([1; 32]),
            market: "power".parse().unwrap(),
        },
    }
}

/// How many units each buyer and each seller trades.
fn traded(round: &Round, clearing: &Clearing, buyers: usize) -> (Vec<usize>, Vec<usize>) {
    let awards = &clearing.awards;
    let by = |who| {
        awards
            .iter()
            .filter(|award| award.task.requester == who)
            .count()
    };
    let of = |who| awards.iter().filter(|award| award.agent == who).count();
    let bought = (0..buyers).map(|at| by(requester(at))).collect();
    (
        bought,
        round
            .bidders
            .iter()
            .map(|bidder| of(bidder.agent))
            .collect(),
    )
}

fn prices(clearing: &Clearing) -> BTreeSet<(Price, Price)> {
    clearing
        .awards
        .iter()
        .map(|award| (award.payment, award.charge))
        .collect()
}

#[test]
fn units_at_the_margin_are_shared_in_proportion() {
    // 9 units wanted at 6; sellers of 10, 5 and 5 units at the same ask.
    let round = market(&[vec![6; 9]], &[(2, 10), (2, 5), (2, 5)]);
    let clearing = UniformDouble.clear(&round);
    let (bought, sold) = traded(&round, &clearing, 1);
    // Each has offers on 9 tasks only: 9, 5 and 5 of 19 are 4.26, 2.37 and 2.37.
    assert_eq!((bought, sold[0], sold[1] + sold[2]), (vec![9], 4, 5));
    assert_eq!(prices(&clearing), [(2, 2)].into());
    // 4 units for requesters who want 6 and 2 at the same limit.
    let round = market(&[vec![6; 6], vec![6; 2]], &[(2, 4)]);
    let clearing = UniformDouble.clear(&round);
    assert_eq!(traded(&round, &clearing, 2), (vec![3, 1], vec![4]));
    assert_eq!(prices(&clearing), [(6, 6)].into());
}

#[test]
fn the_best_trade_first() {
    let round = market(&[vec![6, 1], vec![5], vec![3]], &[(2, 1), (3, 2), (5, 1)]);
    let clearing = UniformDouble.clear(&round);
    assert_eq!(traded(&round, &clearing, 3), (vec![1, 1, 1], vec![1, 2, 0]));
    assert_eq!(prices(&clearing), [(3, 3)].into());
    // 1 and 5 are the next bid and ask: 3 lies between the ask 3 and the bid 3.
    assert_eq!(McAfee.clear(&round).awards.len(), 3);
    assert_eq!(prices(&McAfee.clear(&round)), [(3, 3)].into());
}

#[test]
fn mcafee_keeps_the_difference_from_both_sides() {
    let round = market(&[vec![6], vec![5]], &[(1, 1), (2, 1)]);
    let clearing = McAfee.clear(&round);
    assert_eq!(traded(&round, &clearing, 2), (vec![1, 0], vec![1, 0]));
    assert_eq!(prices(&clearing), [(2, 5)].into());
}

#[test]
fn only_pairs_with_an_offer_trade_and_exchanges_make_room() {
    let mut round = market(&[vec![6], vec![6], vec![6]], &[(2, 1), (2, 1), (2, 1)]);
    // Seller 0 offers on all, the others on task 0 only: two of three pairs.
    round
        .bids
        .retain(|bid| bid.agent == agent(0) || bid.task.requester == requester(0));
    let clearing = UniformDouble.clear(&round);
    assert_eq!(traded(&round, &clearing, 3).0, [1, 1, 0]);
    assert!(clearing.awards.iter().all(|award| {
        let bid = Bid {
            task: award.task,
            agent: award.agent,
            price: award.bid,
        };
        round.bids.contains(&bid)
    }));
    assert_eq!(clearing.awards[1].agent, agent(0));
}

#[test]
fn goods_share_the_budget_in_the_order_of_their_first_tasks() {
    let mut round = market(&[vec![6, 6], vec![6]], &[(2, 3)]);
    round.tasks[1].demand = slots(2);
    // One unit of the first good and one of the second take 1 + 2 of 3: the third task is of the
    // first good, which comes first.
    let clearing = UniformDouble.clear(&round);
    assert_eq!(traded(&round, &clearing, 2), (vec![1, 1], vec![2]));
    round.bidders[0].budget = Amounts::from([("slots".parse().unwrap(), 4)]);
    assert_eq!(UniformDouble.clear(&round).awards.len(), 3);
}

/// Up to 6 buyers and 6 sellers of up to three units each.
fn markets(units: usize) -> impl Strategy<Value = (Vec<Vec<Price>>, Vec<(Price, i64)>)> {
    let buyer = prop::collection::vec(0..=TOP, 1..=units);
    let seller = (0..=TOP, 1..=units as i64);
    (
        prop::collection::vec(buyer, 0..6),
        prop::collection::vec(seller, 0..6),
    )
}

/// The most a set of trades can gain: bids falling against asks rising.
fn most_gain(buyers: &[Vec<Price>], sellers: &[(Price, i64)]) -> Price {
    let mut bids: Vec<Price> = buyers.iter().flatten().copied().collect();
    let wanted = bids.len();
    let units = |(ask, units): &(Price, i64)| vec![*ask; wanted.min(*units as usize)];
    let mut asks: Vec<Price> = sellers.iter().flat_map(units).collect();
    bids.sort_unstable_by(|a, b| b.cmp(a));
    asks.sort_unstable();
    bids.iter()
        .zip(&asks)
        .map(|(bid, ask)| (bid - ask).max(0))
        .sum()
}

fn gain(round: &Round, clearing: &Clearing) -> Price {
    let limit = |task: &TaskId| {
        round
            .tasks
            .iter()
            .find(|one| one.id == *task)
            .unwrap()
            .limit
    };
    clearing
        .awards
        .iter()
        .map(|award| limit(&award.task) - award.bid)
        .sum()
}

/// What a trader of one unit gains by its true value (of a buyer) or cost (of a seller).
fn utility(clearing: &Clearing, who: PublicKey, truth: Price) -> Price {
    let each = clearing.awards.iter().map(|award| match award {
        award if award.agent == who => award.payment - truth,
        award if award.task.requester == who => truth - award.charge,
        _ => 0,
    });
    each.sum()
}

proptest! {
    #[test]
    fn uniform_has_one_price_balances_and_gains_the_most((buyers, sellers) in markets(3)) {
        let round = market(&buyers, &sellers);
        let clearing = UniformDouble.clear(&round);
        prop_assert!(prices(&clearing).len() <= 1);
        prop_assert!(clearing.awards.iter().all(|award| award.payment == award.charge));
        prop_assert_eq!(gain(&round, &clearing), most_gain(&buyers, &sellers));
    }

    #[test]
    fn mcafee_runs_no_deficit_and_loses_one_trade_at_most((buyers, sellers) in markets(3)) {
        let round = market(&buyers, &sellers);
        let clearing = McAfee.clear(&round);
        prop_assert!(clearing.awards.iter().all(|award| award.payment <= award.charge));
        let most = UniformDouble.clear(&round).awards.len();
        prop_assert!(clearing.awards.len() + 1 >= most && clearing.awards.len() <= most);
    }

    #[test]
    fn nobody_trades_at_a_loss((buyers, sellers) in markets(3), gaps in any::<[bool; 64]>()) {
        let mut round = market(&buyers, &sellers);
        let mut at = 0;
        round.bids.retain(|_| { at += 1; gaps[at % 64] });
        for mechanism in [&UniformDouble as &dyn Mechanism, &McAfee] {
            for award in mechanism.clear(&round).awards {
                let task = round.tasks.iter().find(|task| task.id == award.task).unwrap();
                let ask = sellers[award.agent.0[0] as usize].0;
                prop_assert!(ask <= award.payment && award.charge <= task.limit);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn mcafee_is_truthful_for_traders_of_one_unit((buyers, sellers) in markets(1)) {
        let honest = McAfee.clear(&market(&buyers, &sellers));
        for (at, limits) in buyers.iter().enumerate() {
            let (who, value) = (requester(at), limits[0]);
            let gained = utility(&honest, who, value);
            for told in 0..=TOP + 1 {
                let mut lied = buyers.clone();
                lied[at] = vec![told];
                let clearing = McAfee.clear(&market(&lied, &sellers));
                prop_assert!(utility(&clearing, who, value) <= gained, "buyer {at} bids {told}");
            }
        }
        for (at, (cost, _)) in sellers.iter().enumerate() {
            let who = agent(at as u8);
            let gained = utility(&honest, who, *cost);
            for told in 0..=TOP + 1 {
                let mut lied = sellers.clone();
                lied[at].0 = told;
                let clearing = McAfee.clear(&market(&buyers, &lied));
                prop_assert!(utility(&clearing, who, *cost) <= gained, "seller {at} asks {told}");
            }
        }
    }
}
