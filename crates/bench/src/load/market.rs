//! The market of the load: by mix, the tasks that agents submit and the bids that they make.

use std::collections::BTreeSet;

use anyhow::Result;
use quorate_types::operation::Offer;
use quorate_types::{Label, Price, PublicKey, TaskId, TaskSpec};

use super::agent::{Agent, Say};
use crate::args::{Args, Mix};
use crate::stage::BenchSetup;
use crate::stamp;

/// The most offers in one bid.
const OFFERS: usize = 16;

/// The tasks of a run, as far as the load needs to know them.
pub(super) struct Market {
    mix: Mix,
    market: Label,
    slots: Label,
    payload_bytes: usize,
    /// Tasks that each agent keeps under way in the closed loop.
    in_flight: u64,
    parties: Vec<Party>,
    /// Tasks that are committed and not assigned, for the mixes with bids.
    open: BTreeSet<TaskId>,
}

/// The tasks and the bid that one agent has under way.
#[derive(Debug)]
struct Party {
    key: PublicKey,
    /// The number of its next task.
    next_task: u64,
    /// Its tasks that have not ended; with [`Mix::PileUp`], those that are not committed.
    tasks: u64,
    /// Whether a bid is on its way.
    bidding: bool,
    /// The tasks that its live bid is on.
    offered: BTreeSet<TaskId>,
}

impl Market {
    pub(super) fn new(args: &Args, stage: &BenchSetup, agents: &[Agent]) -> Result<Self> {
        let party = |agent: &Agent| Party {
            key: agent.key(),
            next_task: 0,
            tasks: 0,
            bidding: false,
            offered: BTreeSet::new(),
        };

        Ok(Self {
            mix: args.mix,
            market: stage.market.clone(),
            slots: stage.slots.clone(),
            payload_bytes: usize::try_from(args.payload_bytes)?,
            in_flight: args.in_flight,
            parties: agents.iter().map(party).collect(),
            open: BTreeSet::new(),
        })
    }

    /// Returns how many tasks an agent may submit now in the closed loop.
    pub(super) fn wanted(&self, agent: usize) -> u64 {
        self.parties
            .get(agent)
            .map_or(0, |party| self.in_flight.saturating_sub(party.tasks))
    }

    /// Returns the next task of an agent, which was due at `when`, in microseconds of Unix time.
    pub(super) fn submit(&mut self, agent: usize, when: u64) -> Option<Say> {
        let party = self.parties.get_mut(agent)?;
        let number = party.next_task;
        party.next_task += 1;
        party.tasks += 1;

        let mut spec = TaskSpec::new(self.market.clone());
        spec.payload = stamp::stamped(when, self.payload_bytes);
        Some(Say::Submit {
            number,
            spec: Box::new(spec),
        })
    }

    /// Takes in that an operation of an agent is committed. Returns the operation with which the
    /// same agent goes on, if there is one.
    pub(super) fn on_settled(&mut self, agent: usize, said: &Say) -> Option<Say> {
        match said {
            Say::Submit { number, .. } => return self.on_submitted(agent, *number),
            Say::Cancel(_) => self.on_ended(agent),
            Say::Bid { offers, .. } => self.on_bid(agent, offers),
            Say::Complete(task, _) => {
                let mut parties = self.parties.iter();
                if let Some(requester) = parties.position(|party| party.key == task.requester) {
                    self.on_ended(requester);
                }
            }

            Say::Admit(_) | Say::Accept(..) => {}
        }

        None
    }

    /// Takes in that a task of an agent is open. Returns the operation that ends it, if its
    /// requester ends it.
    fn on_submitted(&mut self, agent: usize, number: u64) -> Option<Say> {
        let requester = self.parties.get(agent)?.key;
        let task = TaskId { requester, number };

        match self.mix {
            Mix::SubmitCancel => return Some(Say::Cancel(task)),
            // The task stays open, and the agent goes on as if it had ended.
            Mix::PileUp => self.on_ended(agent),
            Mix::FirstPrice | Mix::Assignment => {
                self.open.insert(task);
            }
        }

        None
    }

    fn on_bid(&mut self, agent: usize, offers: &[Offer]) {
        let Some(party) = self.parties.get_mut(agent) else {
            return;
        };

        let tasks = offers.iter().map(|offer| offer.task);
        // Tasks may have been assigned since the bid was made.
        party.offered = tasks.filter(|task| self.open.contains(task)).collect();
        party.bidding = false;
    }

    fn on_ended(&mut self, requester: usize) {
        if let Some(party) = self.parties.get_mut(requester) {
            party.tasks = party.tasks.saturating_sub(1);
        }
    }

    /// Takes in that a task was assigned.
    pub(super) fn on_assigned(&mut self, task: &TaskId) {
        self.open.remove(task);
    }

    /// Takes in that the market cleared, which ends all bids.
    pub(super) fn on_cleared(&mut self) {
        self.parties
            .iter_mut()
            .for_each(|party| party.offered.clear());
    }

