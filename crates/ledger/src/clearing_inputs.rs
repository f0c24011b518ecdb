//! The inputs of a clearing: its tasks, its bidders, and its bids with the verdict on each. The
//! mechanism, the record and the dossier are made from it.
//!
//! Eligibility is judged here, after the revocations in the block (M-9).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use quorate_crypto::merkle;
use quorate_market::{Auction, Clearing, Mechanism, TieSeed, eligibility};
use quorate_types::operation::Pair;
use quorate_types::outcome::{
    BidInput, BidderInput, ClearingInput, ClearingRecord, Refusal, SolutionInput, TaskInput,
};
use quorate_types::{
    Amounts, Capabilities, Hash, Label, Market, OperationId, Price, PublicKey, Reason, SwarmId,
    TaskId, TaskSpec, cbor, limits,
};

use crate::Dossier;
use crate::run::Run;
use crate::state::{Index, Task};

/// A bidder in a clearing.
pub(crate) struct Candidate {
    pub operation: OperationId,
    capabilities: Capabilities,
    pub attestations: Vec<Hash>,
    budget: Amounts,
}

/// A bid with the verdict on it.
struct Judged {
    task: TaskId,
    agent: PublicKey,
    /// `None` for a commitment that was not opened.
    price: Option<Price>,
    excluded: Option<Reason>,
}

/// Everything that a clearing takes into account, each part ascending by its keys.
pub(crate) struct ClearingInputs<'a> {
    pub market: &'a Market,
    tasks: BTreeMap<TaskId, Arc<Task>>,
    pub candidates: BTreeMap<PublicKey, Candidate>,
    bids: Vec<Judged>,
    solutions: Vec<SolutionInput>,
}

impl Run<'_> {
    /// Returns the inputs of a clearing of all bids on these tasks, with the solutions of the
    /// market.
    pub(crate) fn clearing_inputs<'a>(
        &self,
        market: &'a Market,
        rule: &dyn Mechanism,
        tasks: &[TaskId],
    ) -> ClearingInputs<'a> {
        let ids: BTreeSet<TaskId> = tasks.iter().copied().collect();

        // The index holds live bids by task and agent, so they ascend as the inputs must.
        let bids = ids.iter().flat_map(|id| self.live_bids(*id));
        let mut clearing_inputs = self.clearing_inputs_with(market, rule, &ids, bids);
        clearing_inputs.solutions = self.solution_inputs(market);

        clearing_inputs
    }

    /// Returns the live bids on a task with their values in the index, ascending by agent.
    fn live_bids(&self, task: TaskId) -> impl Iterator<Item = (Pair, u64)> {
        let marks = self.view.marks(Index::bids(task));

        marks.filter_map(|(key, value)| match *key {
            Index::Bid(task, agent) => Some((Pair { task, agent }, value)),
            _ => None,
        })
    }

    /// Returns the inputs of a clearing of the bids that `pairs` name on these tasks, as far as
    /// such bids are live.
    pub(crate) fn clearing_inputs_of<'a>(
        &self,
        market: &'a Market,
        rule: &dyn Mechanism,
        pairs: &BTreeSet<Pair>,
        tasks: &BTreeSet<TaskId>,
    ) -> ClearingInputs<'a> {
        let named: BTreeSet<TaskId> = pairs.iter().map(|pair| pair.task).collect();

        // Only tasks that a clearing would take now count (M-29).
        let ids = named.intersection(tasks).copied().collect();

        let bids = pairs.iter().filter_map(|pair| {
            let value = self.view.value(&Index::Bid(pair.task, pair.agent))?;
            Some((*pair, value))
        });

        self.clearing_inputs_with(market, rule, &ids, bids)
    }

    /// Judges bids, which must ascend, and leaves out those on other tasks than `ids`.
    fn clearing_inputs_with<'a>(
        &self,
        market: &'a Market,
        rule: &dyn Mechanism,
        ids: &BTreeSet<TaskId>,
        bids: impl Iterator<Item = (Pair, u64)>,
    ) -> ClearingInputs<'a> {
        let mut clearing_inputs = self.inputs_without_bids(market, ids);

        for (Pair { task: id, agent }, value) in bids {
            // The tasks may be fewer than those that the bids are on.
            let Some(task) = clearing_inputs.tasks.get(&id) else {
                continue;
            };

            let candidate = clearing_inputs.candidates.entry(agent);
            let candidate = candidate.or_insert_with(|| self.candidate(&market.name, agent));

            let mut bid = Judged {
                task: id,
                agent,
                price: price_of(value),
                excluded: None,
            };

            let limit = limit_of_bids(market, rule, &task.spec);
            bid.excluded = self.judge(limit, task, candidate, &bid).err();
            clearing_inputs.bids.push(bid);
        }

        clearing_inputs
    }

    /// Returns the inputs with these tasks, as far as they exist, and nothing else yet.
    fn inputs_without_bids<'a>(
        &self,
        market: &'a Market,
        ids: &BTreeSet<TaskId>,
    ) -> ClearingInputs<'a> {
        let tasks = ids
            .iter()
            .filter_map(|id| Some((*id, Arc::clone(self.view.task(id)?))));

        ClearingInputs {
            market,
            tasks: tasks.collect(),
            candidates: BTreeMap::new(),
            bids: Vec::new(),
            solutions: Vec::new(),
        }
    }

    fn solution_inputs(&self, market: &Market) -> Vec<SolutionInput> {
        let inputs = self
            .solutions(&market.name)
            .map(|(agent, kept)| SolutionInput {
                agent,
                operation: kept.operation,
                pairs: kept.pairs.clone(),
            });

        inputs.collect()
    }

    /// Returns a bidder with its budget cut to what it has free now. The budget is 0 in a dimension
    /// that is not attested.
    fn candidate(&self, market: &Label, agent: PublicKey) -> Candidate {
        let (capabilities, attestations) = self.view.capabilities(agent, self.now.wall);
        let free = self.free(agent, market, &capabilities);

        let reservation = self.view.reservation(market, agent);

        let mut budget = reservation
            .map(|found| found.budget.clone())
            .unwrap_or_default();

        // More may be committed now than when the bid came (M-10).
        for (name, amount) in &mut budget {
            *amount = (*amount).min(free.get(name).copied().unwrap_or(0));
        }

        // A live bid always has its reservation, because the index follows from the entries.
        let operation = reservation.map_or(OperationId([0; 32]), |found| found.operation);

        Candidate {
            operation,
            capabilities,
            attestations,
            budget,
        }
    }

    /// Checks whether a bid takes part. The order of the checks is that of M-9.
    fn judge(
        &self,
        limit: Price,
        task: &Task,
        candidate: &Candidate,
        bid: &Judged,
    ) -> Result<(), Reason> {
        let spec = &task.spec;
        let price = bid.price.ok_or(Reason::Unopened)?;

        // An agent that lost the task once cannot win it again (L-17).
        if task.excluded.contains(&bid.agent) {
            return Err(Reason::ExcludedAfterFailure);
        }

        if spec
            .deadline
            .is_some_and(|deadline| deadline <= self.now.wall)
        {
            return Err(Reason::DeadlinePassed);
        }

        eligibility::check(&spec.requires, &candidate.capabilities)?;

        if price > limit {
            return Err(Reason::PriceTooHigh);
        }

        check_demand(spec, candidate)
    }
}

