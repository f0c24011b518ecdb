//! The runner, which connects agents with a light client by futures, on any executor.

use std::collections::{BTreeMap, VecDeque};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use futures::FutureExt;
use futures::future::BoxFuture;
use futures::stream::{FuturesUnordered, Stream};
use quorate_types::message::Call;
use quorate_types::operation::Offer as TaskOffer;
use quorate_types::{Amounts, Capabilities, FencingToken, Label, TaskId, TaskSpec, limits, slots};

use crate::{
    Agent, Award, CallForBids, ClientEvent, LeaseControl, LeaseGuard, LossCause, TaskError,
    TaskOutput, Timer,
};

/// Runs the agents of one key: asks the idle ones for bids, and has them execute what they win.
///
/// Give every [`ClientEvent`] of the light client to [`Self::handle_event`], and give each
/// [`AgentReport`] that the stream yields to [`crate::LightClient::report`]. The stream never ends.
pub struct AgentRunner {
    capabilities: Capabilities,
    timer: Arc<dyn Timer>,
    /// The number of agents.
    slots: usize,
    idle: Vec<Box<dyn Agent>>,
    work: FuturesUnordered<BoxFuture<'static, Done>>,
    /// The awards, until their execution ended and the swarm took the report. The ledger frees the
    /// slot only then: it would refuse a bid in the same block as the report.
    leases: BTreeMap<(TaskId, FencingToken), Running>,
    waiting: VecDeque<(Award, LeaseGuard)>,
    /// The newest call of each market that no agent was asked about yet.
    calls: BTreeMap<Label, Call>,
    /// The newest call of each market from before the swarm knew the key. A bid on it would have
    /// been lost, so it waits.
    early: BTreeMap<Label, Call>,
    /// Whether the swarm knows the key.
    ready: bool,
    waker: Option<Waker>,
}

/// A report of the agents to the swarm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AgentReport {
    /// Offers on open tasks of a market.
    Bid {
        /// The market of the tasks.
        market: Label,
        /// The amounts that are reserved: enough for any one offer, or as the agent said.
        budget: Amounts,
        /// The offers, at least one, ascending by task.
        offers: Vec<TaskOffer>,
    },
    /// A task is done.
    Completed {
        /// The task of the award.
        task: TaskId,
        /// The token of the award.
        token: FencingToken,
        /// The result for the requester.
        outcome: TaskOutput,
    },
    /// A task was not done.
    Failed {
        /// The task of the award.
        task: TaskId,
        /// The token of the award.
        token: FencingToken,
        /// The reason why it was not done.
        error: TaskError,
    },
}

struct Running {
    control: Option<LeaseControl>,
    demand: Amounts,
    /// Whether the execution ended.
    done: bool,
    /// Whether the swarm has ended the award.
    over: bool,
}

enum Done {
    Asked(Box<dyn Agent>, Option<AgentReport>),
    Executed(
        Box<dyn Agent>,
        (TaskId, FencingToken),
        Result<TaskOutput, TaskError>,
    ),
}

impl AgentRunner {
    /// Makes a runner with one agent for each slot. The capabilities of the first count for all of
    /// them. Without any agent, it neither bids nor works.
    pub fn new(agents: Vec<Box<dyn Agent>>, timer: Arc<dyn Timer>) -> Self {
        let capabilities = agents
            .first()
            .map(|agent| agent.capabilities())
            .unwrap_or_default();

        Self {
            capabilities,
            timer,
            slots: agents.len(),
            idle: agents,
            work: FuturesUnordered::new(),
            leases: BTreeMap::new(),
            waiting: VecDeque::new(),
            calls: BTreeMap::new(),
            early: BTreeMap::new(),
            ready: false,
            waker: None,
        }
    }

    /// Returns the capabilities that the agents' attestations claim.
    pub fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    /// Returns the number of awards that wait, are worked on, or whose report is on its way.
    pub fn running(&self) -> usize {
        self.leases.len()
    }

