//! Clearing: the due tasks of a market and all bids on them go through its mechanism together.
//!
//! Everything the result follows from is an input under the clearing record: tasks, what each
//! bidder had left to spend, and every bid, the excluded ones with their reason. Eligibility is
//! judged here, after the block's revocations.

use std::collections::BTreeMap;
use std::sync::Arc;

use quorate_crypto::merkle;
use quorate_market::{Attempt, Award, Clearing, Mechanism, Round, TieSeed, eligibility};
use quorate_types::outcome::{
    Assignment, BidInput, BidderInput, ClearingInput, ClearingRecord, Refusal, TaskInput,
};
use quorate_types::{
    Amounts, Capabilities, Hash, Label, Market, OperationId, Outcome, Price, PublicKey, Reason,
    TaskId, TaskSpec, cbor, limits,
};

use crate::cost::{self, ClearingSize};
use crate::lifecycle::{Assignee, Event};
use crate::run::Run;
use crate::state::{Index, Task};
use crate::{Dossier, state::Opened};

/// What a clearing will take, and what that costs.
struct Plan {
    /// Tasks, in the order of the queue.
    tasks: Vec<TaskId>,
    /// Whether open tasks are left out.
    partial: bool,
    /// Cost, at most [`cost::CLEARINGS`].
    cost: u64,
}

impl Plan {
    /// As many tasks from the front of the market's queue as surely cost no more than `most`, at
    /// least one.
    fn sure(run: &Run<'_>, market: &Market, rule: &'static dyn Mechanism, most: u64) -> Self {
        Self::new(run, market, most, |size| {
            let auction = rule.cost(size.tasks, size.bidders, size.bids);
            cost::clearing(size).saturating_add(auction)
        })
    }

    /// As many as cost no more than `most` but for what the mechanism takes.
    fn hopeful(run: &Run<'_>, market: &Market, most: u64) -> Self {
        Self::new(run, market, most, cost::clearing)
    }

    fn new(
        run: &Run<'_>,
        market: &Market,
        most: u64,
        cost_of: impl Fn(&ClearingSize) -> u64,
    ) -> Self {
        let name = &market.name;
        let mut size = ClearingSize {
            tasks: 0,
            bidders: run.view.count(&Index::Bidders(name.clone())) as usize,
            bids: 0,
            live: run.view.count(&Index::Live(name.clone())),
        };
        let mut plan = Self { tasks: Vec::new(), partial: false, cost: 0 };
        for (key, _) in run.view.marks(Index::open(name)) {
            let Index::Open(_, _, task) = key else { continue };
            size.tasks = size.tasks.saturating_add(1);
            size.bids = size.bids.saturating_add(run.view.marks(Index::bids(*task)).count());
            let cost = cost_of(&size);
            let full = cost > most || size.tasks > limits::TASKS_PER_CLEARING;
            if full && !plan.tasks.is_empty() {
                plan.partial = true;
                break;
            }
            plan.tasks.push(*task);
            plan.cost = cost.min(cost::CLEARINGS);
        }
        plan
    }
}

/// A bidder as the clearing sees it.
struct Candidate {
    operation: OperationId,
    capabilities: Capabilities,
    attestations: Vec<Hash>,
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
struct Docket<'a> {
    market: &'a Market,
    tasks: BTreeMap<TaskId, Arc<Task>>,
    candidates: BTreeMap<PublicKey, Candidate>,
    bids: Vec<Judged>,
}

