//! A block while it runs: the view it changes and the outcomes it gathers.

use quorate_types::{
    Genesis, Height, Label, Market, Millis, Outcome, Reason, SwarmId, TaskId, ValidatorSet, outcome,
};

use crate::Dossier;
use crate::state::View;

/// The moment a block stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Now {
    /// Its height.
    pub height: Height,
    /// Its active time: for everything that costs someone.
    pub active: Millis,
    /// Its block time, Unix milliseconds: for attestations and deadlines of requesters.
    pub wall: Millis,
}

/// A running block.
#[derive(Debug)]
pub(crate) struct Run<'a> {
    pub genesis: &'a Genesis,
    pub swarm: SwarmId,
    pub now: Now,
    /// Who votes on this block.
    pub validators: &'a ValidatorSet,
    pub view: View<'a>,
    pub outcomes: Vec<Outcome>,
    pub dossiers: Vec<Dossier>,
}

/// What was refused: the whole operation (`None`) or its offer on a task. Ascending.
pub(crate) type Items = Vec<(Option<TaskId>, Reason)>;

impl<'a> Run<'a> {
    /// A market by its name.
    ///
    /// # Errors
    /// [`Reason::UnknownMarket`].
    pub(crate) fn market(&self, name: &Label) -> Result<&'a Market, Reason> {
        self.genesis.market(name).ok_or(Reason::UnknownMarket)
    }

    /// Commits a refusal and charges the agent for it.
    pub(crate) fn refuse(&mut self, refusal: outcome::Refusal) {
        self.view.change_account(refusal.agent, |account| {
            account.refusals = account.refusals.saturating_add(1);
        });
        self.outcomes.push(Outcome::Refusal(refusal));
    }
}