    /// Handles an event. Events that do not concern agents have no effect. Agents are asked for
    /// bids from [`ClientEvent::Ready`] on, since a bid before it would be lost; calls that come
    /// earlier wait for it.
    pub fn handle_event(&mut self, event: &ClientEvent) {
        match event {
            ClientEvent::Ready => self.on_ready(),
            ClientEvent::Call(call) => self.on_call(call),
            ClientEvent::Award(award) => self.on_award(award),
            ClientEvent::LeaseLost { task, token, cause } => {
                self.on_loss(*task, *token);
                if *cause != LossCause::OutOfReach {
                    self.on_end(*task, *token);
                }
            }
            ClientEvent::Reported { task, token, .. } => self.on_end(*task, *token),
            _ => return,
        }

        self.start();
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    fn on_ready(&mut self) {
        self.ready = true;
        self.calls.append(&mut self.early);
    }

    fn on_call(&mut self, call: &Call) {
        let calls = match self.ready {
            true => &mut self.calls,
            false => &mut self.early,
        };
        calls.insert(call.market.clone(), call.clone());
    }

    fn on_award(&mut self, award: &Award) {
        let id = (award.task, award.token);
        if self.leases.contains_key(&id) {
            return;
        }

        let (guard, control) = LeaseGuard::new(self.timer.clone());
        let demand = award.spec.demand_or_slot();
        self.leases.insert(
            id,
            Running {
                control: Some(control),
                demand,
                done: false,
                over: false,
            },
        );

        self.waiting.push_back((award.clone(), guard));
    }

    fn on_loss(&mut self, task: TaskId, token: FencingToken) {
        let Some(running) = self.leases.get_mut(&(task, token)) else {
            return;
        };
        if let Some(control) = running.control.take() {
            control.lose();
        }
    }

    /// Notes that the swarm has the slot free again. Calls that came before are out of date, and
    /// new ones follow.
    fn on_end(&mut self, task: TaskId, token: FencingToken) {
        let Some(running) = self.leases.get_mut(&(task, token)) else {
            return;
        };

        running.over = true;
        let before = self.waiting.len();
        self.waiting
            .retain(|(award, _)| (award.task, award.token) != (task, token));

        // An execution that still runs removes its award itself when it ends.
        if running.done || self.waiting.len() < before {
            self.leases.remove(&(task, token));
        }

        self.calls.clear();
    }

    /// Gives idle agents the work that there is, awards first.
    fn start(&mut self) {
        while let Some(agent) = self.idle.pop() {
            // The lease of an award is running, so awards go before bids.
            if let Some((award, guard)) = self.waiting.pop_front() {
                self.work.push(execute(agent, award, guard).boxed());
            } else if self.leases.len() < self.slots
                && let Some((_, call)) = self.calls.pop_first()
            {
                let calls = self.fitting(call);
                self.work.push(ask_for_offers(agent, calls).boxed());
            } else {
                self.idle.push(agent);
                return;
            }
        }
    }

    /// Returns the tasks of a call that the agents claim to be able to do with their free amounts.
    fn fitting(&self, call: Call) -> Vec<CallForBids> {
        let free = self.free();
        let fits = |spec: &TaskSpec| {
            spec.requires.labels.is_subset(&self.capabilities.labels)
                && covers(&self.capabilities.amounts, &spec.requires.amounts)
                && covers(&free, &spec.demand_or_slot())
        };

        let tasks = call.tasks.into_iter().filter(|(_, spec)| fits(spec));
        tasks
            .map(|(task, spec)| CallForBids {
                market: call.market.clone(),
                window: call.window,
                task,
                spec,
                free: free.clone(),
            })
            .collect()
    }

    /// Returns the claimed amounts less those that awards in force take.
    fn free(&self) -> Amounts {
        let mut free = self.capabilities.amounts.clone();
        slots::ensure_slots(&mut free);

        for (dimension, amount) in self.leases.values().flat_map(|running| &running.demand) {
            if let Some(left) = free.get_mut(dimension) {
                *left = left.saturating_sub(*amount);
            }
        }
        free
    }

    fn on_done(&mut self, done: Done) -> Option<AgentReport> {
        match done {
            Done::Asked(agent, report) => {
                self.idle.push(agent);
                report
            }

            Done::Executed(agent, (task, token), result) => {
                self.idle.push(agent);
                if let Some(running) = self.leases.get_mut(&(task, token)) {
                    running.done = true;
                    if running.over {
                        self.leases.remove(&(task, token));
                    }
                }

                Some(match result.and_then(within_limit) {
                    Ok(outcome) => AgentReport::Completed {
                        task,
                        token,
                        outcome,
                    },
                    Err(error) => AgentReport::Failed { task, token, error },
                })
            }
        }
    }
}

impl Stream for AgentRunner {
    type Item = AgentReport;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<AgentReport>> {
        while let Poll::Ready(Some(done)) = Pin::new(&mut self.work).poll_next(cx) {
            let report = self.on_done(done);
            self.start();
            if report.is_some() {
                return Poll::Ready(report);
            }
        }

        // The next event may bring work.
        self.waker = Some(cx.waker().clone());
        Poll::Pending
    }
}

impl std::fmt::Debug for AgentRunner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AgentRunner")
            .field("idle", &self.idle.len())
            .field("leases", &self.leases.len())
            .finish_non_exhaustive()
    }
}

