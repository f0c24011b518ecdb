//! Checks payments against their definition, and truthfulness by trying every deviation.
#![expect(clippy::unwrap_used, reason = "a test's helpers may fail the test")]

use crate::common::{agent, auction};
use proptest::prelude::*;
use quorate_market::mechanisms::{SecondPrice, Vcg};
use quorate_market::{Auction, Clearing, Duals, Mechanism, proves_least_total};
use quorate_types::{Price, PublicKey};

/// The greatest price and limit of the small instances. Deviations go one beyond it.
const TOP: Price = 4;

/// An agent's prices by task; `None` if it cannot do the task.
type Prices = Vec<Option<Price>>;

fn markets(tasks: usize, agents: usize) -> impl Strategy<Value = (Vec<Price>, Vec<Prices>)> {
    let limits = prop::collection::vec(0..=TOP, 1..=tasks);
    limits.prop_flat_map(move |limits| {
        let price = prop::option::weighted(0.8, 0..=TOP);
        let row = prop::collection::vec(price, limits.len());
        (Just(limits), prop::collection::vec(row, 1..=agents))
    })
}

fn round_of(limits: &[Price], agents: &[Prices]) -> Auction {
    let offers = agents.iter().zip(0u8..).flat_map(|(prices, agent)| {
        let offers = prices.iter().zip(0u64..);
        offers.filter_map(move |(price, task)| price.map(|price| (task, agent, price)))
    });
    auction(limits, &vec![1; agents.len()], &offers.collect::<Vec<_>>())
}

/// The least sum of the prices of assigned tasks and the limits of open ones, by trying all ways.
fn least(limits: &[Price], agents: &[Prices], task: usize, free: u32) -> Price {
    let Some(limit) = limits.get(task) else {
        return 0;
    };
    let mut best = limit + least(limits, agents, task + 1, free);
    for (at, prices) in agents.iter().enumerate() {
        let possible = free & (1 << at) != 0;
        if let Some(price) = prices[task].filter(|price| possible && price <= limit) {
            best = best.min(price + least(limits, agents, task + 1, free & !(1 << at)));
        }
    }
    best
}

fn least_without(limits: &[Price], agents: &[Prices], without: Option<usize>) -> Price {
    let all = (1 << agents.len()) - 1;
    least(limits, agents, 0, all & !without.map_or(0, |at| 1 << at))
}

/// The gain of an agent by its true costs. It has at most one award, of a task that it can do.
fn gain(clearing: &Clearing, who: PublicKey, costs: &Prices) -> Price {
    let won = clearing.winners.iter().filter(|award| award.agent == who);
    won.map(|award| award.payment - costs[award.task.number as usize].unwrap())
        .sum()
}

/// All ways to bid on the tasks that the agent can do: at each price, or not at all.
fn deviations(costs: &Prices) -> Vec<Prices> {
    let mut all = vec![Vec::new()];
    for cost in costs {
        let prices: Prices = match cost {
            None => vec![None],
            Some(_) => std::iter::once(None)
                .chain((0..=TOP + 1).map(Some))
                .collect(),
        };
        let longer = |one: &Prices| {
            let one = one.clone();
            prices.clone().into_iter().map(move |price| {
                let mut longer = one.clone();
                longer.push(price);
                longer
            })
        };
        all = all.iter().flat_map(longer).collect();
    }
    all
}

fn no_deviation_gains(
    mechanism: &dyn Mechanism,
    limits: &[Price],
    agents: &[Prices],
) -> Result<(), TestCaseError> {
    let honest = mechanism.clear(&round_of(limits, agents));
    for (at, costs) in agents.iter().enumerate() {
        let who = agent(at as u8);
        let gained = gain(&honest, who, costs);
        prop_assert!(gained >= 0);
        for lie in deviations(costs) {
            let mut told = agents.to_vec();
            told[at] = lie;
            let clearing = mechanism.clear(&round_of(limits, &told));
            prop_assert!(
                gain(&clearing, who, costs) <= gained,
                "agent {at} tells {:?}",
                told[at]
            );
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn second_price_is_truthful_for_one_task((limits, agents) in markets(1, 5)) {
        no_deviation_gains(&SecondPrice, &limits, &agents)?;
    }

    #[test]
    fn vcg_is_truthful((limits, agents) in markets(3, 3)) {
        no_deviation_gains(&Vcg, &limits, &agents)?;
    }
}

proptest! {
    #[test]
    fn m20_vcg_is_of_least_total_and_pays_by_the_definition((limits, agents) in markets(7, 7)) {
        let clearing = Vcg.clear(&round_of(&limits, &agents));
        let total = least_without(&limits, &agents, None);
        let won: Price = clearing.winners.iter().map(|award| award.bid).sum();
        let taken: Price =
            clearing.winners.iter().map(|award| limits[award.task.number as usize]).sum();
        prop_assert_eq!(won + limits.iter().sum::<Price>() - taken, total);
        for award in &clearing.winners {
            let without = least_without(&limits, &agents, Some(award.agent.0[0] as usize));
            prop_assert_eq!(award.payment, award.bid + without - total);
        }
    }

    #[test]
    fn m20_vcg_duals_prove_its_total((limits, agents) in markets(7, 7)) {
        let auction = round_of(&limits, &agents);
        let mut clearing = Vcg.clear(&auction);
        prop_assert!(proves_least_total(&auction, &clearing));
        let duals = clearing.duals.clone().unwrap();
        for (prices, bidder) in agents.iter().zip(&duals.bidders) {
            prop_assert!(*bidder <= 0);
            for ((price, task), limit) in prices.iter().zip(&duals.tasks).zip(&limits) {
                prop_assert!(price.is_none_or(|price| price > *limit || bidder + task <= price));
            }
        }
        prop_assert!(duals.tasks.iter().zip(&limits).all(|(task, limit)| task <= limit));
        let sum = duals.bidders.iter().chain(&duals.tasks).sum::<Price>();
        prop_assert_eq!(sum, least_without(&limits, &agents, None));
        // The same duals prove no other total, and other duals do not even prove this one.
        if let Some(award) = clearing.winners.pop() {
            let same = award.bid == limits[award.task.number as usize];
            prop_assert_eq!(proves_least_total(&auction, &clearing), same);
            clearing.winners.push(award);
        }
        if let Some(Duals { tasks, .. }) = &mut clearing.duals {
            tasks[0] -= 1;
        }
        prop_assert!(!proves_least_total(&auction, &clearing));
    }
}

#[test]
fn second_price_is_not_truthful_across_tasks() {
    // Agent 0 has one slot. If it does not bid on the first task, it wins the second, which pays
    // more.
    let honest = vec![vec![Some(1), Some(1)], vec![Some(2), None]];
    let mut told = honest.clone();
    told[0][0] = None;
    let gained = |agents: &[Prices]| {
        gain(
            &SecondPrice.clear(&round_of(&[4, 4], agents)),
            agent(0),
            &honest[0],
        )
    };
    assert_eq!((gained(&honest), gained(&told)), (1, 3));
}
