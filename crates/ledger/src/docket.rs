//! The docket of a clearing: its tasks, its bidders, and its bids with the verdict on each. The
//! mechanism, the record and the dossier are made from it.
//!
//! Eligibility is judged here, after the revocations in the block (M-9).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use quorate_crypto::merkle;
use quorate_market::{Clearing, Mechanism, Round, TieSeed, eligibility};
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
pub(crate) struct Docket<'a> {
    pub market: &'a Market,
    tasks: BTreeMap<TaskId, Arc<Task>>,
    pub candidates: BTreeMap<PublicKey, Candidate>,
    bids: Vec<Judged>,
    solutions: Vec<SolutionInput>,
}

impl Run<'_> {
    /// Returns the docket of all bids on these tasks, with the solutions of the market.
    pub(crate) fn docket<'a>(
        &self,
        market: &'a Market,
        rule: &dyn Mechanism,
        tasks: &[TaskId],
    ) -> Docket<'a> {
        let ids: BTreeSet<TaskId> = tasks.iter().copied().collect();

        // The index holds live bids by task and agent, so they ascend as the docket needs.
        let bids = ids.iter().flat_map(|id| self.view.marks(Index::bids(*id)));
        let bids = bids.filter_map(|(key, value)| match key {
            Index::Bid(task, agent) => Some((
                Pair {
                    task: *task,
                    agent: *agent,
                },
                value,
            )),
            _ => None,
        });

        let mut docket = self.docket_with(market, rule, &ids, bids);
        docket.solutions = self.solution_inputs(market);

        docket
    }

    /// Returns the docket of the bids that `pairs` name on these tasks, as far as such bids are
    /// live.
    pub(crate) fn docket_of<'a>(
        &self,
        market: &'a Market,
        rule: &dyn Mechanism,
        pairs: &BTreeSet<Pair>,
        tasks: &BTreeSet<TaskId>,
    ) -> Docket<'a> {
        let named: BTreeSet<TaskId> = pairs.iter().map(|pair| pair.task).collect();
        // Only tasks that a clearing would take now count (M-29).
        let ids = named.intersection(tasks).copied().collect();

        let bids = pairs
            .iter()
            .filter_map(|pair| Some((*pair, self.view.value(&Index::Bid(pair.task, pair.agent))?)));

        self.docket_with(market, rule, &ids, bids)
    }

    /// Judges bids, which must ascend, and leaves out those on other tasks than `ids`.
    fn docket_with<'a>(
        &self,
        market: &'a Market,
        rule: &dyn Mechanism,
        ids: &BTreeSet<TaskId>,
        bids: impl Iterator<Item = (Pair, u64)>,
    ) -> Docket<'a> {
        let tasks = ids
            .iter()
            .filter_map(|id| Some((*id, Arc::clone(self.view.task(id)?))));
        let (tasks, candidates) = (tasks.collect(), BTreeMap::new());

        let mut docket = Docket {
            market,
            tasks,
            candidates,
            bids: Vec::new(),
            solutions: Vec::new(),
        };

        for (Pair { task: id, agent }, value) in bids {
            // The tasks may be fewer than those that the bids are on.
            let Some(task) = docket.tasks.get(&id) else {
                continue;
            };

            let candidate = docket.candidates.entry(agent);
            let candidate = candidate.or_insert_with(|| self.candidate(&market.name, agent));

            // A commitment that was not opened has no price.
            let price = (value != Index::SEALED).then_some(value.min(limits::PRICE as u64));
            let price = price.map(u64::cast_signed);

            // In a double auction an ask that trades with nobody may still set a price (M-9).
            let all = rule.takes_all_asks();
            let limit = if all {
                limits::PRICE
            } else {
                limit(market, &task.spec)
            };

            let excluded = self.judge(limit, task, candidate, (agent, price)).err();
            docket.bids.push(Judged {
                task: id,
                agent,
                price,
                excluded,
            });
        }

        docket
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
        bid: (PublicKey, Option<Price>),
    ) -> Result<(), Reason> {
        let (spec, attested) = (&task.spec, &candidate.capabilities);
        let (agent, price) = bid;
        let price = price.ok_or(Reason::Unopened)?;

        // An agent that lost the task once cannot win it again (L-17).
        if task.excluded.contains(&agent) {
            return Err(Reason::ExcludedAfterFailure);
        }

        if spec
            .deadline
            .is_some_and(|deadline| deadline <= self.now.wall)
        {
            return Err(Reason::DeadlinePassed);
        }

        eligibility::check(&spec.requires, attested)?;

        if price > limit {
            return Err(Reason::PriceTooHigh);
        }

        // A task without a demand takes one of `slots`.
        let demand = eligibility::demand_or_slot(&spec.demand);
        if demand
            .keys()
            .any(|name| !attested.amounts.contains_key(name))
        {
            return Err(Reason::CapabilityNotAttested);
        }

        if !eligibility::fits(&demand, &candidate.budget) {
            return Err(Reason::OverBudget);
        }

        Ok(())
    }
}

