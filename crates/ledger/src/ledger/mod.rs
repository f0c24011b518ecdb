//! The ledger: the state after the last decided block, and the step to the next one.

mod past;
mod tip;

use std::collections::BTreeSet;
use std::sync::Arc;

use quorate_types::genesis::GenesisError;
use quorate_types::{
    ActiveMillis, BlockId, Genesis, Hash, Height, Market, ProposerSchedule, PublicKey, Stage,
    SwarmId, UnixMillis, ValidatorSet,
};

use self::past::{Before, Past};
use self::tip::{Sets, Tip};
use crate::committee::Committee;
use crate::state::{Entry, Index, Key, State, View};
use crate::{Committed, Execution, StaleExecution};

/// The state of a swarm after its last decided block.
///
/// The methods follow the life of a block. [`Self::next_due`] says when a block is needed although
/// no operation waits. [`Self::propose`] and [`Self::execute`] run candidates, as many as there
/// are. [`Self::commit`] takes over the one that was decided. `clone` is O(1) and gives a snapshot,
/// so that another thread can execute while this one goes on.
#[derive(Debug, Clone)]
pub struct Ledger {
    genesis: Arc<Genesis>,
    swarm: SwarmId,
    parameters: Hash,
    tip: Tip,
    state: State,
    sets: Sets,
    benched: BTreeSet<PublicKey>,
    schedule: Arc<ProposerSchedule>,
    past: Past,
}

impl Ledger {
    /// Returns the ledger at height 0: validators and attesters are members, and nothing else is
    /// there.
    ///
    /// # Errors
    /// [`GenesisError`] if the genesis breaks one of its rules, or names a mechanism that this
    /// program does not have.
    pub fn genesis(genesis: Genesis) -> Result<Self, GenesisError> {
        genesis.check()?;
        quorate_market::check_mechanisms(&genesis.markets)?;

        let committee = Committee::first(genesis.validators.clone());
        let sets = Sets::after(&committee, 0);
        let state = first_state(&genesis, committee);

        let tip = Tip {
            height: 0,
            block: BlockId::GENESIS,
            active_time: ActiveMillis::ZERO,
            block_time: genesis.created,
        };

        // Nobody is benched before the first block.
        let benched = BTreeSet::new();
        let schedule = ProposerSchedule::new(&sets.current, &benched);

        Ok(Self {
            swarm: genesis.swarm_id(),
            parameters: genesis.parameters_hash(),
            genesis: Arc::new(genesis),
            tip,
            state,
            sets,
            benched,
            schedule: Arc::new(schedule),
            past: Past::default(),
        })
    }

    /// Takes over the execution of the block that was decided.
    ///
    /// # Errors
    /// [`StaleExecution`] if it was not made on top of the last decided block.
    pub fn commit(&mut self, execution: Execution) -> Result<Committed, StaleExecution> {
        let Execution {
            block,
            header,
            changes,
            tree,
            outcomes,
            leaves,
            dossiers,
            validators,
        } = execution;

        let expected = self.tip.height.saturating_add(1);
        let found = header.height;

        if found != expected || header.previous != self.tip.block {
            return Err(StaleExecution { expected, found });
        }

        // The undo is made of the values before the changes, so it comes first.
        self.past.remember(Before {
            tip: self.tip,
            sets: self.sets.clone(),
            benched: self.benched.clone(),
            schedule: Arc::clone(&self.schedule),
            undo: self.state.undo(&changes),
        });
        self.state.apply(changes, tree);

        self.tip = Tip {
            height: header.height,
            block,
            active_time: header.active_time,
            block_time: header.block_time,
        };

        // The sets for the next height follow from the new state.
        self.look_ahead();

        Ok(Committed {
            height: header.height,
            block,
            outcomes,
            leaves,
            dossiers,
            validators,
        })
    }

    /// Returns the earliest block time at which a block would have work to do without any
    /// operation, or `None` if the swarm is idle. Such work is a deadline of an open task, a window
    /// with bids whose minimum time ends or that lacks only builders, and a clearing that waits.
    /// The result is never earlier than the next block may be.
    ///
    /// Active time advances by at most `max_step_ms` for each block: if a window needs more, a
    /// block is due after each such step.
    pub fn next_due(&self) -> Option<UnixMillis> {
        let view = self.state.view();

        // Deadlines ascend, so the first one is the earliest.
        let deadline =
            view.marks(Index::deadlines(UnixMillis::MAX))
                .find_map(|(key, _)| match key {
                    Index::Deadline(time, _) => Some(*time),
                    _ => None,
                });

        let markets = self.genesis.markets.iter();
        let windows = markets.filter_map(|market| self.window_due(&view, market));

        // Block time increases strictly (L-3).
        let soonest = self.tip.block_time.saturating_add(1);
        windows.chain(deadline).min().map(|due| due.max(soonest))
    }

    /// Returns the block time at which a block is due for the window of a market; `None` if the
    /// window is not open or has no bids.
    fn window_due(&self, view: &View<'_>, market: &Market) -> Option<UnixMillis> {
        let opened = view.window(&market.name).opened?;

        if view.count(&Index::Live(market.name.clone())) == 0 {
            return None;
        }

        // A window whose commitments are all opened waits for nobody (M-25).
        let sealed = view.count(&Index::Sealed(market.name.clone()));

        let closes = if opened.stage == Stage::Openings && sealed == 0 {
            ActiveMillis::ZERO
        } else {
            opened.closes(market)
        };

        // A block adds at most one step, so a longer wait takes several blocks.
        let wait = closes.saturating_since(self.tip.active_time);
        let step = wait.min(self.genesis.parameters.max_step_ms);

        Some(self.tip.block_time.saturating_add(step))
    }

