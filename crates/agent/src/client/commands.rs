//! The commands of a light client's owner: submit, bid, cancel, report.

use quorate_types::operation::{Bid, Cancel, Offer, Seal, Submit};
use quorate_types::task::{TaskSpecError, check_amounts, check_price};
use quorate_types::{
    Amounts, FencingToken, Label, MonotonicMillis, OperationBody, TaskId, TaskSpec, cbor, limits,
};

use super::{LightClient, work};
use crate::AgentReport;

/// The room in a submit operation for everything but the tasks, in bytes.
const ENVELOPE: usize = 1024;

/// The reason why a command was not carried out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClientError {
    /// The swarm does not know the key yet; wait for [`super::ClientEvent::Ready`].
    #[error("the swarm does not know this key yet")]
    NotReady,
    /// A task, price or budget is outside of its limits.
    #[error(transparent)]
    Limits(#[from] TaskSpecError),
    /// There is no offer, there are more than [`limits::OFFERS_PER_BID`], or two are on one task.
    #[error(
        "a bid with {0} offers is not valid: it must have 1 to {max}, one for each task",
        max = limits::OFFERS_PER_BID
    )]
    Offers(usize),
    /// There is no pair, there are more than [`limits::TASKS_PER_CLEARING`], or two are for one
    /// task.
    #[error(
        "a solution with {0} pairs is not valid: it must have 1 to {max}, one for each task",
        max = limits::TASKS_PER_CLEARING
    )]
    Pairs(usize),
    /// The signed operation is longer than [`limits::OPERATION_BYTES`].
    #[error(
        "an operation of {0} bytes exceeds the limit of {max} bytes",
        max = limits::OPERATION_BYTES
    )]
    Operation(usize),
    /// The result is longer than [`limits::RESULT_BYTES`].
    #[error("a result of {0} bytes exceeds the limit of {max} bytes", max = limits::RESULT_BYTES)]
    Result(usize),
    /// The award is not held, or was reported on before.
    #[error("no award of {task} under token {token} is held, or it was reported on before")]
    NotHeld {
        /// The task of the award.
        task: TaskId,
        /// The fencing token of the award.
        token: FencingToken,
    },
}

impl LightClient {
    /// Submits tasks in as few operations as the limits allow. Returns their names, in the same
    /// order.
    ///
    /// # Errors
    /// [`ClientError::NotReady`]; [`ClientError::Limits`], and then no task is submitted.
    pub fn submit(
        &mut self,
        specs: Vec<TaskSpec>,
        now: MonotonicMillis,
    ) -> Result<Vec<TaskId>, ClientError> {
        self.check_ready()?;
        specs.iter().try_for_each(TaskSpec::check)?;

        let mut ids = Vec::with_capacity(specs.len());
        // The client gives out the numbers, so the names are known before the swarm answers.
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

            self.outbox
                .push(OperationBody::Submit(Submit { first, tasks }));
        }

        self.flush(now);
        Ok(ids)
    }

    /// Bids on tasks of one market. The bid replaces this agent's earlier bids in the window.
    ///
    /// In a sealed market, the client commits to the offers for the window that was called last,
    /// and opens them once the swarm takes no more commitments. The first price for a task in a
    /// window stands. A bid that comes while commitments are being opened is too late, and is
    /// dropped silently. A client that is restarted does not know its commitments, and defaults.
    ///
    /// # Errors
    /// [`ClientError::NotReady`], [`ClientError::Offers`] or [`ClientError::Limits`].
    pub fn bid(
        &mut self,
        market: Label,
        budget: Amounts,
        offers: Vec<Offer>,
        now: MonotonicMillis,
    ) -> Result<(), ClientError> {
        self.check_ready()?;
        check_amounts(&budget)?;
        let offers = ordered(offers)?;

        if let Some(body) = self.bid_body(market, budget, offers) {
            self.outbox.push(body);
        }

        self.flush(now);
        Ok(())
    }

    /// Returns the operation of a bid. Returns `None` if the market is sealed and takes no more
    /// commitments.
    fn bid_body(
        &mut self,
        market: Label,
        budget: Amounts,
        offers: Vec<Offer>,
    ) -> Option<OperationBody> {
        if !self.seals.is_sealed(&market) {
            return Some(OperationBody::Bid(Bid {
                market,
                budget,
                offers,
            }));
        }

        // A commitment is for one window by its number (M-23), so it needs the last call.
        let window = self.calls.window(&market).unwrap_or(0);
        let offers = self.seals.seal(&self.key, &market, window, &offers)?;

        Some(OperationBody::Seal(Seal {
            market,
            window,
            budget,
            offers,
        }))
    }

    /// Cancels a task of this requester.
    ///
    /// # Errors
    /// [`ClientError::NotReady`] if the swarm does not know the key yet.
    pub fn cancel(&mut self, task: TaskId, now: MonotonicMillis) -> Result<(), ClientError> {
        self.check_ready()?;
        self.outbox.push(OperationBody::Cancel(Cancel { task }));
        self.flush(now);
        Ok(())
    }

    /// Carries out the report of an agent.
    ///
    /// # Errors
    /// The errors of [`Self::bid`], [`Self::complete`] and [`Self::fail`].
    pub fn report(&mut self, report: AgentReport, now: MonotonicMillis) -> Result<(), ClientError> {
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
    /// [`ClientError::NotHeld`] if the award is over, [`ClientError::Result`] if the detail is too
    /// long.
    pub fn complete(
        &mut self,
        task: TaskId,
        token: FencingToken,
        detail: Vec<u8>,
        now: MonotonicMillis,
    ) -> Result<(), ClientError> {
        if detail.len() > limits::RESULT_BYTES {
            return Err(ClientError::Result(detail.len()));
        }

        self.conclude(
            OperationBody::Complete(work::report(task, token, detail)),
            task,
            token,
            now,
        )
    }

    /// Reports that a task of this agent could not be done. The detail is cut to its limit.
    ///
    /// # Errors
    /// [`ClientError::NotHeld`] if the award is over.
    pub fn fail(
        &mut self,
        task: TaskId,
        token: FencingToken,
        detail: Vec<u8>,
        now: MonotonicMillis,
    ) -> Result<(), ClientError> {
        self.conclude(
            OperationBody::Fail(work::report(task, token, detail)),
            task,
            token,
            now,
        )
    }

    fn conclude(
        &mut self,
        body: OperationBody,
        task: TaskId,
        token: FencingToken,
        now: MonotonicMillis,
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

/// Returns the offers in ascending order by their tasks, if their number and prices are valid.
fn ordered(mut offers: Vec<Offer>) -> Result<Vec<Offer>, ClientError> {
    offers.sort_by_key(|offer| offer.task);
    let distinct = offers.is_sorted_by(|a, b| a.task < b.task);
    if offers.is_empty() || offers.len() > limits::OFFERS_PER_BID || !distinct {
        return Err(ClientError::Offers(offers.len()));
    }

    for offer in &offers {
        check_price(offer.price)?;
    }

    Ok(offers)
}

/// Splits tasks into parts that fit into one operation each, by count and by bytes.
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