    /// Returns the bid that an agent makes now; `None` if it makes none.
    pub(super) fn bid(&mut self, agent: usize) -> Option<Say> {
        let tasks = self.tasks_to_bid_on(agent)?;
        if tasks.is_empty() {
            return None;
        }

        let budget = match self.mix {
            // An agent gets at most one task of a clearing (M-13).
            Mix::Assignment => 1,
            Mix::SubmitCancel | Mix::PileUp | Mix::FirstPrice => tasks.len() as i64,
        };

        let offers = tasks.iter().map(|task| Offer {
            task: *task,
            price: price(task, agent),
        });

        self.parties.get_mut(agent)?.bidding = true;
        Some(Say::Bid {
            market: self.market.clone(),
            budget: [(self.slots.clone(), budget)].into(),
            offers: offers.collect(),
        })
    }

    /// Returns the tasks that an agent bids on now; `None` if it must not bid.
    fn tasks_to_bid_on(&self, agent: usize) -> Option<Vec<TaskId>> {
        let party = self.parties.get(agent).filter(|party| !party.bidding)?;

        match self.mix {
            Mix::SubmitCancel | Mix::PileUp => None,
            Mix::FirstPrice => {
                let tasks = self.tasks_of(self.before(agent)?);
                // A bid that offers nothing new would only cost.
                let news = tasks.iter().any(|task| !party.offered.contains(task));
                news.then_some(tasks)
            }
            Mix::Assignment => party.offered.is_empty().then(|| self.some_tasks(agent)),
        }
    }

    /// Returns the requester whose tasks this agent does with [`Mix::FirstPrice`]: the agent before
    /// it.
    fn before(&self, agent: usize) -> Option<PublicKey> {
        let before = agent
            .checked_sub(1)
            .unwrap_or(self.parties.len().checked_sub(1)?);
        self.parties.get(before).map(|party| party.key)
    }

    fn tasks_of(&self, requester: PublicKey) -> Vec<TaskId> {
        let all = TaskId {
            requester,
            number: 0,
        }..=TaskId {
            requester,
            number: u64::MAX,
        };
        self.open.range(all).take(OFFERS).copied().collect()
    }

    /// Returns open tasks, ascending. Each agent takes them from a place of its own on.
    fn some_tasks(&self, agent: usize) -> Vec<TaskId> {
        let start = agent * self.open.len() / self.parties.len().max(1);
        let mut some: Vec<_> = self
            .open
            .iter()
            .chain(&self.open)
            .skip(start)
            .take(OFFERS)
            .copied()
            .collect();

        some.sort();
        some.dedup();
        some
    }
}

/// Returns a price from 1 to 97 that differs by task and agent, and is the same in each run.
fn price(task: &TaskId, agent: usize) -> Price {
    let mixed = task.number.wrapping_mul(31) + 17 * agent as u64;
    (mixed % 97 + 1) as Price
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use quorate_crypto::SecretKey;

    use super::*;

    const AGENTS: usize = 8;
    const IN_FLIGHT: u64 = 3;
    const HEIGHTS: usize = 100;

    fn market(mix: Mix) -> Market {
        let party = |agent: usize| Party {
            key: SecretKey::from_seed(&[agent as u8; 32]).public_key(),
            next_task: 0,
            tasks: 0,
            bidding: false,
            offered: BTreeSet::new(),
        };

        Market {
            mix,
            market: "bench".parse().unwrap(),
            slots: "slots".parse().unwrap(),
            payload_bytes: 64,
            in_flight: IN_FLIGHT,
            parties: (0..AGENTS).map(party).collect(),
            open: BTreeSet::new(),
        }
    }

    /// Commits everything that is said at one height with the next one. Returns the tasks that were
    /// submitted, and the most that were open after a height.
    fn run(mix: Mix) -> (usize, usize) {
        let mut market = market(mix);
        let mut said: Vec<(usize, Say)> = Vec::new();
        let mut open = BTreeSet::new();
        let (mut submitted, mut most_open) = (0, 0);

        for _ in 0..HEIGHTS {
            let committed = std::mem::take(&mut said);
            for (agent, say) in committed {
                match &say {
                    Say::Submit { number, .. } => open.insert((agent, *number)),
                    Say::Cancel(task) => open.remove(&(agent, task.number)),
                    other => unreachable!("nobody bids: {other:?}"),
                };
                let next = market.on_settled(agent, &say);
                said.extend(next.map(|say| (agent, say)));
            }

            for agent in 0..AGENTS {
                assert!(market.bid(agent).is_none());
                for _ in 0..market.wanted(agent) {
                    said.push((agent, market.submit(agent, 0).unwrap()));
                    submitted += 1;
                }
            }

            most_open = open.len().max(most_open);
        }

        (submitted, most_open)
    }

    #[test]
    fn open_tasks_do_not_pile_up_if_their_requesters_cancel_them() {
        let all_under_way = AGENTS * IN_FLIGHT as usize;
        let (submitted, most_open) = run(Mix::SubmitCancel);
        assert_eq!(most_open, all_under_way);
        assert_eq!(submitted, all_under_way * HEIGHTS / 2);
    }

    #[test]
    fn open_tasks_pile_up_by_name() {
        let (submitted, most_open) = run(Mix::PileUp);
        assert_eq!(submitted, AGENTS * IN_FLIGHT as usize * HEIGHTS);
        // Those of the last height are not committed.
        assert_eq!(most_open, AGENTS * IN_FLIGHT as usize * (HEIGHTS - 1));
    }
}
