//! The commands of a light client's owner: submit, bid, cancel, report, fetch, solve.

use quorate_types::operation::{Bid, Cancel, Offer, Pair, Solve};
use quorate_types::task::{check_amounts, check_price};
use quorate_types::{
    Amounts, FencingToken, Hash, Label, MonotonicMillis, Operation, OperationBody, TaskId,
    TaskSpec, limits,
};

use super::asked::Wanted;
use super::cx::Cx;
use super::error::ClientError;
use super::light_client::LightClient;
use super::standing_bids::are_pairs;
use super::work;
use crate::AgentReport;

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
        Ok(self.open(specs, now))
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
        let bid = Bid {
            market,
            budget,
            offers: ordered(offers)?,
        };

        self.offer(bid, now);
        Ok(())
    }

    /// Cancels a task of this requester.
    ///
    /// # Errors
    /// [`ClientError::NotReady`] if the swarm does not know the key yet.
    pub fn cancel(&mut self, task: TaskId, now: MonotonicMillis) -> Result<(), ClientError> {
        self.check_ready()?;
        self.operate(OperationBody::Cancel(Cancel { task }), now);
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

        let report = work::report(task, token, detail);
        self.conclude(OperationBody::Complete(report), task, token, now)
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
        let report = work::report(task, token, detail);
        self.conclude(OperationBody::Fail(report), task, token, now)
    }

    /// Fetches the dossier of a clearing, named by the hash of its record, and the certificate of
    /// the record. The answer is [`crate::ClientEvent::Dossier`], once for all requests that come
    /// meanwhile.
    pub fn fetch_dossier(&mut self, clearing: Hash, now: MonotonicMillis) {
        self.fetch(Wanted::Dossier(clearing), now);
    }

    /// Fetches the problem of a window that takes solutions ([`crate::ClientEvent::Solve`]). The
    /// answer is [`crate::ClientEvent::StandingBids`], once for all requests that come meanwhile.
    pub fn fetch_bids(&mut self, market: Label, window: u64, now: MonotonicMillis) {
        self.fetch(Wanted::Bids(market, window), now);
    }

    /// Proposes a solution for a window that takes solutions: pairs of task and winner, in any
    /// order. It is refused ([`crate::ClientEvent::Refused`]) if a pair does not hold, if it is not
    /// better than each solution that is kept, or if the window is over.
    ///
    /// # Errors
    /// [`ClientError::NotReady`]; [`ClientError::Pairs`] if there is no pair, if there are too
    /// many, or if two are for one task; [`ClientError::Operation`] if they do not fit into an
    /// operation, which holds some 880.
    pub fn solve(
        &mut self,
        market: Label,
        window: u64,
        mut pairs: Vec<Pair>,
        now: MonotonicMillis,
    ) -> Result<(), ClientError> {
        self.check_ready()?;
        pairs.sort_unstable();
        if !are_pairs(&pairs) {
            return Err(ClientError::Pairs(pairs.len()));
        }

        let body = OperationBody::Solve(Solve {
            market,
            window,
            pairs,
        });

        let bytes = longest_operation(&self.cx(now), &body);
        if bytes > limits::OPERATION_BYTES {
            return Err(ClientError::Operation(bytes));
        }

        self.operate(body, now);
        Ok(())
    }
}

/// Returns the most bytes that a signed operation with this body may have.
fn longest_operation(cx: &Cx, body: &OperationBody) -> usize {
    // It is signed here only to measure it, with the number whose encoding is longest.
    let operation = Operation {
        swarm: cx.swarm(),
        agent: cx.me(),
        sequence: u64::MAX,
        body: body.clone(),
    };

    cx.key().sign(operation).bytes().len()
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
