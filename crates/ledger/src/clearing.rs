//! Clearing: the mechanism of a market decides on its due tasks and all bids on them together.
//!
//! Everything that the result follows from is an input under the clearing record: the tasks, the
//! budget that each bidder had left, every bid (the excluded ones with their reason), and the
//! solutions.

use std::collections::BTreeSet;

use quorate_market::{Attempt, Award, Clearing, Mechanism};
use quorate_types::outcome::{Assignment, ClearingInput};
use quorate_types::{Hash, Label, Market, Outcome, PublicKey, Stage, TaskId, limits};

use crate::cost::{self, ClearingSize};
use crate::docket::Docket;
use crate::lifecycle::{Assignee, Event};
use crate::run::Run;
use crate::state::{Index, Opened};

/// The tasks that a clearing will take, and the cost of that.
struct Plan {
    /// The tasks in the order of the queue.
    tasks: Vec<TaskId>,
    /// Whether some open tasks are left out.
    partial: bool,
    /// The cost, at most [`cost::CLEARINGS`].
    cost: u64,
}

impl Plan {
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
        let name = &market.name;
        let mut size = ClearingSize {
            tasks: 0,
            bidders: run.view.count(&Index::Bidders(name.clone())) as usize,
            bids: 0,
            live: run.view.count(&Index::Live(name.clone())),
            // As many as there can be: a task that is due stays due while solutions come.
            pairs: if market.solve_ms.is_some() {
                cost::KEPT_PAIRS
            } else {
                0
            },
        };

        let mut plan = Self {
            tasks: Vec::new(),
            partial: false,
            cost: 0,
        };

        // Each further task adds to the cost, so the queue is taken up to the first that is too
        // much.
        for (key, _) in run.view.marks(Index::open(name)) {
            let Index::Open(_, _, task) = key else {
                continue;
            };

            size.tasks = size.tasks.saturating_add(1);
            size.bids = size
                .bids
                .saturating_add(run.view.marks(Index::bids(*task)).count());

            let cost = cost_of(&size);
            let full = cost > most || size.tasks > limits::TASKS_PER_CLEARING;

            // The first task is taken whatever it costs.
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

impl Run<'_> {
    /// Clears a market if `left` pays for it, and returns what is left then. Returns `None` if the
    /// market waits for the next block.
    pub(crate) fn clear(
        &mut self,
        market: &Market,
        rule: &'static dyn Mechanism,
        left: u64,
    ) -> Option<u64> {
        let sure = Plan::sure(self, market, rule, cost::CLEARINGS);

        // Only the first clearing of a block may try more than it surely pays for (M-15).
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

    /// Tries to clear more tasks than the budget pays for in the worst case (M-15). What they cost
    /// is known only by trying. The mechanism may use the budget without the cost around it and
    /// without the cost of a smaller clearing; if it gives up, that smaller clearing takes its
    /// place. Returns what is left.
    fn try_more(
        &mut self,
        market: &Market,
        (rule, attempt): (&'static dyn Mechanism, Attempt),
        sure: Plan,
    ) -> u64 {
        let all = Plan::hopeful(self, market, cost::CLEARINGS / 2);

        // If the trial fails, a smaller clearing must still be paid for.
        let least = Plan::sure(self, market, rule, 0)
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

        let docket = self.docket(market, rule, &all.tasks);
        match attempt(&docket.round(self.swarm), trial) {
            Some(clearing) => self.conclude(&docket, all, (rule, clearing)),
            None => self.clear_plan(market, rule, Plan::sure(self, market, rule, least)),
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
        Plan::sure(self, market, rule, cost::CLEARINGS)
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
        let plan = Plan::sure(self, market, rule, cost::CLEARINGS);
        self.docket(market, rule, &plan.tasks).inputs()
    }

    fn clear_plan(&mut self, market: &Market, rule: &'static dyn Mechanism, plan: Plan) {
        let docket = self.docket(market, rule, &plan.tasks);
        let clearing = rule.clear(&docket.round(self.swarm));
        self.conclude(&docket, plan, (rule, clearing));
    }

    /// Commits the record, the refusals of excluded bids and the assignments, then begins the next
    /// window (L-8).
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

        self.outcomes
            .push(Outcome::Clearing(dossier.record.clone()));
        self.dossiers.push(dossier);

        for refusal in docket.refusals() {
            self.refuse(refusal);
        }

        // Defaults are counted from the reservations, which end right after.
        self.count_defaults(market);
        self.end_bids(&market.name);
        self.drop_solutions(&market.name);

        for award in &clearing.awards {
            self.award(docket, award, record);
        }

        if plan.partial {
            // Tasks that nobody could take must not block the others permanently.
            plan.tasks.into_iter().for_each(|task| self.requeue(task));
        }

        self.reopen(&market.name);
    }

    /// Ends all bids of the window: each of them had its chance (M-8).
    fn end_bids(&mut self, market: &Label) {
        let bidders: Vec<PublicKey> = self.reservations(market).map(|(agent, _)| agent).collect();
        bidders
            .into_iter()
            .for_each(|agent| self.drop_reservation(market, agent));
    }

    /// Assigns a task to the bidder that won it (M-16).
    fn award(&mut self, docket: &Docket<'_>, award: &Award, clearing: Hash) {
        let Award {
            task,
            agent,
            payment,
            charge,
            ..
        } = *award;

        let Some(candidate) = docket.candidates.get(&agent) else {
            return;
        };

        let (assigned_at, lease) = (self.now.active, docket.market.lease_ms);
        let assignee = Assignee {
            agent,
            price: payment,
            assigned_at,
            lease,
            height: self.now.height,
        };

        let Ok(advanced) = self.advance(task, &Event::Assign(assignee)) else {
            return;
        };

        // Specification, attestations and clearing are named by hash (M-16).
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

    /// Begins the next window at this height if tasks are left.
    fn reopen(&mut self, market: &Label) {
        let left = self.view.count(&Index::OpenCount(market.clone()));
        let mut window = self.view.window(market);
        window.number = window.number.saturating_add(1);
        window.opened = (left > 0).then(|| Opened::new(self.now, Stage::Bids));
        self.view.put_window(market, window);
    }
}
