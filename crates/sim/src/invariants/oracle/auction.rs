//! The mechanisms of the book, written in the slow way: short enough to be seen to be correct.

use std::collections::{BTreeMap, BTreeSet};

use quorate_market::{Mechanism, TieSeed};
use quorate_types::outcome::SolutionInput;
use quorate_types::{Amounts, Hash, Label, OperationId, Price, PublicKey, SwarmId, TaskId};

/// The number of offers up to which `assignment` is checked against the tie rule, which is slow
/// here.
const TIES: usize = 80;

/// A bidder and what it may spend.
#[derive(Debug, Clone)]
pub(in crate::invariants) struct Bidder {
    pub(in crate::invariants) agent: PublicKey,
    pub(in crate::invariants) budget: Amounts,
}

/// An offer that takes part in a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::invariants) struct Bid {
    pub(in crate::invariants) task: TaskId,
    pub(in crate::invariants) agent: PublicKey,
    pub(in crate::invariants) price: Price,
}

/// The inputs of a clearing, without the bids that take no part.
#[derive(Debug)]
pub(in crate::invariants) struct ModelAuction<'a> {
    pub(in crate::invariants) swarm: SwarmId,
    pub(in crate::invariants) market: &'a Label,
    /// The tasks, each with its demand and the highest price that is paid for it.
    pub(in crate::invariants) tasks: BTreeMap<TaskId, (Amounts, Price)>,
    pub(in crate::invariants) bidders: Vec<Bidder>,
    pub(in crate::invariants) bids: Vec<Bid>,
    /// The solutions that were kept, ascending by agent.
    pub(in crate::invariants) solutions: Vec<SolutionInput>,
}

/// Checks the winners of a clearing and what they are paid; `won` ascends by task. Returns the
/// operation that brought the solution, if the winners are those of a solution.
///
/// # Errors
/// A description, for people, of the winners and payments that the rules give.
pub(in crate::invariants) fn winners(
    auction: &ModelAuction<'_>,
    mechanism: &Label,
    won: &[Bid],
) -> Result<Option<OperationId>, String> {
    let found = match mechanism.as_str() {
        "first-price" => auction.task_by_task(|bid, _| bid.price),
        "second-price" => auction.task_by_task(|_, second| second),
        "assignment" => return auction.check_assignment(won).map(|()| None),
        // The other mechanisms are not written down here: the product's are run again.
        _ => match quorate_market::mechanism(mechanism) {
            Some(rule) => auction.again(rule),
            None => return Err(format!("there is no mechanism `{mechanism}`")),
        },
    };

    let (expected, solution) = match mechanism.as_str() {
        "gap" => auction.bettered(found),
        _ => (found, None),
    };

    check_awards(won, &expected)?;
    Ok(solution)
}

/// Checks that the awards are those of the rule.
fn check_awards(won: &[Bid], expected: &[Bid]) -> Result<(), String> {
    if expected == won {
        return Ok(());
    }

    Err(format!(
        "the awards are {won:?}, but the rule gives {expected:?}"
    ))
}

