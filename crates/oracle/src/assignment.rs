//! The optimum of M-13, found in the slow way.

use std::collections::{BTreeMap, BTreeSet};

use quorate_types::{Price, PublicKey, TaskId};

use crate::round::Bid;

/// The most tasks that these bids can serve, one for each agent, and the least total for that many.
/// Takes one cheapest augmenting path after the other (Bellman-Ford).
pub(crate) fn optimum(bids: &[Bid]) -> (usize, Price) {
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