impl Run<'_> {
    /// Clears a market as far as `left` pays for it and returns what is left then; `None` where it
    /// waits for the next block.
    pub(crate) fn clear(
        &mut self,
        market: &Market,
        rule: &'static dyn Mechanism,
        left: u64,
    ) -> Option<u64> {
        let sure = Plan::sure(self, market, rule, cost::CLEARINGS);
        if sure.partial
            && left == cost::CLEARINGS
            && let Some(attempt) = rule.clear_within()
        {
            return Some(self.try_more(market, (rule, attempt), sure));
        }
        let left = left.checked_sub(sure.cost)?;
        self.clear_plan(market, rule, sure);
        Some(left)
    }

    /// What the worst case of more tasks would cost is known; what they do cost, only by trying.
    /// The mechanism may take what is left beside the cost around it and that of a smaller
    /// clearing; if it gives up, that one comes in its place (M-15). Returns what is left.
    fn try_more(
        &mut self,
        market: &Market,
        (rule, attempt): (&'static dyn Mechanism, Attempt),
        sure: Plan,
    ) -> u64 {
        let all = Plan::hopeful(self, market, cost::CLEARINGS / 2);
        let least = Plan::sure(self, market, rule, 0).cost.max(cost::CLEARINGS / 4);
        let trial = cost::CLEARINGS.saturating_sub(all.cost).saturating_sub(least);
        if trial == 0 || all.tasks.len() <= sure.tasks.len() {
            let left = cost::CLEARINGS.saturating_sub(sure.cost);
            self.clear_plan(market, rule, sure);
            return left;
        }
        let docket = self.docket(market, rule, &all.tasks);
        match attempt(&docket.round(self.swarm), trial) {
            Some(clearing) => self.conclude(&docket, all, (rule, clearing)),
            None => self.clear_plan(market, rule, Plan::sure(self, market, rule, least)),
        }
        0
    }

    fn clear_plan(&mut self, market: &Market, rule: &'static dyn Mechanism, plan: Plan) {
        let docket = self.docket(market, rule, &plan.tasks);
        let clearing = rule.clear(&docket.round(self.swarm));
        self.conclude(&docket, plan, (rule, clearing));
    }

    /// Record, refusals of excluded bids, assignments; then the next window.
    fn conclude(
        &mut self,
        docket: &Docket<'_>,
        plan: Plan,
        (rule, clearing): (&dyn Mechanism, Clearing),
    ) {
        let market = docket.market;
        let number = self.view.window(&market.name).number;
        let dossier = docket.dossier(rule, &clearing, number);
        let record = dossier.record.hash();
        self.outcomes.push(Outcome::Clearing(dossier.record.clone()));
        self.dossiers.push(dossier);
        for refusal in docket.refusals() {
            self.refuse(refusal);
        }
        self.count_defaults(market);
        self.end_bids(&market.name);
        for award in &clearing.awards {
            self.award(docket, award, record);
        }
        if plan.partial {
            // Those that nobody could take must not stand in the way of the others for ever.
            plan.tasks.into_iter().for_each(|task| self.requeue(task));
        }
        self.reopen(&market.name);
    }

    fn docket<'a>(&self, market: &'a Market, rule: &dyn Mechanism, tasks: &[TaskId]) -> Docket<'a> {
        let mut docket = Docket {
            market,
            tasks: BTreeMap::new(),
            candidates: BTreeMap::new(),
            bids: Vec::new(),
        };
        for id in tasks {
            if let Some(task) = self.view.task(id) {
                docket.tasks.insert(*id, Arc::clone(task));
            }
        }
        for (id, task) in &docket.tasks {
            for (key, price) in self.view.marks(Index::bids(*id)) {
                let Index::Bid(_, agent) = key else { continue };
                let candidate = docket
                    .candidates
                    .entry(*agent)
                    .or_insert_with(|| self.candidate(&market.name, *agent));
                let price = (price != Index::SEALED).then_some(price.min(limits::PRICE as u64));
                let price = price.map(u64::cast_signed);
                let all = rule.takes_all_asks();
                let limit = if all { limits::PRICE } else { limit(market, &task.spec) };
                let excluded = self.judge(limit, task, candidate, (*agent, price)).err();
                docket.bids.push(Judged { task: *id, agent: *agent, price, excluded });
            }
        }
        docket
    }

    /// A bidder with its budget cut to what it has free now; nothing where nothing is attested.
    fn candidate(&self, market: &Label, agent: PublicKey) -> Candidate {
        let (capabilities, attestations) = self.view.capabilities(agent, self.now.wall);
        let free = self.free(agent, market, &capabilities);
        let reservation = self.view.reservation(market, agent);
        let mut budget = reservation.map(|found| found.budget.clone()).unwrap_or_default();
        for (name, amount) in &mut budget {
            *amount = (*amount).min(free.get(name).copied().unwrap_or(0));
        }
        // A live bid has its reservation: the index follows from the entries.
        let operation = reservation.map_or(OperationId([0; 32]), |found| found.operation);
        Candidate { operation, capabilities, attestations, budget }
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
        if spec.deadline.is_some_and(|deadline| deadline <= self.now.wall) {
            return Err(Reason::DeadlinePassed);
        }
        eligibility::check(&spec.requires, attested)?;
        if price > limit {
            return Err(Reason::PriceTooHigh);
        }
        let demand = eligibility::demand_or_slot(&spec.demand);
        if demand.keys().any(|name| !attested.amounts.contains_key(name)) {
            return Err(Reason::CapabilityNotAttested);
        }
        if !eligibility::fits(&demand, &candidate.budget) {
            return Err(Reason::OverBudget);
        }
        Ok(())
    }

    /// Every bid of the window has had its chance.
    fn end_bids(&mut self, market: &Label) {
        let bidders: Vec<PublicKey> = self.reservations(market).map(|(agent, _)| agent).collect();
        bidders.into_iter().for_each(|agent| self.drop_reservation(market, agent));
    }

    fn award(&mut self, docket: &Docket<'_>, award: &Award, clearing: Hash) {
        let Award { task, agent, payment, charge, .. } = *award;
        let Some(candidate) = docket.candidates.get(&agent) else { return };
        let (assigned_at, lease) = (self.now.active, docket.market.lease_ms);
        let assignee =
            Assignee { agent, price: payment, assigned_at, lease, height: self.now.height };
        let Ok(advanced) = self.advance(task, &Event::Assign(assignee)) else { return };
        self.outcomes.push(Outcome::Assignment(Assignment {
            task,
            token: advanced.after.token,
            agent,
            market: docket.market.name.clone(),
            price: payment,
            charge,
            bid: candidate.operation,
            spec: advanced.after.spec_hash,
            attestations: candidate.attestations.clone(),
            assigned_at,
            lease,
            clearing,
        }));
    }

    /// The next window, from this height on, if tasks are left.
    fn reopen(&mut self, market: &Label) {
        let left = self.view.count(&Index::OpenCount(market.clone()));
        let mut window = self.view.window(market);
        window.number = window.number.saturating_add(1);
        window.opened = (left > 0).then(|| Opened::new(self.now));
        self.view.put_window(market, window);
    }
}

