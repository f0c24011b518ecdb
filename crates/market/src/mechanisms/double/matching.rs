//! Decides which seller serves which task: as many pairs as possible, and only along offers.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use quorate_types::PublicKey;

use crate::auction::{Auction, Bid, Task};

/// Matches tasks (ascending) with sellers, which have the given numbers of units, and returns the
/// bids that trade.
///
/// It finds augmenting paths, one for each task that can be matched in addition to those before it
/// (Kuhn, Naval Research Logistics Quarterly 2, 1955). The search is breadth first, so each path is
/// the shortest chain of exchanges. Sellers of a task are tried in the order of their tie keys, and
/// tasks of a seller in ascending order.
pub(super) fn most(
    auction: &Auction,
    tasks: &[&Task],
    sellers: &BTreeMap<PublicKey, usize>,
) -> Vec<Bid> {
    let offers = tasks
        .iter()
        .map(|task| offers(auction, task, sellers))
        .collect();

    let mut matching = Matching {
        offers,
        left: sellers.clone(),
        served: BTreeMap::new(),
        by: vec![None; tasks.len()],
    };

    // In ascending order, so that of all largest sets the first tasks are matched.
    for task in 0..tasks.len() {
        matching.serve(task);
    }

    matching.by.into_iter().flatten().collect()
}

/// Returns the offers that may trade on a task, ascending by tie key.
fn offers(auction: &Auction, task: &Task, sellers: &BTreeMap<PublicKey, usize>) -> Vec<Bid> {
    let bids = auction.bids_on(&task.id).iter();
    let trading = bids.filter(|bid| bid.price <= task.limit && sellers.contains_key(&bid.agent));
    let mut offers: Vec<Bid> = trading.copied().collect();
    offers.sort_by_cached_key(|bid| auction.ties.key(&task.id, &bid.agent));
    offers
}

struct Matching {
    /// The offers that may trade on each task.
    offers: Vec<Vec<Bid>>,
    /// The units of each seller that are not matched.
    left: BTreeMap<PublicKey, usize>,
    /// The tasks that each seller serves.
    served: BTreeMap<PublicKey, BTreeSet<usize>>,
    /// The offer by which each task trades, if it is matched.
    by: Vec<Option<Bid>>,
}

impl Matching {
    /// Matches one more task, if the tasks that are matched can make room for it.
    fn serve(&mut self, task: usize) {
        // For each seller that the search has reached: the task it came from, and the offer.
        let mut reached: BTreeMap<PublicKey, (usize, Bid)> = BTreeMap::new();
        let mut queue = VecDeque::from([task]);

        while let Some(from) = queue.pop_front() {
            for offer in &self.offers[from] {
                let seller = offer.agent;
                if reached.contains_key(&seller) {
                    continue;
                }

                reached.insert(seller, (from, *offer));
                if self.has_unit_left(seller) {
                    return self.exchange(seller, &reached);
                }

                // The seller has no unit left, so one of its tasks would have to go elsewhere.
                queue.extend(self.served.get(&seller).into_iter().flatten());
            }
        }
    }

    /// Checks whether a seller has a unit that is not matched.
    fn has_unit_left(&self, seller: PublicKey) -> bool {
        self.left.get(&seller).is_some_and(|left| *left > 0)
    }

    /// Moves the tasks along the chain that ends at a seller with a unit left.
    fn exchange(&mut self, end: PublicKey, reached: &BTreeMap<PublicKey, (usize, Bid)>) {
        if let Some(left) = self.left.get_mut(&end) {
            *left -= 1;
        }

        let mut seller = end;
        while let Some((task, offer)) = reached.get(&seller) {
            let before = self.by[*task].replace(*offer);
            self.tasks_of(seller).insert(*task);

            // The chain began at the task that had no seller.
            let Some(before) = before else {
                return;
            };

            // The seller before has a unit less to do, so the next task of the chain gets that one.
            seller = before.agent;
            self.tasks_of(seller).remove(task);
        }
    }

    /// Returns the tasks that a seller serves.
    fn tasks_of(&mut self, seller: PublicKey) -> &mut BTreeSet<usize> {
        self.served.entry(seller).or_default()
    }
}
