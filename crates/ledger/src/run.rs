//! A block while it is executed: the view that it changes, and the outcomes that it gathers.

use quorate_types::{
    ActiveMillis, Genesis, Height, Label, Market, Outcome, Reason, SwarmId, TaskId, UnixMillis,
    ValidatorSet, outcome,
};

use crate::Dossier;
use crate::state::View;

/// The point in time at which a block is executed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Now {
    /// The height of the block.
    pub height: Height,
    /// The active time of the block: windows and leases run on it.
    pub active: ActiveMillis,
    /// The block time: attestations and the deadlines of requesters are compared with it.
    pub wall: UnixMillis,
}

/// A block that is being executed.
#[derive(Debug)]
pub(crate) struct Run<'a> {
    pub genesis: &'a Genesis,
    pub swarm: SwarmId,
    pub now: Now,
    /// The validator set in force at the height of the block.
    pub validators: &'a ValidatorSet,
    pub view: View<'a>,
    pub outcomes: Vec<Outcome>,
    pub dossiers: Vec<Dossier>,
}

/// The refused parts of an operation with their reasons, ascending: `None` stands for the whole
/// operation, a task for the offer or the pair on that task.
pub(crate) type Items = Vec<(Option<TaskId>, Reason)>;

impl<'a> Run<'a> {
    /// Returns the market of this name.
    ///
    /// # Errors
    /// [`Reason::UnknownMarket`] if the genesis has no market of this name.
    pub(crate) fn market(&self, name: &Label) -> Result<&'a Market, Reason> {
        self.genesis.market(name).ok_or(Reason::UnknownMarket)
    }

    /// Commits a refusal and counts it in the account of its agent.
    pub(crate) fn refuse(&mut self, refusal: outcome::Refusal) {
        self.view.change_account(refusal.agent, |account| {
            account.refusals = account.refusals.saturating_add(1);
        });
        self.outcomes.push(Outcome::Refusal(refusal));
    }
}