    /// Returns the genesis that the swarm started from.
    pub fn genesis_info(&self) -> &Genesis {
        &self.genesis
    }

    /// Returns the id of the swarm, the hash of its genesis.
    pub fn swarm(&self) -> SwarmId {
        self.swarm
    }

    /// Returns the height of the last decided block; 0 before the first.
    pub fn height(&self) -> Height {
        self.tip.height
    }

    /// Returns the id of the last decided block; [`BlockId::GENESIS`] before the first.
    pub fn last_block(&self) -> BlockId {
        self.tip.block
    }

    /// Returns the active time of the last decided block; 0 before the first.
    pub fn active_time(&self) -> ActiveMillis {
        self.tip.active_time
    }

    /// Returns the block time of the last decided block; before the first, the time of the genesis.
    pub fn block_time(&self) -> UnixMillis {
        self.tip.block_time
    }

    /// Returns the root of the state after the last decided block.
    pub fn state_root(&self) -> Hash {
        self.state.tree().root()
    }

    /// Returns the validator set in force at the next height.
    pub fn validators(&self) -> &Arc<ValidatorSet> {
        &self.sets.current
    }

    /// Returns the validator set in force at the last decided height. Before the first block it is
    /// that of the next height.
    pub fn previous_validators(&self) -> &Arc<ValidatorSet> {
        &self.sets.previous
    }

    /// Returns the validator set in force at the height after the next one.
    pub fn next_validators(&self) -> &Arc<ValidatorSet> {
        &self.sets.next
    }

    /// Returns the validators that do not propose at the next height, because they missed turns.
    pub fn benched(&self) -> &BTreeSet<PublicKey> {
        &self.benched
    }

    /// Returns the schedule of the turns to propose at the next height.
    pub fn proposers(&self) -> &Arc<ProposerSchedule> {
        &self.schedule
    }

    pub(crate) fn state(&self) -> &State {
        &self.state
    }

    pub(crate) fn parameters(&self) -> Hash {
        self.parameters
    }

    /// Returns the ledger on which the blocks of `height` are executed, for the next height and the
    /// last [`quorate_types::limits::BAD_BLOCK_HEIGHTS`] decided ones; `None` for any other height.
    /// The result has no past itself.
    pub(crate) fn before(&self, height: Height) -> Option<Self> {
        let back = self.blocks_since(height)?;

        // For the next height `back` is 0, and nothing has to be undone.
        let Some(last) = back.checked_sub(1) else {
            return Some(Self {
                past: Past::default(),
                ..self.clone()
            });
        };

        let then = self.past.before(last)?;

        Some(Self {
            genesis: Arc::clone(&self.genesis),
            swarm: self.swarm,
            parameters: self.parameters,
            tip: then.tip,
            state: self.state.rewound(&self.past.undos(back)),
            sets: then.sets.clone(),
            benched: then.benched.clone(),
            schedule: Arc::clone(&then.schedule),
            past: Past::default(),
        })
    }

    /// Returns the decided block before `height`; `None` if [`Self::before`] has no ledger for it.
    pub(crate) fn parent_of(&self, height: Height) -> Option<BlockId> {
        match self.blocks_since(height)?.checked_sub(1) {
            None => Some(self.tip.block),
            Some(last) => self.past.before(last).map(|before| before.tip.block),
        }
    }

    /// Returns the number of decided blocks from `height` on: 0 for the next height, and `None`
    /// above it.
    fn blocks_since(&self, height: Height) -> Option<usize> {
        let next = self.tip.height.saturating_add(1);
        usize::try_from(next.checked_sub(height)?).ok()
    }

    /// Returns the active time of a next block at `block_time`; see
    /// [`quorate_types::Header::active_time`].
    pub(crate) fn active_at(&self, block_time: UnixMillis) -> ActiveMillis {
        let step = block_time.saturating_since(self.tip.block_time);
        let step = step.min(self.genesis.parameters.max_step_ms);
        self.tip.active_time.saturating_add(step)
    }

    /// Updates the validator sets, the bench and the schedule for the next height from the state.
    fn look_ahead(&mut self) {
        let view = self.state.view();
        let Some(committee) = view.committee() else {
            return;
        };

        let height = self.tip.height.saturating_add(1);
        let sets = Sets::after(committee, self.tip.height);
        let benched = view.proposers().benched(height);

        // Most blocks change neither the committee nor the bench, and keep the schedule.
        if benched != self.benched || !Arc::ptr_eq(&sets.current, &self.sets.current) {
            self.schedule = Arc::new(ProposerSchedule::new(&sets.current, &benched));
        }

        self.sets = sets;
        self.benched = benched;
    }
}

/// Returns the state at height 0, where validators and attesters are members (L-9).
fn first_state(genesis: &Genesis, committee: Committee) -> State {
    let mut state = State::new();
    let mut view = state.view();

    let validators = genesis.validators.iter().map(|validator| validator.key);
    let attesters = genesis.attesters.iter().map(|attester| attester.key);

    for member in validators.chain(attesters) {
        view.add_account(member);
    }

    view.put(Key::Committee, Entry::Committee(Arc::new(committee)));

    let changes = view.into_changes();
    let tree = state.tree_with(&changes);

    state.apply(changes, tree);
    state
}