/// Checks that the demand of a task is attested of a bidder, and fits into its budget.
fn check_demand(spec: &TaskSpec, candidate: &Candidate) -> Result<(), Reason> {
    // A task without a demand takes one of `slots`.
    let demand = spec.demand_or_slot();
    let attested = &candidate.capabilities.amounts;

    if demand.keys().any(|name| !attested.contains_key(name)) {
        return Err(Reason::CapabilityNotAttested);
    }

    if !eligibility::fits(&demand, &candidate.budget) {
        return Err(Reason::OverBudget);
    }

    Ok(())
}

/// Returns the price of a live bid from its value in the index; `None` for a commitment that was
/// not opened.
fn price_of(value: u64) -> Option<Price> {
    let is_open = value != Index::SEALED;
    is_open.then(|| value.min(limits::PRICE as u64).cast_signed())
}

/// Returns the highest price at which a bid on a task takes part. In a double auction an ask that
/// trades with nobody may still set a price, so each of them takes part (M-9).
fn limit_of_bids(market: &Market, rule: &dyn Mechanism, spec: &TaskSpec) -> Price {
    if rule.about().takes_all_asks {
        limits::PRICE
    } else {
        limit(market, spec)
    }
}

/// Returns the highest price at which a task is assigned: the lowest of its own limit, the reserve
/// price of the market and the limit of the protocol.
fn limit(market: &Market, spec: &TaskSpec) -> Price {
    let limits = [spec.max_price, market.reserve, Some(limits::PRICE)];
    limits.into_iter().flatten().min().unwrap_or(limits::PRICE)
}

