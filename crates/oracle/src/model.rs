//! The model: tasks, bids and attestations as the committed operations and outcomes make them.
//!
//! Here are the state and the single moves of it. The step that makes a move is in `follow.rs`.

use std::collections::{BTreeMap, BTreeSet};

use quorate_types::outcome::SolutionInput;
use quorate_types::{
    Amounts, Attestation, Capabilities, FencingToken, Genesis, Hash, Header, Label, Market, Price,
    PublicKey, Stage, TaskId, TaskSpec, ValidatorSet,
};

use crate::attestations::Attestations;
use crate::committee::Committee;
use crate::decided::Decided;
use crate::offer::{Live, Offered};
use crate::task::{ModelState, Moment, Task, demand};
use crate::windows::{Facts, Windows};

/// The bids of agents, by market and agent.
type Bids = BTreeMap<(Label, PublicKey), Live>;

/// The state of the ledger, derived as the book says.
#[derive(Debug, Default)]
pub struct Model {
    committee: Committee,
    now: Moment,
    tasks: BTreeMap<TaskId, Task>,
    /// Tasks that the last block changed.
    touched: BTreeSet<TaskId>,
    /// Bids that stand.
    bids: Bids,
    /// Bids that ended with the last clearing of this block.
    cleared: Bids,
    windows: Windows,
    /// By market: the solutions that are kept, ascending by agent.
    kept: BTreeMap<Label, Vec<SolutionInput>>,
    attestations: Attestations,
    /// By market: the number of assignments that a task may have.
    attempts: BTreeMap<Label, u64>,
}

impl Model {
    /// The height and the times of the last block.
    pub fn now(&self) -> Moment {
        self.now
    }

    /// All tasks that were taken in.
    pub fn tasks(&self) -> &BTreeMap<TaskId, Task> {
        &self.tasks
    }

    /// A task; `None` if it was never taken in.
    pub fn task(&self, id: &TaskId) -> Option<&Task> {
        self.tasks.get(id)
    }

    /// The tasks that the last block changed.
    pub fn touched(&self) -> impl Iterator<Item = &TaskId> {
        self.touched.iter()
    }

    /// The capabilities of an agent now (L-12). An agent with an attestation in force and no word
    /// on slots has one slot (M-9).
    pub fn capabilities(&self, agent: &PublicKey) -> Capabilities {
        self.attestations.capabilities(agent, self.now.wall)
    }

    /// The attestations of an agent that are in force now, with their names.
    pub(crate) fn in_force(
        &self,
        agent: &PublicKey,
    ) -> impl Iterator<Item = (&Hash, &Attestation)> {
        self.attestations.in_force(agent, self.now.wall)
    }

    /// The committee that votes on the last block.
    pub(crate) fn committee<'a>(&'a self, genesis: &'a Genesis) -> &'a ValidatorSet {
        self.committee.at(genesis, self.now.height)
    }

    /// The bids that stand, by market and agent.
    pub(crate) fn bids(&self) -> &BTreeMap<(Label, PublicKey), Live> {
        &self.bids
    }

    /// The bid of an agent that stands in a market.
    pub(crate) fn bid(&self, market: &Label, agent: &PublicKey) -> Option<&Live> {
        self.bids.get(&(market.clone(), *agent))
    }

    /// The bid of an agent in a market that ended with the last clearing of this block.
    pub(crate) fn cleared(&self, market: &Label, agent: &PublicKey) -> Option<&Live> {
        self.cleared.get(&(market.clone(), *agent))
    }

    /// The number and the stage of a market's window; the stage is `None` if no task is open.
    pub(crate) fn window(&self, market: &Label) -> (u64, Option<Stage>) {
        self.windows.stage(market)
    }

    /// The markets that must clear in this block and have not yet.
    pub(crate) fn due(&self) -> &BTreeSet<Label> {
        self.windows.due()
    }

    /// The solutions kept in a market, ascending by agent.
    pub(crate) fn kept(&self, market: &Label) -> impl Iterator<Item = &SolutionInput> {
        self.kept.get(market).into_iter().flatten()
    }

    /// The amounts that the assignments in force take of an agent.
    pub(crate) fn committed(&self, agent: &PublicKey) -> Amounts {
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

    /// Whether the assignment in force is the last one that a task may have (L-17).
    pub(crate) fn is_last_attempt(&self, task: &Task) -> bool {
        let attempts = self.attempts.get(&task.spec.market).copied();
        task.token.0 >= attempts.unwrap_or(0)
    }

    /// Whether a task of the market is open.
    pub(crate) fn has_open_task(&self, market: &Label) -> bool {
        self.open_tasks().any(|task| task.spec.market == *market)
    }

    fn open_tasks(&self) -> impl Iterator<Item = &Task> {
        let tasks = self.tasks.values();
        tasks.filter(|task| task.state == ModelState::Open)
    }
}

/// The moves.
impl Model {
    /// Takes in the report of a correct validator as [`Committee::take`] does.
    pub(crate) fn take(&mut self, genesis: &Genesis, report: Option<Decided>) -> Vec<Decided> {
        self.committee.take(genesis, report)
    }