/// Returns the highest price at which a task is assigned: the lowest of its own limit, the reserve
/// price of the market and the limit of the protocol.
fn limit(market: &Market, spec: &TaskSpec) -> Price {
    let limits = [spec.max_price, market.reserve, Some(limits::PRICE)];
    limits.into_iter().flatten().min().unwrap_or(limits::PRICE)
}

impl Docket<'_> {
    /// Returns what the mechanism sees: tasks, bidders, the bids that take part, and solutions.
    pub(crate) fn round(&self, swarm: SwarmId) -> Round {
        let tasks = self.tasks.iter().map(|(id, task)| quorate_market::Task {
            id: *id,
            demand: eligibility::demand_or_slot(&task.spec.demand),
            limit: limit(self.market, &task.spec),
        });

        let bidders = self
            .candidates
            .iter()
            .map(|(agent, candidate)| quorate_market::Bidder {
                agent: *agent,
                budget: candidate.budget.clone(),
            });

        // Excluded bids stand in the record, but the mechanism does not see them.
        let live = self.bids.iter().filter(|bid| bid.excluded.is_none());
        let bids = live.filter_map(
            |&Judged {
                 task, agent, price, ..
             }| {
                Some(quorate_market::Bid {
                    task,
                    agent,
                    price: price?,
                })
            },
        );

        Round {
            tasks: tasks.collect(),
            bidders: bidders.collect(),
            bids: bids.collect(),
            solutions: self
                .solutions
                .iter()
                .map(|solution| solution.pairs.clone())
                .collect(),
            ties: TieSeed {
                swarm,
                market: self.market.name.clone(),
            },
        }
    }

    /// Returns the reason why a pair of a solution does not hold. A bid that takes part but did not
    /// win exceeds its bidder's budget.
    pub(crate) fn why_not(&self, pair: &Pair) -> Reason {
        let place = |bid: &Judged| (bid.task, bid.agent).cmp(&(pair.task, pair.agent));

        match self
            .bids
            .binary_search_by(place)
            .ok()
            .and_then(|at| self.bids.get(at))
        {
            None => Reason::NoBid,
            Some(bid) => bid.excluded.unwrap_or(Reason::OverBudget),
        }
    }

    /// Returns all inputs of the clearing, in the order of the dossier (C-16).
    pub(crate) fn inputs(&self) -> Vec<ClearingInput> {
        let tasks = self.tasks.iter().map(|(id, task)| {
            let demand = eligibility::demand_or_slot(&task.spec.demand);
            let limit = limit(self.market, &task.spec);

            ClearingInput::Task(TaskInput {
                task: *id,
                spec: task.spec_hash,
                demand,
                limit,
            })
        });

        // The budgets as cut, since the mechanism sees these.
        let bidders = self.candidates.iter().map(|(agent, candidate)| {
            let budget = candidate.budget.clone();
            ClearingInput::Bidder(BidderInput {
                agent: *agent,
                budget,
            })
        });

        let bids = self.bids.iter().map(|bid| {
            let &Judged {
                task,
                agent,
                price,
                excluded,
            } = bid;
            let operation = self.operation_of(&agent);

            ClearingInput::Bid(BidInput {
                task,
                agent,
                price,
                operation,
                excluded,
            })
        });
        let solutions = self.solutions.iter().cloned().map(ClearingInput::Solution);

        tasks.chain(bidders).chain(bids).chain(solutions).collect()
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
        let prices = clearing.awards.iter().map(|award| award.bid);
        let solution = clearing.solution.and_then(|at| self.solutions.get(at));

        let record = ClearingRecord {
            market: self.market.name.clone(),
            window,
            mechanism: self.market.mechanism.clone(),
            version: rule.version(),
            reserve: self.market.reserve,
            inputs: merkle::root(&leaves),
            input_count: leaves.len() as u64,
            assigned: clearing.awards.len() as u64,
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