impl ClearingInputs<'_> {
    /// Returns what the mechanism sees: tasks, bidders, the bids that take part, and solutions.
    pub(crate) fn auction(&self, swarm: SwarmId) -> Auction {
        let tasks = self.tasks.iter().map(|(id, task)| quorate_market::Task {
            id: *id,
            demand: task.spec.demand_or_slot(),
            limit: limit(self.market, &task.spec),
        });

        let bidders = self
            .candidates
            .iter()
            .map(|(agent, candidate)| quorate_market::Bidder {
                agent: *agent,
                budget: candidate.budget.clone(),
            });

        let solutions = self.solutions.iter().map(|kept| kept.pairs.clone());

        Auction {
            tasks: tasks.collect(),
            bidders: bidders.collect(),
            bids: self.bids_that_take_part().collect(),
            solutions: solutions.collect(),
            ties: TieSeed {
                swarm,
                market: self.market.name.clone(),
            },
        }
    }

    /// Returns the bids that the mechanism sees. The excluded ones stand only in the record.
    fn bids_that_take_part(&self) -> impl Iterator<Item = quorate_market::Bid> {
        let live = self.bids.iter().filter(|bid| bid.excluded.is_none());

        live.filter_map(|bid| {
            Some(quorate_market::Bid {
                task: bid.task,
                agent: bid.agent,
                price: bid.price?,
            })
        })
    }

    /// Returns the reason why a pair of a solution does not hold. A bid that takes part but did not
    /// win exceeds its bidder's budget.
    pub(crate) fn why_not(&self, pair: &Pair) -> Reason {
        let place = |bid: &Judged| (bid.task, bid.agent).cmp(&(pair.task, pair.agent));
        let found = self.bids.binary_search_by(place).ok();

        match found.and_then(|at| self.bids.get(at)) {
            None => Reason::NoBid,
            Some(bid) => bid.excluded.unwrap_or(Reason::OverBudget),
        }
    }

    /// Returns all inputs of the clearing, in the order of the dossier (C-16).
    pub(crate) fn inputs(&self) -> Vec<ClearingInput> {
        let tasks = self.tasks.iter().map(|(id, task)| {
            ClearingInput::Task(TaskInput {
                task: *id,
                spec: task.spec_hash,
                demand: task.spec.demand_or_slot(),
                limit: limit(self.market, &task.spec),
            })
        });

        // The budgets as cut, since the mechanism sees these.
        let bidders = self.candidates.iter().map(|(agent, candidate)| {
            ClearingInput::Bidder(BidderInput {
                agent: *agent,
                budget: candidate.budget.clone(),
            })
        });

        let bids = self
            .bids
            .iter()
            .map(|bid| ClearingInput::Bid(self.bid_input(bid)));

        let solutions = self.solutions.iter().cloned().map(ClearingInput::Solution);

        tasks.chain(bidders).chain(bids).chain(solutions).collect()
    }

    /// Returns a bid with its verdict, as the dossier has it.
    fn bid_input(&self, bid: &Judged) -> BidInput {
        BidInput {
            task: bid.task,
            agent: bid.agent,
            price: bid.price,
            operation: self.operation_of(&bid.agent),
            excluded: bid.excluded,
        }
    }

    fn operation_of(&self, agent: &PublicKey) -> OperationId {
        self.candidates
            .get(agent)
            .map_or(OperationId([0; 32]), |found| found.operation)
    }

    /// Returns the record of a clearing and all inputs that it binds.
    pub(crate) fn dossier(
        &self,
        rule: &dyn Mechanism,
        clearing: &Clearing,
        window: u64,
    ) -> Dossier {
        let inputs = self.inputs();
        let leaves: Vec<Vec<u8>> = inputs.iter().map(cbor::encode).collect();

        // The total counts the prices of the winning bids; payments may differ from these.
        let prices = clearing.winners.iter().map(|award| award.bid);
        let solution = clearing.solution.and_then(|at| self.solutions.get(at));

        let record = ClearingRecord {
            market: self.market.name.clone(),
            window,
            mechanism: self.market.mechanism.clone(),
            version: rule.version(),
            reserve: self.market.reserve,
            inputs: merkle::root(&leaves),
            input_count: leaves.len() as u64,
            assigned: clearing.winners.len() as u64,
            total: prices.fold(0, Price::saturating_add),
            solution: solution.map(|solution| solution.operation),
        };

        Dossier { record, inputs }
    }

    /// Returns one refusal for each agent with excluded bids, ascending by agent.
    pub(crate) fn refusals(&self) -> Vec<Refusal> {
        let mut refusals: BTreeMap<PublicKey, Refusal> = BTreeMap::new();

        for bid in &self.bids {
            let Some(reason) = bid.excluded else { continue };

            // One refusal holds all excluded offers of an agent.
            let operation = self.operation_of(&bid.agent);
            let refusal = refusals.entry(bid.agent).or_insert_with(|| Refusal {
                operation,
                agent: bid.agent,
                items: Vec::new(),
            });
            refusal.items.push((Some(bid.task), reason));
        }

        refusals.into_values().collect()
    }
}
