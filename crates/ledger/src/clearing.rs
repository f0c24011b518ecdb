//! Clearing: the mechanism of a market decides on its due tasks and all bids on them together.
//!
//! Everything that the result follows from is an input under the clearing record: the tasks, the
//! budget that each bidder had left, every bid (the excluded ones with their reason), and the
//! solutions.

use std::collections::BTreeSet;

use quorate_market::{Attempt, Clearing, Mechanism, Winner};
use quorate_types::outcome::{Assignment, ClearingInput};
use quorate_types::{Hash, Label, Market, Outcome, PublicKey, Stage, TaskId, limits};

use crate::clearing_inputs::ClearingInputs;
use crate::cost::{self, ClearingSize};
use crate::lifecycle::{Assignee, TaskEvent};
use crate::run::Run;
use crate::state::{Index, Opened};

/// The tasks that a clearing will take, and the cost of that.
struct ClearingPlan {
    /// The tasks in the order of the queue.
    tasks: Vec<TaskId>,
    /// Whether some open tasks are left out.
    partial: bool,
    /// The cost, at most [`cost::CLEARINGS`].
    cost: u64,
}

impl ClearingPlan {
    /// Takes as many tasks from the front of the market's queue as cost at most `most` in the worst
    /// case, but at least one.
    fn sure(run: &Run<'_>, market: &Market, rule: &'static dyn Mechanism, most: u64) -> Self {
        Self::new(run, market, most, |size| {
            let auction = rule.cost(size.tasks, size.bidders, size.bids);
            cost::clearing(size).saturating_add(auction)
        })
    }

    /// Takes as many tasks as cost at most `most`, without the cost of the mechanism.
    fn hopeful(run: &Run<'_>, market: &Market, most: u64) -> Self {
        Self::new(run, market, most, cost::clearing)
    }

    fn new(
        run: &Run<'_>,
        market: &Market,
        most: u64,
        cost_of: impl Fn(&ClearingSize) -> u64,
    ) -> Self {
        let mut size = run.size_without_tasks(market);

        let mut plan = Self {
            tasks: Vec::new(),
            partial: false,
            cost: 0,
        };

        // Each further task adds to the cost, so the queue is taken up to the first that is too
        // much.
        for task in run.open_tasks(&market.name) {
            let bids = run.view.marks(Index::bids(task)).count();

            size.tasks = size.tasks.saturating_add(1);
            size.bids = size.bids.saturating_add(bids);

            let cost = cost_of(&size);
            let full = cost > most || size.tasks > limits::TASKS_PER_CLEARING;

            // The first task is taken whatever it costs.
            if full && !plan.tasks.is_empty() {
                plan.partial = true;
                break;
            }

            plan.tasks.push(task);
            plan.cost = cost.min(cost::CLEARINGS);
        }

        plan
    }
}

