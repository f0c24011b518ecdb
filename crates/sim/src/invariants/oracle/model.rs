//! The model: tasks, bids and attestations as the committed operations and outcomes make them.
//!
//! The model believes which operations took effect, and does with them what the book says. The
//! invariants judge whether the operations should have taken effect.

use std::collections::{BTreeMap, BTreeSet};

use quorate_types::operation::{Bid, Reveal, Revoke, Seal, Submit};
use quorate_types::outcome::{Assignment, Expiry, Receipt, Refusal, SolutionInput};
use quorate_types::{
    ActiveMillis, Amounts, Attestation, Capabilities, FencingToken, Hash, Height, Label,
    OperationBody, OperationId, Price, PublicKey, Reason, SignedOperation, TaskId, TaskSpec,
    UnixMillis,
};

use super::steps::refuses;
use super::windows::Window;
use super::{Committee, Decided, Step};
use crate::seen::Seen;
use crate::world::World;

/// The amount of which a task takes one if its specification demands nothing.
const SLOTS: &str = "slots";

/// The height and the times of a block.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::invariants) struct Moment {
    pub(in crate::invariants) height: Height,
    /// The active time of the swarm.
    pub(in crate::invariants) active: ActiveMillis,
    /// The block time.
    pub(in crate::invariants) wall: UnixMillis,
}

/// The state of a task (L-15).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::invariants) enum ModelState {
    Open,
    Assigned,
    Working,
    Completed,
    Failed,
    Canceled,
    Expired,
}

impl ModelState {
    /// The name of the state in the book.
    pub(in crate::invariants) fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Assigned => "assigned",
            Self::Working => "working",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Canceled => "canceled",
            Self::Expired => "expired",
        }
    }

    /// Whether an agent has the task.
    pub(in crate::invariants) fn is_held(self) -> bool {
        matches!(self, Self::Assigned | Self::Working)
    }

    /// Whether the task has ended: nothing can change it any more.
    pub(in crate::invariants) fn has_ended(self) -> bool {
        !self.is_held() && self != Self::Open
    }
}

/// A task that was taken in.
#[derive(Debug, Clone)]
pub(in crate::invariants) struct Task {
    pub(in crate::invariants) spec: TaskSpec,
    pub(in crate::invariants) state: ModelState,
    /// The number of assignments that the task has had.
    pub(in crate::invariants) token: FencingToken,
    /// The agent that got the task last, and when.
    pub(in crate::invariants) holder: Option<(PublicKey, Moment)>,
    /// The agents that declined the task, failed on it or let it lapse.
    pub(in crate::invariants) excluded: BTreeSet<PublicKey>,
}

/// The offer of a bid for one task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::invariants) enum Said {
    /// An open price.
    Price(Price),
    /// A commitment to a price that is not open yet.
    Sealed(Hash),
}

impl Said {
    /// The price; `None` if it is not open yet.
    pub(in crate::invariants) fn price(self) -> Option<Price> {
        match self {
            Self::Price(price) => Some(price),
            Self::Sealed(_) => None,
        }
    }
}

/// A bid that stands.
#[derive(Debug, Clone)]
pub(in crate::invariants) struct Live {
    pub(in crate::invariants) signed: SignedOperation,
    pub(in crate::invariants) budget: Amounts,
    pub(in crate::invariants) offers: BTreeMap<TaskId, Said>,
}

impl Live {
    /// The id of the operation that brought the bid.
    pub(in crate::invariants) fn operation(&self) -> OperationId {
        self.signed.id()
    }
}

