//! The solver of simulated agents: it assigns tasks greedily, in many orders, and takes the best
//! result.

use quorate_agent::StandingBids;
use quorate_market::{Bid, Bidder, Round, Score, Task, TieSeed, clearing_of, eligibility};
use quorate_types::operation::Pair;
use quorate_types::{Amounts, PublicKey};

use crate::dice::Dice;

/// The number of orders of the tasks that are tried.
const TRIES: usize = 48;

/// The round that a clearing would have by these bids.
pub(crate) fn round(standing: &StandingBids, ties: TieSeed) -> Round {
    let tasks = standing.tasks.iter();
    let tasks = tasks.map(|of| Task {
        id: of.task,
        demand: of.demand.clone(),
        limit: of.limit,
    });

    let bidders = standing.bidders.iter();
    let bidders = bidders.map(|of| Bidder {
        agent: of.agent,
        budget: of.budget.clone(),
    });

    // A bid that is excluded would not take part in the clearing either.
    let bids = standing.bids.iter().filter(|bid| bid.excluded.is_none());
    let bids = bids.filter_map(|of| {
        Some(Bid {
            task: of.task,
            agent: of.agent,
            price: of.price?,
        })
    });

    let solutions = standing
        .solutions
        .iter()
        .map(|solution| solution.pairs.clone());

    Round {
        tasks: tasks.collect(),
        bidders: bidders.collect(),
        bids: bids.collect(),
        solutions: solutions.collect(),
        ties,
    }
}

/// The best solution that a greedy assignment finds over many orders of the tasks; `None` if it is
/// not better than every solution there is.
pub(crate) fn improved(round: &Round, dice: &mut Dice) -> Option<Vec<Pair>> {
    let mut order: Vec<&Task> = round.tasks.iter().collect();
    let worth = |pairs: &Vec<Pair>| Score::new(round, &clearing_of(round, pairs));

    // The first order is that of the round, the others are random.
    let found = (0..TRIES).map(|_| {
        let pairs = greedy(round, &order);
        dice.shuffle(&mut order);
        (worth(&pairs), pairs)
    });

    let (score, pairs) = found.min()?;

    // Lesser scores are better.
    let is_better = round.solutions.iter().all(|kept| score < worth(kept));

    (is_better && !pairs.is_empty()).then_some(pairs)
}

/// Gives each task, in this order, to the cheapest bid that still fits into its bidder's budget.
/// Ties are broken by M-14.
fn greedy(round: &Round, order: &[&Task]) -> Vec<Pair> {
    let mut left: Vec<(PublicKey, Amounts)> = round
        .bidders
        .iter()
        .map(|bidder| (bidder.agent, bidder.budget.clone()))
        .collect();
    let mut pairs = Vec::new();

    for task in order {
        let bids = round
            .bids_on(&task.id)
            .iter()
            .filter(|bid| bid.price <= task.limit);
        let mut bids: Vec<&Bid> = bids.collect();
        bids.sort_by_cached_key(|bid| (bid.price, round.ties.key(&task.id, &bid.agent)));

        for bid in bids {
            let budget = left.iter_mut().find(|(agent, _)| *agent == bid.agent);
            let Some((_, budget)) = budget else { continue };

            // A bidder may be given less than it bid on: its budget bounds all tasks together.
            if eligibility::fits(&task.demand, budget) {
                take(budget, &task.demand);
                pairs.push(Pair {
                    task: task.id,
                    agent: bid.agent,
                });
                break;
            }
        }
    }

    pairs.sort_unstable();
    pairs
}

/// Takes what a task demands off a budget.
fn take(budget: &mut Amounts, demand: &Amounts) {
    for (name, amount) in demand {
        if let Some(left) = budget.get_mut(name) {
            *left -= amount;
        }
    }
}