/// Has an agent execute an award.
async fn execute(mut agent: Box<dyn Agent>, award: Award, guard: LeaseGuard) -> Done {
    let id = (award.task, award.token);
    let result = agent.execute(award, guard).await;
    Done::Executed(agent, id, result)
}

/// Has an agent make offers on the tasks of a window.
async fn ask_for_offers(mut agent: Box<dyn Agent>, calls: Vec<CallForBids>) -> Done {
    let report = ask(agent.as_mut(), &calls).await;
    Done::Asked(agent, report)
}

/// Asks one agent for offers on the tasks of a window. Its budget holds any one of them, unless the
/// agent wants another budget.
async fn ask(agent: &mut dyn Agent, calls: &[CallForBids]) -> Option<AgentReport> {
    let mut budget = Amounts::new();
    let mut offers = Vec::new();

    for call in calls {
        let Some(offer) = agent.bid(call).await else {
            continue;
        };
        offers.push(TaskOffer {
            task: call.task,
            price: offer.price.clamp(0, limits::PRICE),
        });

        // Any one of the offers must fit, so the greatest demand in each dimension is reserved.
        raise(&mut budget, call.spec.demand_or_slot());
    }

    let CallForBids { market, free, .. } = calls.first()?;
    let wanted = agent.budget(budget, free);

    (!offers.is_empty()).then(|| AgentReport::Bid {
        market: market.clone(),
        budget: capped(wanted, free),
        offers,
    })
}

/// Raises amounts to at least `demand` in each dimension.
fn raise(amounts: &mut Amounts, demand: Amounts) {
    for (dimension, amount) in demand {
        let reserved = amounts.entry(dimension).or_insert(0);
        *reserved = amount.max(*reserved);
    }
}

/// Returns the amounts, each at most as large as the free one.
fn capped(mut amounts: Amounts, free: &Amounts) -> Amounts {
    for (dimension, amount) in &mut amounts {
        *amount = (*amount).min(free.get(dimension).copied().unwrap_or(0));
    }

    amounts
}

fn within_limit(outcome: TaskOutput) -> Result<TaskOutput, TaskError> {
    let bytes = outcome.detail.len();
    if bytes > limits::RESULT_BYTES {
        let limit = limits::RESULT_BYTES;
        return Err(TaskError::failed(format_args!(
            "the result has {bytes} bytes, the limit is {limit}"
        )));
    }
    Ok(outcome)
}

fn covers(have: &Amounts, want: &Amounts) -> bool {
    want.iter()
        .all(|(dimension, amount)| have.get(dimension).copied().unwrap_or(0) >= *amount)
}