    /// Begins a block: sets its moment, and forgets the tasks that the block before changed.
    pub(crate) fn begin(&mut self, genesis: &Genesis, header: &Header) {
        self.now = Moment {
            height: header.height,
            active: header.active_time,
            wall: header.block_time,
        };

        self.touched.clear();

        // The attempts are those of the genesis, so they are read once.
        if self.attempts.is_empty() {
            let markets = genesis.markets.iter();
            self.attempts = markets
                .map(|market| (market.name.clone(), market.attempts))
                .collect();
        }
    }

    /// Ends a block: ends the windows of markets whose last open task was assigned.
    pub(crate) fn end(&mut self) {
        let open = self.open_tasks().map(|task| task.spec.market.clone());
        let open: BTreeSet<Label> = open.collect();
        self.windows.end_others(&open);
    }

    /// Adds an attestation that an agent showed.
    pub(crate) fn attest(&mut self, agent: PublicKey, attestation: &Attestation) {
        self.attestations.add(agent, attestation);
    }

    /// Revokes an attestation of an issuer.
    pub(crate) fn revoke(&mut self, issuer: PublicKey, name: Hash) {
        self.attestations.revoke(issuer, name);
    }

    /// Puts a new task on the market.
    pub(crate) fn submit(&mut self, id: TaskId, spec: &TaskSpec) {
        let task = Task {
            spec: spec.clone(),
            state: ModelState::Open,
            token: FencingToken::ZERO,
            holder: None,
            excluded: BTreeSet::new(),
        };

        self.windows.open(&spec.market, self.now);
        self.tasks.insert(id, task);
        self.touched.insert(id);
    }

    /// Moves a task to a state. A task that is open again opens a window.
    pub(crate) fn set(&mut self, id: TaskId, state: ModelState) {
        let Some(task) = self.tasks.get_mut(&id) else {
            return;
        };

        task.state = state;
        self.touched.insert(id);

        if state == ModelState::Open {
            self.windows.open(&task.spec.market, self.now);
        }
    }

    /// Excludes from a task the agent that got it last.
    pub(crate) fn exclude_holder(&mut self, id: TaskId) {
        if let Some(task) = self.tasks.get_mut(&id) {
            task.excluded.extend(task.holder.map(|(agent, _)| agent));
        }
    }

    /// Gives a task to an agent under a token.
    pub(crate) fn assign(&mut self, id: TaskId, agent: PublicKey, token: FencingToken) {
        self.set(id, ModelState::Assigned);

        if let Some(task) = self.tasks.get_mut(&id) {
            task.token = token;
            task.holder = Some((agent, self.now));
        }
    }

    /// Puts a bid in the place of the agent's earlier one in the market.
    pub(crate) fn put_bid(&mut self, market: &Label, bid: Live) {
        let agent = bid.signed.payload.agent;
        self.bids.insert((market.clone(), agent), bid);
    }

    /// Puts prices into the agent's bid: an offer that is opened is a bid like any other (M-26).
    pub(crate) fn open_offers(
        &mut self,
        market: &Label,
        agent: PublicKey,
        opened: BTreeMap<TaskId, Price>,
    ) {
        let prices = opened.into_iter();
        let offers = prices.map(|(task, price)| (task, Offered::Price(price)));

        if let Some(bid) = self.bids.get_mut(&(market.clone(), agent)) {
            bid.offers.extend(offers);
        }
    }

    /// Takes back the agent's bid in the market.
    pub(crate) fn withdraw(&mut self, market: &Label, agent: PublicKey) {
        self.bids.remove(&(market.clone(), agent));
    }

    /// Sets the solutions that are kept in a market.
    pub(crate) fn set_kept(&mut self, market: Label, kept: Vec<SolutionInput>) {
        self.kept.insert(market, kept);
    }

    /// Lets no market clear in this block.
    pub(crate) fn clear_none(&mut self) {
        self.windows.clear_none();
    }

    /// Moves the window of a market on in a block by `builder`; `live` are the offers of its live
    /// bids. The window may become due.
    pub(crate) fn move_window(
        &mut self,
        genesis: &Genesis,
        market: &Market,
        live: &[Offered],
        builder: PublicKey,
    ) {
        let facts = Facts {
            now: self.now,
            set: self.committee.at(genesis, self.now.height),
            builder,
            is_open: self.has_open_task(&market.name),
            live,
        };

        let ended = self.windows.move_on(market, facts);

        if ended {
            self.kept.remove(&market.name);
        }
    }

    /// Ends the window of a market that clears, and all bids with it (M-8).
    pub(crate) fn clear(&mut self, market: &Label) {
        let all = std::mem::take(&mut self.bids);
        (self.cleared, self.bids) = all.into_iter().partition(|((of, _), _)| of == market);

        self.kept.remove(market);
        self.windows.clear(market, self.now);
    }
}
