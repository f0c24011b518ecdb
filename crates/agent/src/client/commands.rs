//! What the owner of a light client wants said.

use quorate_types::operation::{Bid, Cancel, Offer, Submit};
use quorate_types::task::{TaskSpecError, check_amounts, check_price};
use quorate_types::{Amounts, Body, FencingToken, Label, Millis, TaskId, TaskSpec, cbor, limits};

use super::{LightClient, work};
use crate::AgentReport;

/// Room in a submit operation for what is not tasks.
const ENVELOPE: usize = 1024;

/// Why something could not be said.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClientError {
    /// The swarm does not know the key yet; wait for [`super::Event::Ready`].
    #[error("the swarm does not know this key yet")]
    NotReady,
    /// A task, price or budget is out of its limits.
    #[error(transparent)]
    Limits(#[from] TaskSpecError),
    /// More than [`limits::OFFERS_PER_BID`] offers, or two on one task.
    #[error("{0} offers, must be 1 to {max}, one for each task", max = limits::OFFERS_PER_BID)]
    Offers(usize),
    /// No pair of a solution, more than [`limits::TASKS_PER_CLEARING`], or two for one task.
    #[error("{0} pairs, must be 1 to {max}, one for each task", max = limits::TASKS_PER_CLEARING)]
    Pairs(usize),
    /// More than [`limits::OPERATION_BYTES`], signed.
    #[error("an operation of {0} bytes, the limit is {max}", max = limits::OPERATION_BYTES)]
    Operation(usize),
    /// More than [`limits::RESULT_BYTES`].
    #[error("a result of {0} bytes, the limit is {max}", max = limits::RESULT_BYTES)]
    Result(usize),
    /// The award is not held, or was reported on before.
    #[error("no award of {task} under token {token} is held")]
    NotHeld {
        /// Task.
        task: TaskId,
        /// Token.
        token: FencingToken,
    },
}

impl LightClient {
    /// Submits tasks in as few operations as limits allow; returns their names, in order.
    ///
    /// # Errors
    /// [`ClientError::NotReady`], or [`ClientError::Limits`] and then none is submitted.
    pub fn submit(
        &mut self,
        specs: Vec<TaskSpec>,
        now: Millis,
    ) -> Result<Vec<TaskId>, ClientError> {
        self.check_ready()?;
        specs.iter().try_for_each(TaskSpec::check)?;
        let mut ids = Vec::with_capacity(specs.len());
        for tasks in batches(specs) {
            let first = self.next_task;
            self.next_task += tasks.len() as u64;
            for number in first..self.next_task {
                let task = TaskId {
                    requester: self.me,
                    number,
                };
                self.orders.open(task);
                ids.push(task);
            }
            self.outbox.push(Body::Submit(Submit { first, tasks }));
        }
        self.flush(now);
        Ok(ids)
    }

    /// Bids on tasks of one market; replaces this agent's earlier bids in the window.
    ///
    /// In a sealed market it commits to the offers, for the window that was called last, and opens
    /// them once the swarm takes no more. The first price for a task in a window stands. What comes
    /// while commitments are being opened is for nobody, and not said. A client that is started
    /// again does not know what it committed to, and defaults.
    ///
    /// # Errors
    /// [`ClientError::NotReady`], [`ClientError::Offers`] or [`ClientError::Limits`].
    pub fn bid(
        &mut self,
        market: Label,
        budget: Amounts,
        mut offers: Vec<Offer>,
        now: Millis,
    ) -> Result<(), ClientError> {
        self.check_ready()?;
        check_amounts(&budget)?;
        offers.sort_by_key(|offer| offer.task);
        let distinct = offers.is_sorted_by(|a, b| a.task < b.task);
        if offers.is_empty() || offers.len() > limits::OFFERS_PER_BID || !distinct {
            return Err(ClientError::Offers(offers.len()));
        }
        offers
            .iter()
            .try_for_each(|offer| check_price(offer.price))?;
        let body = if self.seals.is_sealed(&market) {
            let window = self.calls.window(&market).unwrap_or(0);
            self.seals
                .seal(&self.key, (market, window), budget, &offers)
        } else {
            Some(Body::Bid(Bid {
                market,
                budget,
                offers,
            }))
        };
        body.into_iter().for_each(|body| self.outbox.push(body));
        self.flush(now);
        Ok(())
    }

    /// Cancels a task of this requester.
    ///
    /// # Errors
    /// [`ClientError::NotReady`].
    pub fn cancel(&mut self, task: TaskId, now: Millis) -> Result<(), ClientError> {
        self.check_ready()?;
        self.outbox.push(Body::Cancel(Cancel { task }));
        self.flush(now);
        Ok(())
    }

    /// Says what agents have to say.
    ///
    /// # Errors
    /// As [`Self::bid`], [`Self::complete`] and [`Self::fail`].
    pub fn report(&mut self, report: AgentReport, now: Millis) -> Result<(), ClientError> {
        match report {
            AgentReport::Bid {
                market,
                budget,
                offers,
            } => self.bid(market, budget, offers, now),
            AgentReport::Completed {
                task,
                token,
                outcome,
            } => self.complete(task, token, outcome.detail, now),
            AgentReport::Failed { task, token, error } => {
                self.fail(task, token, error.to_string().into_bytes(), now)
            }
        }
    }

    /// Reports a task of this agent as done.
    ///
    /// # Errors
    /// [`ClientError::NotHeld`] where the award is over, [`ClientError::Result`] where the detail
    /// is too long.
    pub fn complete(
        &mut self,
        task: TaskId,
        token: FencingToken,
        detail: Vec<u8>,
        now: Millis,
    ) -> Result<(), ClientError> {
        if detail.len() > limits::RESULT_BYTES {
            return Err(ClientError::Result(detail.len()));
        }
        self.conclude(
            Body::Complete(work::report(task, token, detail)),
            task,
            token,
            now,
        )
    }

    /// Reports that a task of this agent could not be done. The detail is cut to its limit.
    ///
    /// # Errors
    /// [`ClientError::NotHeld`] where the award is over.
    pub fn fail(
        &mut self,
        task: TaskId,
        token: FencingToken,
        detail: Vec<u8>,
        now: Millis,
    ) -> Result<(), ClientError> {
        self.conclude(
            Body::Fail(work::report(task, token, detail)),
            task,
            token,
            now,
        )
    }

    fn conclude(
        &mut self,
        body: Body,
        task: TaskId,
        token: FencingToken,
        now: Millis,
    ) -> Result<(), ClientError> {
        if !self.work.owes(task, token) {
            return Err(ClientError::NotHeld { task, token });
        }
        self.work.report(task, body.clone());
        self.outbox.push(body);
        self.flush(now);
        Ok(())
    }

    pub(super) fn check_ready(&self) -> Result<(), ClientError> {
        if self.member {
            Ok(())
        } else {
            Err(ClientError::NotReady)
        }
    }
}

/// Cuts tasks so that each part fits into one operation by count and by bytes.
fn batches(specs: Vec<TaskSpec>) -> Vec<Vec<TaskSpec>> {
    let mut batches: Vec<Vec<TaskSpec>> = Vec::new();
    let mut bytes = 0;
    for spec in specs {
        let own = cbor::encode(&spec).len();
        match batches.last_mut() {
            Some(batch)
                if batch.len() < limits::TASKS_PER_OPERATION
                    && bytes + own <= limits::OPERATION_BYTES - ENVELOPE =>
            {
                bytes += own;
                batch.push(spec);
            }
            _ => {
                bytes = own;
                batches.push(vec![spec]);
            }
        }
    }
    batches
}
