//! The docket of a clearing: tasks, bidders and bids as they are judged, and what the mechanism,
//! the record and the dossier see of them.
//!
//! Eligibility is judged here, after the block's revocations.

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

/// A bidder as the clearing sees it.
pub(crate) struct Candidate {
    pub operation: OperationId,
    capabilities: Capabilities,
    pub attestations: Vec<Hash>,
    budget: Amounts,
}

/// A bid and the verdict on it.
struct Judged {
    task: TaskId,
    agent: PublicKey,
    /// `None`: a commitment that was not opened.
    price: Option<Price>,
    excluded: Option<Reason>,
}

/// All that a clearing looks at, each part ascending by its keys.
pub(crate) struct Docket<'a> {
    pub market: &'a Market,
    tasks: BTreeMap<TaskId, Arc<Task>>,
    pub candidates: BTreeMap<PublicKey, Candidate>,
    bids: Vec<Judged>,
    solutions: Vec<SolutionInput>,
}

impl Run<'_> {
    /// All bids on these tasks, and the solutions of the market.
    pub(crate) fn docket<'a>(
        &self,
        market: &'a Market,
        rule: &dyn Mechanism,
        tasks: &[TaskId],
    ) -> Docket<'a> {
        let ids: BTreeSet<TaskId> = tasks.iter().copied().collect();
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

    /// The bids that `pairs` name on these tasks, as far as there are any.
    pub(crate) fn docket_of<'a>(
        &self,
        market: &'a Market,
        rule: &dyn Mechanism,
        pairs: &BTreeSet<Pair>,
        tasks: &BTreeSet<TaskId>,
    ) -> Docket<'a> {
        let named: BTreeSet<TaskId> = pairs.iter().map(|pair| pair.task).collect();
        let ids = named.intersection(tasks).copied().collect();
        let bids = pairs
            .iter()
            .filter_map(|pair| Some((*pair, self.view.value(&Index::Bid(pair.task, pair.agent))?)));
        self.docket_with(market, rule, &ids, bids)
    }

    /// Judges bids, ascending, on some of these tasks.
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
            let Some(task) = docket.tasks.get(&id) else {
                continue;
            };
            let candidate = docket.candidates.entry(agent);
            let candidate = candidate.or_insert_with(|| self.candidate(&market.name, agent));
            let price = (value != Index::SEALED).then_some(value.min(limits::PRICE as u64));
            let price = price.map(u64::cast_signed);
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

    /// A bidder with its budget cut to what it has free now; nothing where nothing is attested.
    fn candidate(&self, market: &Label, agent: PublicKey) -> Candidate {
        let (capabilities, attestations) = self.view.capabilities(agent, self.now.wall);
        let free = self.free(agent, market, &capabilities);
        let reservation = self.view.reservation(market, agent);
        let mut budget = reservation
            .map(|found| found.budget.clone())
            .unwrap_or_default();
        for (name, amount) in &mut budget {
            *amount = (*amount).min(free.get(name).copied().unwrap_or(0));
        }
        // A live bid has its reservation: the index follows from the entries.
        let operation = reservation.map_or(OperationId([0; 32]), |found| found.operation);
        Candidate {
            operation,
            capabilities,
            attestations,
            budget,
        }
    }

    /// Whether a bid takes part.
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

/// The highest price at which a task is assigned: the lowest of its own, the market's reserve and
/// the protocol's.
fn limit(market: &Market, spec: &TaskSpec) -> Price {
    let limits = [spec.max_price, market.reserve, Some(limits::PRICE)];
    limits.into_iter().flatten().min().unwrap_or(limits::PRICE)
}

impl Docket<'_> {
    /// What the mechanism sees: bids that take part, solutions, and nothing else.
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

    /// Why a pair of a solution does not hold, if it does not.
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

    pub(crate) fn dossier(
        &self,
        rule: &dyn Mechanism,
        clearing: &Clearing,
        window: u64,
    ) -> Dossier {
        let inputs = self.inputs();
        let leaves: Vec<Vec<u8>> = inputs.iter().map(cbor::encode).collect();
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

    /// One refusal for each bid that has excluded offers, ascending by agent.
    pub(crate) fn refusals(&self) -> Vec<Refusal> {
        let mut refusals: BTreeMap<PublicKey, Refusal> = BTreeMap::new();
        for bid in &self.bids {
            let Some(reason) = bid.excluded else { continue };
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
