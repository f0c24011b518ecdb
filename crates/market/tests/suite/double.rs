//! The double auctions (M-21): prices, rationing, matching, and their laws.
#![expect(clippy::unwrap_used, reason = "a test's helpers may fail the test")]

use std::collections::BTreeSet;

use crate::common::{agent, slots};
use proptest::prelude::*;
use quorate_market::mechanisms::{McAfee, UniformDouble};
use quorate_market::{Auction, Bid, Bidder, Clearing, Mechanism, Task, TieSeed};
use quorate_types::{Amounts, Price, PublicKey, SwarmId, TaskId};

const TOP: Price = 6;

fn requester(number: usize) -> PublicKey {
    PublicKey([100 + number as u8; 32])
}

/// An auction in which each requester wants one unit for each of its limits, and each seller has an
/// ask and a number of units.
fn market(buyers: &[Vec<Price>], sellers: &[(Price, i64)]) -> Auction {
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
    Auction {
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

/// The number of units that each buyer and each seller trades.
fn traded(auction: &Auction, clearing: &Clearing, buyers: usize) -> (Vec<usize>, Vec<usize>) {
    let winners = &clearing.winners;
    let by = |who| {
        winners
            .iter()
            .filter(|award| award.task.requester == who)
            .count()
    };
    let of = |who| winners.iter().filter(|award| award.agent == who).count();
    let bought = (0..buyers).map(|at| by(requester(at))).collect();
    (
        bought,
        auction
            .bidders
            .iter()
            .map(|bidder| of(bidder.agent))
            .collect(),
    )
}

fn prices(clearing: &Clearing) -> BTreeSet<(Price, Price)> {
    clearing
        .winners
        .iter()
        .map(|award| (award.payment, award.charge))
        .collect()
}

#[test]
fn m21_units_at_the_margin_are_shared_in_proportion() {
    // 9 units are wanted at 6. The sellers have 10, 5 and 5 units at the same ask.
    let auction = market(&[vec![6; 9]], &[(2, 10), (2, 5), (2, 5)]);
    let clearing = UniformDouble.clear(&auction);
    let (bought, sold) = traded(&auction, &clearing, 1);
    // There are only 9 tasks to offer on, so the sellers have 9, 5 and 5 of 19 units. Their shares
    // of the 9 that trade are 4.26, 2.37 and 2.37.
    assert_eq!((bought, sold[0], sold[1] + sold[2]), (vec![9], 4, 5));
    assert_eq!(prices(&clearing), [(2, 2)].into());
    // There are 4 units for two requesters, which want 6 and 2 at the same limit.
    let auction = market(&[vec![6; 6], vec![6; 2]], &[(2, 4)]);
    let clearing = UniformDouble.clear(&auction);
    assert_eq!(traded(&auction, &clearing, 2), (vec![3, 1], vec![4]));
    assert_eq!(prices(&clearing), [(6, 6)].into());
}

#[test]
fn m21_the_best_trade_first() {
    let auction = market(&[vec![6, 1], vec![5], vec![3]], &[(2, 1), (3, 2), (5, 1)]);
    let clearing = UniformDouble.clear(&auction);
    assert_eq!(
        traded(&auction, &clearing, 3),
        (vec![1, 1, 1], vec![1, 2, 0])
    );
    assert_eq!(prices(&clearing), [(3, 3)].into());
    // The first bid and ask that do not trade are 1 and 5. Their middle, 3, lies between the last
    // ask and the last bid that trade, which are both 3.
    assert_eq!(McAfee.clear(&auction).winners.len(), 3);
    assert_eq!(prices(&McAfee.clear(&auction)), [(3, 3)].into());
}

#[test]
fn m21_mcafee_keeps_the_difference_from_both_sides() {
    let auction = market(&[vec![6], vec![5]], &[(1, 1), (2, 1)]);
    let clearing = McAfee.clear(&auction);
    assert_eq!(traded(&auction, &clearing, 2), (vec![1, 0], vec![1, 0]));
    assert_eq!(prices(&clearing), [(2, 5)].into());
}

#[test]
fn m21_only_pairs_with_an_offer_trade_and_exchanges_make_room() {
    let mut auction = market(&[vec![6], vec![6], vec![6]], &[(2, 1), (2, 1), (2, 1)]);
    // Seller 0 has an offer on each task, the others on task 0 only. So two of three units are
    // matched.
    auction
        .bids
        .retain(|bid| bid.agent == agent(0) || bid.task.requester == requester(0));
    let clearing = UniformDouble.clear(&auction);
    assert_eq!(traded(&auction, &clearing, 3).0, [1, 1, 0]);
    assert!(clearing.winners.iter().all(|award| {
        let bid = Bid {
            task: award.task,
            agent: award.agent,
            price: award.bid,
        };
        auction.bids.contains(&bid)
    }));
    assert_eq!(clearing.winners[1].agent, agent(0));
}

#[test]
fn m21_goods_share_the_budget_in_the_order_of_their_first_tasks() {
    let mut auction = market(&[vec![6, 6], vec![6]], &[(2, 3)]);
    auction.tasks[1].demand = slots(2);
    // Tasks 0 and 2 are the first good, of one slot each; task 1 is the second good, of two slots.
    // The first good clears first and takes 2 of 3 slots, so none of the second good is sold.
    let clearing = UniformDouble.clear(&auction);
    assert_eq!(traded(&auction, &clearing, 2), (vec![1, 1], vec![2]));
    auction.bidders[0].budget = Amounts::from([("slots".parse().unwrap(), 4)]);
    assert_eq!(UniformDouble.clear(&auction).winners.len(), 3);
}

/// Up to 5 buyers and 5 sellers, of up to `units` units each.
fn markets(units: usize) -> impl Strategy<Value = (Vec<Vec<Price>>, Vec<(Price, i64)>)> {
    let buyer = prop::collection::vec(0..=TOP, 1..=units);
    let seller = (0..=TOP, 1..=units as i64);
    (
        prop::collection::vec(buyer, 0..6),
        prop::collection::vec(seller, 0..6),
    )
}

/// The greatest gain of any set of trades: falling bids are matched with rising asks.
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

fn gain(auction: &Auction, clearing: &Clearing) -> Price {
    let limit = |task: &TaskId| {
        auction
            .tasks
            .iter()
            .find(|one| one.id == *task)
            .unwrap()
            .limit
    };
    clearing
        .winners
        .iter()
        .map(|award| limit(&award.task) - award.bid)
        .sum()
}

/// The gain of a trader of one unit. `truth` is its true value (of a buyer) or cost (of a seller).
fn utility(clearing: &Clearing, who: PublicKey, truth: Price) -> Price {
    let each = clearing.winners.iter().map(|award| match award {
        award if award.agent == who => award.payment - truth,
        award if award.task.requester == who => truth - award.charge,
        _ => 0,
    });
    each.sum()
}

proptest! {
    #[test]
    fn uniform_has_one_price_balances_and_gains_the_most((buyers, sellers) in markets(3)) {
        let auction = market(&buyers, &sellers);
        let clearing = UniformDouble.clear(&auction);
        prop_assert!(prices(&clearing).len() <= 1);
        prop_assert!(clearing.winners.iter().all(|award| award.payment == award.charge));
        prop_assert_eq!(gain(&auction, &clearing), most_gain(&buyers, &sellers));
    }

    #[test]
    fn mcafee_runs_no_deficit_and_loses_one_trade_at_most((buyers, sellers) in markets(3)) {
        let auction = market(&buyers, &sellers);
        let clearing = McAfee.clear(&auction);
        prop_assert!(clearing.winners.iter().all(|award| award.payment <= award.charge));
        let most = UniformDouble.clear(&auction).winners.len();
        prop_assert!(clearing.winners.len() + 1 >= most && clearing.winners.len() <= most);
    }

    #[test]
    fn nobody_trades_at_a_loss((buyers, sellers) in markets(3), gaps in any::<[bool; 64]>()) {
        let mut auction = market(&buyers, &sellers);
        let mut at = 0;
        auction.bids.retain(|_| { at += 1; gaps[at % 64] });
        for mechanism in [&UniformDouble as &dyn Mechanism, &McAfee] {
            for award in mechanism.clear(&auction).winners {
                let task = auction.tasks.iter().find(|task| task.id == award.task).unwrap();
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
