//! Which seller serves which task: as many pairs as possible, along offers alone.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use quorate_types::PublicKey;

use crate::round::{Bid, Round, Task};

/// Matches tasks (ascending) with sellers that have so many units, and returns the bids that trade.
///
/// Augmenting paths, one for each task that can be matched beside those before it (Kuhn, Naval
/// Research Logistics Quarterly 2, 1955), by breadth: the shortest chain of exchanges; sellers of a
/// task are tried in the order of their tie keys, tasks of a seller ascending.
pub(super) fn most(
    round: &Round,
    tasks: &[&Task],
    sellers: &BTreeMap<PublicKey, usize>,
) -> Vec<Bid> {
    let offers = tasks
        .iter()
        .map(|task| offers(round, task, sellers))
        .collect();
    let mut matching = Matching {
        offers,
        left: sellers.clone(),
        served: BTreeMap::new(),
        by: vec![None; tasks.len()],
    };
    for task in 0..tasks.len() {
        matching.serve(task);
    }
    matching.by.into_iter().flatten().collect()
}

/// The offers that may trade on a task, ascending by tie key.
fn offers(round: &Round, task: &Task, sellers: &BTreeMap<PublicKey, usize>) -> Vec<Bid> {
    let bids = round.bids_on(&task.id).iter();
    let trading = bids.filter(|bid| bid.price <= task.limit && sellers.contains_key(&bid.agent));
    let mut offers: Vec<Bid> = trading.copied().collect();
    offers.sort_by_cached_key(|bid| round.ties.key(&task.id, &bid.agent));
    offers
}

struct Matching {
    /// Of each task.
    offers: Vec<Vec<Bid>>,
    /// Units of each seller that are not matched.
    left: BTreeMap<PublicKey, usize>,
    /// Tasks of each seller.
    served: BTreeMap<PublicKey, BTreeSet<usize>>,
    /// The offer each task goes by.
    by: Vec<Option<Bid>>,
}

impl Matching {
    /// Matches one more task, if the others can make room for it.
    fn serve(&mut self, task: usize) {
        let mut reached: BTreeMap<PublicKey, (usize, Bid)> = BTreeMap::new();
        let mut queue = VecDeque::from([task]);
        while let Some(from) = queue.pop_front() {
            for offer in &self.offers[from] {
                if reached.contains_key(&offer.agent) {
                    continue;
                }
                reached.insert(offer.agent, (from, *offer));
                if self.left.get(&offer.agent).is_some_and(|left| *left > 0) {
                    let end = offer.agent;
                    return self.exchange(end, &reached);
                }
                queue.extend(self.served.get(&offer.agent).into_iter().flatten());
            }
        }
    }

    /// Moves the tasks along the chain that ends at a seller with a unit left.
    fn exchange(&mut self, end: PublicKey, reached: &BTreeMap<PublicKey, (usize, Bid)>) {
        if let Some(left) = self.left.get_mut(&end) {
            *left -= 1;
        }
        let mut seller = end;
        while let Some((task, offer)) = reached.get(&seller) {
            let before = self.by[*task].replace(*offer);
            self.served.entry(seller).or_default().insert(*task);
            let Some(before) = before else { return };
            self.served.entry(before.agent).or_default().remove(task);
            seller = before.agent;
        }
    }
}