impl Run<'_> {
    /// Returns the size of a clearing of the market that takes no tasks yet.
    fn size_without_tasks(&self, market: &Market) -> ClearingSize {
        let bidders = self.view.count(&Index::Bidders(market.name.clone()));
        let live = self.view.count(&Index::Live(market.name.clone()));

        // As many as there can be: a task that is due stays due while solutions come.
        let pairs = market.solve_ms.map_or(0, |_| cost::KEPT_PAIRS);

        ClearingSize {
            tasks: 0,
            bidders: bidders as usize,
            bids: 0,
            live,
            pairs,
        }
    }

    /// Returns the open tasks of a market in the order of its queue.
    fn open_tasks(&self, market: &Label) -> impl Iterator<Item = TaskId> {
        let marks = self.view.marks(Index::open(market));

        marks.filter_map(|(key, _)| match key {
            Index::Open(_, _, task) => Some(*task),
            _ => None,
        })
    }

    /// Clears a market if `left` pays for it, and returns what is left then. Returns `None` if the
    /// market waits for the next block.
    pub(crate) fn clear(
        &mut self,
        market: &Market,
        rule: &'static dyn Mechanism,
        left: u64,
    ) -> Option<u64> {
        let sure = ClearingPlan::sure(self, market, rule, cost::CLEARINGS);

        // Only the first clearing of a block may try more than it surely pays for (M-15).
        if sure.partial
            && left == cost::CLEARINGS
            && let Some(attempt) = rule.clear_within()
        {
            return Some(self.try_more(market, rule, attempt, sure));
        }

        let left = left.checked_sub(sure.cost)?;
        self.clear_plan(market, rule, sure);
        Some(left)
    }

    /// Tries to clear more tasks than the budget pays for in the worst case (M-15). What they cost
    /// is known only by trying. The mechanism may use the budget without the cost around it and
    /// without the cost of a smaller clearing; if it gives up, that smaller clearing takes its
    /// place. Returns what is left.
    fn try_more(
        &mut self,
        market: &Market,
        rule: &'static dyn Mechanism,
        attempt: Attempt,
        sure: ClearingPlan,
    ) -> u64 {
        let all = ClearingPlan::hopeful(self, market, cost::CLEARINGS / 2);

        // If the trial fails, a smaller clearing must still be paid for.
        let least = ClearingPlan::sure(self, market, rule, 0)
            .cost
            .max(cost::CLEARINGS / 4);

        let trial = cost::CLEARINGS
            .saturating_sub(all.cost)
            .saturating_sub(least);

        // Trying is useless without effort to spare, or without more tasks than are sure.
        if trial == 0 || all.tasks.len() <= sure.tasks.len() {
            let left = cost::CLEARINGS.saturating_sub(sure.cost);
            self.clear_plan(market, rule, sure);
            return left;
        }

        let clearing_inputs = self.clearing_inputs(market, rule, &all.tasks);
        let auction = clearing_inputs.auction(self.swarm);

        match attempt(&auction, trial) {
            Some(clearing) => self.conclude(&clearing_inputs, all, rule, &clearing),
            None => self.clear_plan(market, rule, ClearingPlan::sure(self, market, rule, least)),
        }

        // A trial uses up the whole budget, whether it succeeds or not.
        0
    }

    /// Returns the tasks that a clearing of the market would take now. While solutions are taken, a
    /// task falls out only by its end; others come behind it.
    pub(crate) fn due_tasks(
        &self,
        market: &Market,
        rule: &'static dyn Mechanism,
    ) -> BTreeSet<TaskId> {
        ClearingPlan::sure(self, market, rule, cost::CLEARINGS)
            .tasks
            .into_iter()
            .collect()
    }

    /// Returns the inputs that a clearing of the market would have now.
    pub(crate) fn inputs(
        &self,
        market: &Market,
        rule: &'static dyn Mechanism,
    ) -> Vec<ClearingInput> {
        let plan = ClearingPlan::sure(self, market, rule, cost::CLEARINGS);
        self.clearing_inputs(market, rule, &plan.tasks).inputs()
    }

    fn clear_plan(&mut self, market: &Market, rule: &'static dyn Mechanism, plan: ClearingPlan) {
        let clearing_inputs = self.clearing_inputs(market, rule, &plan.tasks);
        let clearing = rule.clear(&clearing_inputs.auction(self.swarm));
        self.conclude(&clearing_inputs, plan, rule, &clearing);
    }

    /// Commits the record, the refusals of excluded bids and the assignments, then begins the next
    /// window (L-8).
    fn conclude(
        &mut self,
        clearing_inputs: &ClearingInputs<'_>,
        plan: ClearingPlan,
        rule: &dyn Mechanism,
        clearing: &Clearing,
    ) {
        let market = clearing_inputs.market;
        let record = self.record(clearing_inputs, rule, clearing);

        for refusal in clearing_inputs.refusals() {
            self.refuse(refusal);
        }

        // Defaults are counted from the reservations, which end right after.
        self.count_defaults(market);
        self.end_bids(&market.name);
        self.drop_solutions(&market.name);

        for award in &clearing.winners {
            self.award(clearing_inputs, award, record);
        }

        if plan.partial {
            // Tasks that nobody could take must not block the others permanently.
            plan.tasks.into_iter().for_each(|task| self.requeue(task));
        }

        self.reopen(&market.name);
    }

    /// Commits the record of a clearing, and returns its hash.
    fn record(
        &mut self,
        clearing_inputs: &ClearingInputs<'_>,
        rule: &dyn Mechanism,
        clearing: &Clearing,
    ) -> Hash {
        let window = self.view.window(&clearing_inputs.market.name);

        let dossier = clearing_inputs.dossier(rule, clearing, window.number);
        let hash = dossier.record.hash();

        self.outcomes
            .push(Outcome::Clearing(dossier.record.clone()));
        self.dossiers.push(dossier);

        hash
    }

    /// Ends all bids of the window: each of them had its chance (M-8).
    fn end_bids(&mut self, market: &Label) {
        let bidders: Vec<PublicKey> = self.reservations(market).map(|(agent, _)| agent).collect();
        bidders
            .into_iter()
            .for_each(|agent| self.drop_reservation(market, agent));
    }

    /// Assigns a task to the bidder that won it (M-16).
    fn award(&mut self, clearing_inputs: &ClearingInputs<'_>, award: &Winner, clearing: Hash) {
        let market = clearing_inputs.market;
        let Some(candidate) = clearing_inputs.candidates.get(&award.agent) else {
            return;
        };

        let assignee = Assignee {
            agent: award.agent,
            price: award.payment,
            assigned_at: self.now.active,
            lease: market.lease_ms,
            height: self.now.height,
        };

        let Ok(advanced) = self.advance(award.task, &TaskEvent::Assign(assignee)) else {
            return;
        };

        // Specification, attestations and clearing are named by hash (M-16).
        self.outcomes.push(Outcome::Assignment(Assignment {
            task: award.task,
            token: advanced.after.token,
            agent: award.agent,
            market: market.name.clone(),
            price: award.payment,
            charge: award.charge,
            bid: candidate.operation,
            spec: advanced.after.spec_hash,
            attestations: candidate.attestations.clone(),
            assigned_at: self.now.active,
            lease: market.lease_ms,
            clearing,
        }));
    }

    /// Begins the next window at this height if tasks are left.
    fn reopen(&mut self, market: &Label) {
        let left = self.view.count(&Index::OpenCount(market.clone()));
        let mut window = self.view.window(market);

        window.number = window.number.saturating_add(1);
        window.opened = (left > 0).then(|| Opened::new(self.now, Stage::Bids));
        self.view.put_window(market, window);
    }
}