impl ModelAuction<'_> {
    /// M-14: the tie key of a bid.
    pub(super) fn key(&self, bid: &Bid) -> Hash {
        let number = bid.task.number.to_be_bytes();

        let parts: [&[u8]; 5] = [
            &self.swarm.0,
            self.market.as_str().as_bytes(),
            &bid.task.requester.0,
            &number,
            &bid.agent.0,
        ];

        Hash::derive("quorate 1 tie", &parts)
    }

    /// The awards that the product's mechanism gives for the round without its solutions.
    pub(in crate::invariants) fn again(&self, rule: &dyn Mechanism) -> Vec<Bid> {
        let winners = rule.clear(&self.given()).winners.into_iter();

        winners
            .map(|won| Bid {
                task: won.task,
                agent: won.agent,
                price: won.payment,
            })
            .collect()
    }

    /// The round in the types of the product's mechanisms, without solutions.
    pub(in crate::invariants) fn given(&self) -> quorate_market::Auction {
        let task = |(id, (demand, limit)): (&TaskId, &(Amounts, Price))| quorate_market::Task {
            id: *id,
            demand: demand.clone(),
            limit: *limit,
        };

        let bidder = |bidder: &Bidder| quorate_market::Bidder {
            agent: bidder.agent,
            budget: bidder.budget.clone(),
        };

        let bid = |bid: &Bid| quorate_market::Bid {
            task: bid.task,
            agent: bid.agent,
            price: bid.price,
        };

        quorate_market::Auction {
            tasks: self.tasks.iter().map(task).collect(),
            bidders: self.bidders.iter().map(bidder).collect(),
            bids: self.bids.iter().map(bid).collect(),
            solutions: Vec::new(),
            ties: TieSeed {
                swarm: self.swarm,
                market: self.market.clone(),
            },
        }
    }

    /// M-12, M-18: gives each task to the cheapest bid that fits. `paid` computes what the winner
    /// gets from its bid and the second price: the price of the next bid that fits or, if there is
    /// none, the limit of the task.
    fn task_by_task(&self, paid: impl Fn(&Bid, Price) -> Price) -> Vec<Bid> {
        let mut left = self.budgets();
        let mut won = Vec::new();

        for (task, (demand, limit)) in &self.tasks {
            let fitting = self.fitting(task, demand, &left);

            let Some(cheapest) = fitting.first().map(|bid| **bid) else {
                continue;
            };

            let second = fitting.get(1).map_or(*limit, |bid| bid.price);

            // The winner's budget is smaller for the tasks that follow.
            if let Some(budget) = left.get_mut(&cheapest.agent) {
                spend(budget, demand);
            }

            won.push(Bid {
                price: paid(&cheapest, second),
                ..cheapest
            });
        }

        won
    }

    /// The bids on a task whose agents have enough left for it, the cheapest first.
    fn fitting(
        &self,
        task: &TaskId,
        demand: &Amounts,
        left: &BTreeMap<PublicKey, Amounts>,
    ) -> Vec<&Bid> {
        let suffices = |bid: &&Bid| {
            let budget = left.get(&bid.agent);
            budget.is_some_and(|budget| covers(budget, demand))
        };

        let bids = self.bids.iter().filter(|bid| bid.task == *task);
        let mut fitting: Vec<&Bid> = bids.filter(suffices).collect();

        fitting.sort_by_key(|bid| (bid.price, self.key(bid)));
        fitting
    }

    /// The budget of each bidder.
    pub(super) fn budgets(&self) -> BTreeMap<PublicKey, Amounts> {
        self.bidders
            .iter()
            .map(|bidder| (bidder.agent, bidder.budget.clone()))
            .collect()
    }

    /// M-13: checks that the tasks are as many as possible, then the total, then the tie rule.
    fn check_assignment(&self, won: &[Bid]) -> Result<(), String> {
        let agents: BTreeSet<PublicKey> = won.iter().map(|bid| bid.agent).collect();
        if agents.len() != won.len() || !won.iter().all(|bid| self.bids.contains(bid)) {
            return Err(format!(
                "an agent won twice, or an award has no bid: {won:?}"
            ));
        }

        let best = optimum(&self.bids);
        let found = (won.len(), won.iter().map(|bid| bid.price).sum());

        if found != best {
            return Err(format!(
                "the tasks assigned and their total are {found:?}, but {best:?} is possible"
            ));
        }

        // With more bids the tie rule would take too long here.
        if self.bids.len() > TIES {
            return Ok(());
        }

        check_awards(won, &self.first_by_keys(best))
    }

    /// The optimal assignment whose keys, sorted, come first.
    fn first_by_keys(&self, best: (usize, Price)) -> Vec<Bid> {
        let mut bids = self.bids.clone();
        bids.sort_by_key(|bid| self.key(bid));

        let mut taken = Vec::new();
        let mut rest = bids.clone();
        let mut left = best;

        // Takes, in the order of keys, each bid that can be part of an optimal assignment.
        for bid in bids {
            if !rest.contains(&bid) {
                continue;
            }

            let without = compatible(&rest, &bid);
            let (count, total) = optimum(&without);

            // The bid belongs to an optimal assignment if the others still reach the rest of the
            // optimum.
            if (count + 1, total + bid.price) == left {
                rest = without;
                left = (count, total);
                taken.push(bid);
            }
        }

        taken.sort_by_key(|bid| bid.task);
        taken
    }
}

/// Whether a budget suffices for all that a task takes.
fn covers(budget: &Amounts, demand: &Amounts) -> bool {
    demand
        .iter()
        .all(|(name, amount)| budget.get(name).is_some_and(|has| has >= amount))
}