/// The state of the ledger, derived as the book says.
#[derive(Debug, Default)]
pub(in crate::invariants) struct Model {
    pub(in crate::invariants) committee: Committee,
    pub(in crate::invariants) now: Moment,
    pub(in crate::invariants) tasks: BTreeMap<TaskId, Task>,
    /// Tasks that the last block changed.
    pub(in crate::invariants) touched: BTreeSet<TaskId>,
    /// Bids that stand, by market and agent.
    pub(in crate::invariants) bids: BTreeMap<(Label, PublicKey), Live>,
    /// Bids that ended with the last clearing of this block, by market and agent.
    pub(in crate::invariants) cleared: BTreeMap<(Label, PublicKey), Live>,
    /// Markets whose window is over, so that they must clear in this block.
    pub(in crate::invariants) due: BTreeSet<Label>,
    pub(super) windows: BTreeMap<Label, Window>,
    /// By market: the solutions that are kept, ascending by agent.
    pub(super) kept: BTreeMap<Label, Vec<SolutionInput>>,
    /// All attestations of an agent that were committed, by name.
    attested: BTreeMap<PublicKey, BTreeMap<Hash, Attestation>>,
    /// Revoked attestations, by issuer and name.
    revoked: BTreeSet<(PublicKey, Hash)>,
    /// By market: the number of assignments that a task may have.
    attempts: BTreeMap<Label, u64>,
}

