//! Compares three ways to clear a window: by the mechanism alone, by a solution that others
//! proposed, and by a longer search.

use quorate_market::{
    Auction, Clearing, GapFound, Mechanism, Score, TieSeed, Winner, clearing_of, gap_effort,
    gap_search,
};
use quorate_node::StandingBids;
use quorate_types::operation::Pair;
use quorate_types::slots::demand_or_slot;
use quorate_types::{Millis, Price, limits};
use serde::Serialize;

/// The most steps of a search for each millisecond in which a window takes solutions. A step takes
/// 10 to 25 nanoseconds, so the search ends about half way through that time.
const STEPS_PER_MS: u64 = 20_000;

/// The length of a search.
#[derive(Debug, Clone, Copy)]
pub(super) struct Effort {
    /// A multiple of the steps of the mechanism's own search.
    pub(super) times: u64,
    /// Milliseconds for which the market takes solutions; a bound on the steps follows from it.
    pub(super) solve_ms: Millis,
}

/// The results of searching a window.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Findings {
    pub(super) tasks: usize,
    pub(super) bidders: usize,
    /// The number of bids that take part in the clearing.
    pub(super) bids: usize,
    /// The number of solutions that others have proposed and the swarm keeps.
    pub(super) kept: usize,
    /// The worth of what the mechanism finds on its own.
    pub(super) baseline: Worth,
    /// The worth of the best kept solution. Only those of its pairs count that hold.
    pub(super) best_kept: Option<Worth>,
    /// The worth of what the longer search finds.
    pub(super) found: Worth,
    /// The number of steps that the longer search took.
    pub(super) steps: u64,
    /// Whether it is proved that no clearing assigns more tasks, or as many for less, than `found`.
    pub(super) optimal: bool,
    /// The pairs that the longer search found, if they are better than the baseline and all kept
    /// solutions.
    #[serde(skip)]
    pub(super) proposal: Option<Vec<Pair>>,
}

/// The worth of a clearing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) struct Worth {
    /// The number of tasks that are assigned.
    pub(super) tasks: usize,
    /// The sum of the prices of the winning bids.
    pub(super) total: Price,
}

/// Searches for a better solution than `rule` finds and than those that are kept.
pub(super) fn search(
    standing: &StandingBids,
    ties: TieSeed,
    rule: &dyn Mechanism,
    effort: Effort,
) -> Findings {
    let auction = auction(standing, ties);
    let baseline = rule.clear(&auction);

    let best_kept = best_kept(standing, &auction);

    let GapFound {
        winners,
        optimal,
        steps,
    } = gap_search(&auction, effort.steps(auction.bids.len()));
    let found = Clearing {
        winners,
        ..Clearing::default()
    };

    // The lesser score is the better one.
    let score = Score::new(&auction, &found);
    let mut others = std::iter::once(&baseline).chain(&best_kept);
    let is_better = others.all(|other| score < Score::new(&auction, other));

    Findings {
        tasks: auction.tasks.len(),
        bidders: auction.bidders.len(),
        bids: auction.bids.len(),
        kept: standing.solutions.len(),
        baseline: Worth::of(&baseline),
        best_kept: best_kept.as_ref().map(Worth::of),
        found: Worth::of(&found),
        steps,
        optimal,
        proposal: is_better.then(|| found.winners.iter().map(pair).collect()),
    }
}

/// The clearing by the best of the solutions that others proposed.
fn best_kept(standing: &StandingBids, auction: &Auction) -> Option<Clearing> {
    let kept = standing.solutions.iter();
    kept.map(|kept| clearing_of(auction, &kept.pairs))
        .min_by_key(|kept| Score::new(auction, kept))
}

impl Effort {
    fn steps(&self, bids: usize) -> u64 {
        let most = self.solve_ms.saturating_mul(STEPS_PER_MS);
        gap_effort(bids).saturating_mul(self.times).min(most)
    }
}

impl Worth {
    fn of(clearing: &Clearing) -> Self {
        let prices = clearing.winners.iter().map(|award| award.bid);
        Self {
            tasks: clearing.winners.len(),
            total: prices.fold(0, Price::saturating_add),
        }
    }
}

fn pair(award: &Winner) -> Pair {
    Pair {
        task: award.task,
        agent: award.agent,
    }
}

/// The auction that the mechanism sees: the bids of the window that take part, and no solutions.
fn auction(standing: &StandingBids, ties: TieSeed) -> Auction {
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

    // A validator may make up anything, and the search relies on what holds of true inputs.
    for task in &mut auction.tasks {
        task.demand = demand_or_slot(&task.demand);
        task.limit = task.limit.min(limits::PRICE);
    }

    auction
}

#[cfg(test)]
mod tests {
    use quorate_market::mechanisms::Gap;
    use quorate_types::outcome::{BidInput, BidderInput, SolutionInput, TaskInput};
    use quorate_types::{Amounts, Hash, OperationId, PublicKey, Reason, SwarmId, TaskId};

    use super::*;

    const EFFORT: Effort = Effort {
        times: 50,
        solve_ms: 60_000,
    };

    fn task(number: u64) -> TaskId {
        TaskId {
            requester: PublicKey([200; 32]),
            number,
        }
    }

    fn agent(number: u8) -> PublicKey {
        PublicKey([number; 32])
    }

