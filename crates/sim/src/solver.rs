//! The solver of simulated agents: it assigns tasks greedily, in many orders, and takes the best
//! result.

use quorate_agent::StandingBids;
use quorate_market::{Auction, Bid, Bidder, Score, Task, TieSeed, clearing_of, eligibility};
use quorate_types::operation::Pair;
use quorate_types::{Amounts, PublicKey};

use crate::seed::Dice;

/// The number of orders of the tasks that are tried.
const TRIES: usize = 48;

/// The auction that a clearing would have by these bids.
pub(crate) fn auction(standing: &StandingBids, ties: TieSeed) -> Auction {
    let mut auction = Auction::new(ties);
    standing
        .tasks
        .iter()
        .for_each(|task| auction.add_task(task));
    standing
        .bidders
        .iter()
        .for_each(|bidder| auction.add_bidder(bidder));
    standing.bids.iter().for_each(|bid| auction.add_bid(bid));
    standing
        .solutions
        .iter()
        .for_each(|solution| auction.add_solution(solution));

    auction
}

/// The best solution that a greedy assignment finds over many orders of the tasks; `None` if it is
/// not better than every solution there is.
pub(crate) fn improved(auction: &Auction, dice: &mut Dice) -> Option<Vec<Pair>> {
    let worth = |pairs: &Vec<Pair>| {
        let clearing = clearing_of(auction, pairs);
        Score::new(auction, &clearing)
    };

    // The first order is that of the auction, the others are random.
    let mut order: Vec<&Task> = auction.tasks.iter().collect();

    let found = (0..TRIES).map(|_| {
        let pairs = greedy(auction, &order);
        dice.shuffle(&mut order);
        (worth(&pairs), pairs)
    });

    let (score, pairs) = found.min()?;

    // Lesser scores are better.
    let mut kept = auction.solutions.iter();
    let is_better = kept.all(|kept| score < worth(kept));

    (is_better && !pairs.is_empty()).then_some(pairs)
}

/// Gives each task, in this order, to the cheapest bid that still fits into its bidder's budget.
/// Ties are broken by M-14.
fn greedy(auction: &Auction, order: &[&Task]) -> Vec<Pair> {
    let budget = |bidder: &Bidder| (bidder.agent, bidder.budget.clone());
    let mut left: Vec<_> = auction.bidders.iter().map(budget).collect();

    let mut pairs = Vec::new();

    for task in order {
        if let Some(agent) = take_bid(auction, task, &mut left) {
            pairs.push(Pair {
                task: task.id,
                agent,
            });
        }
    }

    pairs.sort_unstable();
    pairs
}

/// Takes the demand of a task off the first budget, in the order of its bids, that it still fits
/// into. Returns the bidder; `None` if there is no such budget.
fn take_bid(
    auction: &Auction,
    task: &Task,
    left: &mut [(PublicKey, Amounts)],
) -> Option<PublicKey> {
    for bid in bids_in_order(auction, task) {
        let budget = left.iter_mut().find(|(agent, _)| *agent == bid.agent);
        let Some((_, budget)) = budget else { continue };

        // A bidder may be given less than it bid on: its budget bounds all tasks together.
        if eligibility::fits(&task.demand, budget) {
            take(budget, &task.demand);
            return Some(bid.agent);
        }
    }

    None
}

/// The bids on a task that are within its limit, the cheapest first.
fn bids_in_order<'a>(auction: &'a Auction, task: &Task) -> Vec<&'a Bid> {
    let bids = auction.bids_on(&task.id).iter();
    let mut bids: Vec<&Bid> = bids.filter(|bid| bid.price <= task.limit).collect();

    bids.sort_by_cached_key(|bid| (bid.price, auction.ties.key(&task.id, &bid.agent)));
    bids
}

/// Takes what a task demands off a budget.
fn take(budget: &mut Amounts, demand: &Amounts) {
    for (name, amount) in demand {
        if let Some(left) = budget.get_mut(name) {
            *left -= amount;
        }
    }
}