/// The highest price at which a task is assigned: the lowest of its own, the market's reserve and
/// the protocol's.
fn limit(market: &Market, spec: &TaskSpec) -> Price {
    let limits = [spec.max_price, market.reserve, Some(limits::PRICE)];
    limits.into_iter().flatten().min().unwrap_or(limits::PRICE)
}

impl Docket<'_> {
    /// What the mechanism sees: bids that take part, and nothing else.
    fn round(&self, swarm: quorate_types::SwarmId) -> Round {
        let tasks = self.tasks.iter().map(|(id, task)| quorate_market::Task {
            id: *id,
            demand: eligibility::demand_or_slot(&task.spec.demand),
            limit: limit(self.market, &task.spec),
        });
        let bidders = self.candidates.iter().map(|(agent, candidate)| quorate_market::Bidder {
            agent: *agent,
            budget: candidate.budget.clone(),
        });
        let live = self.bids.iter().filter(|bid| bid.excluded.is_none());
        let bids = live.filter_map(|&Judged { task, agent, price, .. }| {
            Some(quorate_market::Bid { task, agent, price: price? })
        });
        Round {
            tasks: tasks.collect(),
            bidders: bidders.collect(),
            bids: bids.collect(),
            ties: TieSeed { swarm, market: self.market.name.clone() },
        }
    }

    fn inputs(&self) -> Vec<ClearingInput> {
        let tasks = self.tasks.iter().map(|(id, task)| {
            let demand = eligibility::demand_or_slot(&task.spec.demand);
            let limit = limit(self.market, &task.spec);
            ClearingInput::Task(TaskInput { task: *id, spec: task.spec_hash, demand, limit })
        });
        let bidders = self.candidates.iter().map(|(agent, candidate)| {
            let budget = candidate.budget.clone();
            ClearingInput::Bidder(BidderInput { agent: *agent, budget })
        });
        let bids = self.bids.iter().map(|bid| {
            let &Judged { task, agent, price, excluded } = bid;
            let operation = self.operation_of(&agent);
            ClearingInput::Bid(BidInput { task, agent, price, operation, excluded })
        });
        tasks.chain(bidders).chain(bids).collect()
    }

    fn operation_of(&self, agent: &PublicKey) -> OperationId {
        self.candidates.get(agent).map_or(OperationId([0; 32]), |found| found.operation)
    }

    fn dossier(&self, rule: &dyn Mechanism, clearing: &Clearing, window: u64) -> Dossier {
        let inputs = self.inputs();
        let leaves: Vec<Vec<u8>> = inputs.iter().map(cbor::encode).collect();
        let prices = clearing.awards.iter().map(|award| award.bid);
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
        };
        Dossier { record, inputs }
    }

    /// One refusal for each bid that has excluded offers, ascending by agent.
    fn refusals(&self) -> Vec<Refusal> {
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