    fn slots(amount: i64) -> Amounts {
        Amounts::from([("slots".parse().unwrap(), amount)])
    }

    fn ties() -> TieSeed {
        TieSeed {
            swarm: SwarmId([7; 32]),
            market: "grid".parse().unwrap(),
        }
    }

    /// Every agent bids on every task. All capacities together are 80 % of what the tasks take, in
    /// even shares.
    fn tight(agents: u8, tasks: u64) -> StandingBids {
        let mut state = 88_172_645_463_325_252_u64;
        let mut roll = |low: i64, high: i64| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            low + (state % (high - low + 1) as u64) as i64
        };
        let demands: Vec<i64> = (0..tasks).map(|_| roll(5, 25)).collect();
        let budget = slots(demands.iter().sum::<i64>() * 8 / 10 / i64::from(agents));
        let mut standing = StandingBids::default();
        for (number, demand) in (0..).zip(demands) {
            let (spec, demand) = (Hash::ZERO, slots(demand));
            standing.tasks.push(TaskInput {
                task: task(number),
                spec,
                demand,
                limit: 99,
            });
            standing.bids.extend((0..agents).map(|by| BidInput {
                task: task(number),
                agent: agent(by),
                price: Some(roll(10, 50)),
                operation: OperationId([0; 32]),
                excluded: None,
            }));
        }
        let bidder = |by| BidderInput {
            agent: agent(by),
            budget: budget.clone(),
        };
        standing.bidders.extend((0..agents).map(bidder));
        standing
    }

    fn kept(by: u8, pairs: Vec<Pair>) -> SolutionInput {
        SolutionInput {
            agent: agent(by),
            operation: OperationId([by; 32]),
            pairs,
        }
    }

    #[test]
    fn m30_what_is_better_than_baseline_and_kept_is_proposed_and_else_nothing() {
        let mut standing = tight(20, 200);
        let first = search(&standing, ties(), &Gap, EFFORT);
        assert!(
            first.steps > first.baseline_steps(),
            "{} steps",
            first.steps
        );
        let proposal = first.proposal.clone().unwrap();
        let order = |worth: Worth| (std::cmp::Reverse(worth.tasks), worth.total);
        assert!(order(first.found) < order(first.baseline), "{first:?}");
        assert_eq!((first.kept, first.best_kept), (0, None));
        assert!(proposal.is_sorted_by(|a, b| a.task < b.task));
        let auction = auction(&standing, ties());
        assert_eq!(
            clearing_of(&auction, &proposal).winners.len(),
            proposal.len(),
            "all pairs hold"
        );

        // A solution that somebody else has proposed already is not proposed again.
        standing.solutions.push(kept(1, proposal[..9].to_vec()));
        standing.solutions.push(kept(2, proposal));
        let second = search(&standing, ties(), &Gap, EFFORT);
        assert_eq!((second.kept, second.best_kept), (2, Some(first.found)));
        assert_eq!(second.proposal, None);
    }

    #[test]
    fn as_long_as_the_mechanism_itself_it_finds_nothing_better() {
        let standing = tight(4, 12);
        let found = search(&standing, ties(), &Gap, Effort { times: 1, ..EFFORT });
        assert_eq!(
            (found.found, found.proposal.is_some()),
            (found.baseline, false),
            "{found:?}"
        );
    }

    #[test]
    fn m11_an_excluded_bid_takes_no_part() {
        let mut standing = tight(3, 3);
        standing
            .bidders
            .iter_mut()
            .for_each(|bidder| bidder.budget = slots(99));
        standing.bids.retain(|bid| bid.agent == agent(1));
        standing.bids[0].excluded = Some(Reason::OverBudget);
        standing.bids[1].price = None;
        standing.bids[1].excluded = Some(Reason::Unopened);
        let found = search(&standing, ties(), &Gap, EFFORT);
        assert_eq!(
            (found.bids, found.baseline.tasks, found.found.tasks),
            (1, 1, 1)
        );
    }

    /// A validator may make up anything: bids on absent tasks, bids of absent bidders, or nothing
    /// at all.
    #[test]
    fn what_is_made_up_does_no_harm() {
        let mut standing = tight(3, 3);
        standing.tasks.remove(0);
        standing.bidders.remove(0);
        standing.solutions.push(kept(
            9,
            vec![Pair {
                task: task(77),
                agent: agent(77),
            }],
        ));
        let found = search(&standing, ties(), &Gap, EFFORT);
        assert_eq!((found.tasks, found.bidders), (2, 2));
        assert_eq!(found.best_kept, Some(Worth { tasks: 0, total: 0 }));
        let nothing = search(&StandingBids::default(), ties(), &Gap, EFFORT);
        assert_eq!((nothing.baseline.tasks, nothing.proposal), (0, None));
    }

    #[test]
    fn a_search_ends_about_half_way_through_the_stage() {
        let effort = Effort {
            times: 10_000,
            solve_ms: 2_000,
        };
        assert_eq!(effort.steps(1_000), 2_000 * STEPS_PER_MS);
        assert_eq!(EFFORT.steps(4_000), 50 * 2_400_000);
    }

    impl Findings {
        fn baseline_steps(&self) -> u64 {
            gap_effort(self.bids)
        }
    }
}