/// Takes from a budget what a task takes.
fn spend(budget: &mut Amounts, demand: &Amounts) {
    for (name, amount) in demand {
        if let Some(left) = budget.get_mut(name) {
            *left -= amount;
        }
    }
}

/// The bids on other tasks by other agents, which may win together with this bid.
fn compatible(bids: &[Bid], bid: &Bid) -> Vec<Bid> {
    bids.iter()
        .filter(|other| other.task != bid.task && other.agent != bid.agent)
        .copied()
        .collect()
}

/// The most tasks that these bids can serve, one for each agent, and the least total for that many.
/// Takes one cheapest augmenting path after the other (Bellman-Ford).
fn optimum(bids: &[Bid]) -> (usize, Price) {
    let mut matching: Vec<Bid> = Vec::new();

    while let Some(path) = cheapest_path(bids, &matching) {
        // A bid on the path is dropped if it was matched, and taken if not.
        for bid in path {
            match matching.iter().position(|matched| *matched == bid) {
                Some(at) => drop(matching.swap_remove(at)),
                None => matching.push(bid),
            }
        }
    }

    (matching.len(), matching.iter().map(|bid| bid.price).sum())
}

/// A path with its cost: the prices of the bids that it takes, less those of the bids it drops.
type Path = (Price, Vec<Bid>);

/// The cheapest augmenting path, which serves one more task: bids to take and to drop, alternately.
fn cheapest_path(bids: &[Bid], matching: &[Bid]) -> Option<Vec<Bid>> {
    let mut paths = Paths::of_idle_agents(bids, matching);

    // This ends: a matching of least cost leaves no cycle that costs less than nothing.
    while paths.lengthen(bids, matching) {}

    // A path ends at a task that nobody serves yet.
    let served: BTreeSet<TaskId> = matching.iter().map(|bid| bid.task).collect();
    let paths = paths.to_tasks.into_iter();
    let free = paths.filter(|(task, _)| !served.contains(task));

    let cheapest = free.map(|(_, path)| path).min_by_key(|(cost, _)| *cost);
    cheapest.map(|(_, bids)| bids)
}

/// The cheapest paths that are known to each agent and to each task.
struct Paths {
    to_agents: BTreeMap<PublicKey, Path>,
    to_tasks: BTreeMap<TaskId, Path>,
}

impl Paths {
    /// The empty paths, each of which begins at an agent that wins nothing yet.
    fn of_idle_agents(bids: &[Bid], matching: &[Bid]) -> Self {
        let busy = |agent: &PublicKey| matching.iter().any(|bid| bid.agent == *agent);
        let idle = bids.iter().filter(|bid| !busy(&bid.agent));

        Self {
            to_agents: idle.map(|bid| (bid.agent, (0, Vec::new()))).collect(),
            to_tasks: BTreeMap::new(),
        }
    }

    /// Lengthens the paths by each of the bids in turn; returns whether a cheaper one was found.
    fn lengthen(&mut self, bids: &[Bid], matching: &[Bid]) -> bool {
        let mut changed = false;

        for bid in bids {
            let improved = match matching.contains(bid) {
                true => self.drop_bid(bid),
                false => self.take_bid(bid),
            };
            changed = changed || improved;
        }

        changed
    }

    /// Lengthens the path to the bid's task: the bid is dropped, and gives its price back.
    fn drop_bid(&mut self, bid: &Bid) -> bool {
        lengthened(self.to_tasks.get(&bid.task), bid, -bid.price)
            .is_some_and(|path| improve(&mut self.to_agents, bid.agent, path))
    }

    /// Lengthens the path to the bid's agent: the bid is taken at its price.
    fn take_bid(&mut self, bid: &Bid) -> bool {
        lengthened(self.to_agents.get(&bid.agent), bid, bid.price)
            .is_some_and(|path| improve(&mut self.to_tasks, bid.task, path))
    }
}

/// The path with one more bid, at `price` more; `None` if there is no path yet.
fn lengthened(path: Option<&Path>, bid: &Bid, price: Price) -> Option<Path> {
    let (cost, path) = path?;
    Some((cost + price, path.iter().chain([bid]).copied().collect()))
}

/// Notes a path if it is cheaper than the one known; returns whether it is.
fn improve<K: Ord>(found: &mut BTreeMap<K, Path>, at: K, path: Path) -> bool {
    if found.get(&at).is_some_and(|(cost, _)| *cost <= path.0) {
        return false;
    }

    found.insert(at, path);
    true
}