impl Model {
    /// Takes in the blocks that an observation brings. `judge` sees each step before it is applied.
    pub(in crate::invariants) fn follow(
        &mut self,
        world: &World,
        seen: &Seen,
        judge: &mut dyn FnMut(&Self, &Step<'_>) -> Result<(), String>,
    ) -> Result<(), String> {
        for decided in self.committee.take(world, seen) {
            self.begin(world, &decided);

            for step in Step::of(&decided) {
                let height = self.now.height;

                judge(self, &step).map_err(|how| format!("height {height}: {how}"))?;
                self.apply(world, &step);
            }

            // Clearings may have taken the last open task of a market.
            self.end_windows();
        }

        Ok(())
    }

    /// Begins a block: sets its moment, and forgets the tasks that the block before changed.
    fn begin(&mut self, world: &World, decided: &Decided) {
        let header = &decided.block.header;
        self.now = Moment {
            height: header.height,
            active: header.active_time,
            wall: header.block_time,
        };

        self.touched.clear();

        // The attempts are those of the genesis, so they are read once.
        if self.attempts.is_empty() {
            let markets = world.genesis().markets.iter();
            self.attempts = markets
                .map(|market| (market.name.clone(), market.attempts))
                .collect();
        }
    }

    /// The attestations of an agent that are in force now, with their names.
    pub(in crate::invariants) fn in_force(
        &self,
        agent: &PublicKey,
    ) -> impl Iterator<Item = (&Hash, &Attestation)> {
        // Attestations count seconds, block time counts milliseconds.
        let seconds = self.now.wall.seconds();

        let valid = move |(name, attestation): &(&Hash, &Attestation)| {
            let claims = &attestation.payload;
            claims.not_before <= seconds
                && seconds < claims.expires
                && !self.revoked.contains(&(claims.issuer, **name))
        };

        self.attested.get(agent).into_iter().flatten().filter(valid)
    }

    /// The capabilities of an agent now (L-12). An agent with an attestation in force and no word
    /// on slots has one slot (M-9).
    pub(in crate::invariants) fn capabilities(&self, agent: &PublicKey) -> Capabilities {
        let mut all = Capabilities::new();
        let mut any = false;

        for (_, attestation) in self.in_force(agent) {
            any = true;
            let can = &attestation.payload.capabilities;
            all.labels.extend(can.labels.iter().cloned());

            for (name, amount) in &can.amounts {
                let most = all.amounts.entry(name.clone()).or_insert(*amount);
                *most = (*most).max(*amount);
            }
        }

        // Without an attestation in force there is no slot either.
        if any && let Ok(slots) = SLOTS.parse() {
            all.amounts.entry(slots).or_insert(1);
        }

        all
    }

    /// The amounts that the assignments in force take of an agent.
    pub(in crate::invariants) fn committed(&self, agent: &PublicKey) -> Amounts {
        let mut sum = Amounts::new();
        let held = self.tasks.values().filter(|task| {
            task.state.is_held() && task.holder.is_some_and(|(holder, _)| holder == *agent)
        });

        for task in held {
            for (name, amount) in demand(&task.spec) {
                *sum.entry(name).or_insert(0) += amount;
            }
        }

        sum
    }

    /// The number of assignments that a task of this market may have.
    pub(in crate::invariants) fn attempts(&self, market: &Label) -> u64 {
        self.attempts.get(market).copied().unwrap_or(0)
    }

    /// Applies a step to the state.
    fn apply(&mut self, world: &World, step: &Step<'_>) {
        match step {
            Step::Took(signed, refusal) => self.apply_operation(world, signed, *refusal),
            // A refused operation has no effect, so the state stays as it is.
            Step::Refused(..) => {}

            Step::Windows(block) => self.move_windows(world, block),
            Step::Moved(signed, receipt) => self.moved(signed, receipt),
            Step::Ended(expiry) => self.end_task(expiry),

            Step::Cleared(record, _) => {
                self.clear_bids(&record.market);
                self.clear_window(&record.market);
            }

            Step::Assigned(assignment) => self.assigned(assignment),
        }
    }

    /// Applies an operation that took effect, except for the offers that the refusal names.
    fn apply_operation(
        &mut self,
        world: &World,
        signed: &SignedOperation,
        refusal: Option<&Refusal>,
    ) {
        let agent = signed.payload.agent;

        match &signed.payload.body {
            OperationBody::Admit(attest) | OperationBody::Attest(attest) => {
                let held = self.attested.entry(agent).or_default();
                held.insert(attest.attestation.id(), attest.attestation.clone());
            }

            OperationBody::Revoke(Revoke { attestation, .. }) => {
                self.revoked.insert((agent, *attestation));
            }

            OperationBody::Submit(submit) => self.open(agent, submit),

            OperationBody::Withdraw(withdraw) => {
                self.bids.remove(&(withdraw.market.clone(), agent));
            }

            OperationBody::Bid(bid) => self.put_open_bid(signed, bid, refusal),
            OperationBody::Seal(seal) => self.put_sealed_bid(signed, seal, refusal),
            OperationBody::Reveal(reveal) => self.reveal(agent, reveal, refusal),
            OperationBody::Solve(solve) => self.keep(world, signed, solve),
            _ => {}
        }
    }

    /// Opens the tasks that an operation submits.
    fn open(&mut self, requester: PublicKey, submit: &Submit) {
        for (spec, number) in submit.tasks.iter().zip(submit.first..) {
            let id = TaskId { requester, number };
            let task = Task {
                spec: spec.clone(),
                state: ModelState::Open,
                token: FencingToken::ZERO,
                holder: None,
                excluded: BTreeSet::new(),
            };

            self.open_window(&task.spec.market);
            self.tasks.insert(id, task);
            self.touched.insert(id);
        }
    }

    /// Puts a bid with open prices in the place of the agent's earlier one.
    fn put_open_bid(&mut self, signed: &SignedOperation, bid: &Bid, refusal: Option<&Refusal>) {
        let offers = bid.offers.iter();
        let offers = offers.map(|offer| (offer.task, Said::Price(offer.price)));
        let left = without_refused(offers, refusal);
        self.put_bid(signed, &bid.market, &bid.budget, left);
    }

    /// Puts a bid with commitments to prices in the place of the agent's earlier one.
    fn put_sealed_bid(&mut self, signed: &SignedOperation, seal: &Seal, refusal: Option<&Refusal>) {
        let offers = seal.offers.iter();
        let offers = offers.map(|offer| (offer.task, Said::Sealed(offer.commitment)));
        let left = without_refused(offers, refusal);
        self.put_bid(signed, &seal.market, &seal.budget, left);
    }

    /// Puts a bid in the place of the agent's earlier one in the market.
    fn put_bid(
        &mut self,
        signed: &SignedOperation,
        market: &Label,
        budget: &Amounts,
        offers: BTreeMap<TaskId, Said>,
    ) {
        let live = Live {
            signed: signed.clone(),
            budget: budget.clone(),
            offers,
        };

        self.bids
            .insert((market.clone(), signed.payload.agent), live);
    }

    /// Puts the prices of the openings into the agent's bid: an offer that is opened is a bid like
    /// any other (M-26).
    fn reveal(&mut self, agent: PublicKey, reveal: &Reveal, refusal: Option<&Refusal>) {
        let openings = reveal.openings.iter();
        let opened = openings.map(|of| (of.task, Said::Price(of.price)));

        if let Some(bid) = self.bids.get_mut(&(reveal.market.clone(), agent)) {
            bid.offers.extend(without_refused(opened, refusal));
        }
    }

    /// Ends a task whose deadline has passed. A task without attempts has failed already.
    fn end_task(&mut self, expiry: &Expiry) {
        if expiry.reason == Reason::DeadlinePassed {
            self.set(expiry.task, ModelState::Expired);
        }
    }

    /// Ends all bids of a market together with its window (M-8).
    fn clear_bids(&mut self, market: &Label) {
        let all = std::mem::take(&mut self.bids);
        (self.cleared, self.bids) = all.into_iter().partition(|((of, _), _)| of == market);
    }

    /// Sets the state of a task and notes that the block changed the task.
    fn set(&mut self, id: TaskId, state: ModelState) {
        if let Some(task) = self.tasks.get_mut(&id) {
            task.state = state;
            self.touched.insert(id);
        }
    }

    /// L-15, L-17: applies an operation to the task of its receipt.
    fn moved(&mut self, signed: &SignedOperation, receipt: &Receipt) {
        let Some(task) = self.tasks.get(&receipt.task) else {
            return;
        };

        let state = self.state_after(task, &signed.payload.body);
        let holder = task.holder.map(|(agent, _)| agent);

        // The task is on the market again.
        if state == ModelState::Open {
            let market = task.spec.market.clone();
            self.open_window(&market);
        }

        self.set(receipt.task, state);

        // In these cases the assignee declined, failed or lapsed, so it is excluded from now on.
        let failed = matches!(state, ModelState::Failed | ModelState::Open);

        if failed && let Some(task) = self.tasks.get_mut(&receipt.task) {
            task.excluded.extend(holder);
        }
    }

    /// The state to which an operation with a receipt moves a task.
    fn state_after(&self, task: &Task, body: &OperationBody) -> ModelState {
        // After the last attempt the task fails instead of opening again (L-17).
        let is_last = task.token.0 >= self.attempts(&task.spec.market);

        match body {
            OperationBody::Accept(_) => ModelState::Working,
            OperationBody::Complete(_) => ModelState::Completed,
            OperationBody::Cancel(_) => ModelState::Canceled,
            _ if is_last => ModelState::Failed,
            _ => ModelState::Open,
        }
    }

    fn assigned(&mut self, assignment: &Assignment) {
        self.set(assignment.task, ModelState::Assigned);
        if let Some(task) = self.tasks.get_mut(&assignment.task) {
            task.token = assignment.token;
            task.holder = Some((assignment.agent, self.now));
        }
    }
}

/// The offers that the refusal does not name; those that were refused do not stand (M-4).
fn without_refused(
    offers: impl Iterator<Item = (TaskId, Said)>,
    refusal: Option<&Refusal>,
) -> BTreeMap<TaskId, Said> {
    offers.filter(|(task, _)| !refuses(refusal, task)).collect()
}

/// The amounts that a task takes of its assignee.
pub(in crate::invariants) fn demand(spec: &TaskSpec) -> Amounts {
    if spec.demand.is_empty() {
        return SLOTS.parse().map(|slots| (slots, 1)).into_iter().collect();
    }
    spec.demand.clone()
}
