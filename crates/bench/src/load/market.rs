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
    /// Tasks that are committed and not assigned.
    open: BTreeSet<TaskId>,
}

/// The tasks and the bid that one agent has under way.
#[derive(Debug)]
struct Party {
    key: PublicKey,
    /// The number of its next task.
    next_task: u64,
    /// Its tasks that have not ended; with [`Mix::Submit`], those that are not committed.
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

    /// Takes in that an operation of an agent is committed.
    pub(super) fn on_settled(&mut self, agent: usize, said: &Say) {
        match said {
            // Nobody bids, so nothing more happens to a task that is committed.
            Say::Submit { .. } if self.mix == Mix::Submit => self.on_ended(agent),
            Say::Submit { number, .. } => {
                let requester = self.parties.get(agent).map(|party| party.key);
                self.open.extend(requester.map(|requester| TaskId {
                    requester,
                    number: *number,
                }));
            }

            Say::Bid { offers, .. } => self.on_bid(agent, offers),
            Say::Complete(task, _) => {
                let mut parties = self.parties.iter();
                if let Some(requester) = parties.position(|party| party.key == task.requester) {
                    self.on_ended(requester);
                }
            }

            Say::Admit(_) | Say::Accept(..) => {}
        }
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
            Mix::Submit | Mix::FirstPrice => tasks.len() as i64,
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
            Mix::Submit => None,
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
