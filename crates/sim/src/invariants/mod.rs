//! The invariants of the protocol: rules that must hold in every run. Each has its own file, and is
//! named and numbered as in the book's chapter on simulation.
//!
//! An invariant restates its rule from observations. It does not call the code that must obey the
//! rule.

mod accountability;
mod agreement;
mod bids;
mod bounds;
mod capacity;
mod causes;
mod certificates;
mod clearing;
mod committee_changes;
mod conservation;
mod damage;
mod evidence;
mod fencing;
mod idempotence;
mod innocence;
mod oracle;
mod prefix;
mod progress;
mod quorum;
mod recovery;
mod single_quorum;
mod single_vote;
#[cfg(test)]
mod tests;
mod validity;

use crate::seen::Seen;
use crate::world::World;

/// A rule of the protocol, with the state that it takes to judge whether a run keeps it.
pub trait Invariant {
    /// The number of the invariant, as in the book.
    fn number(&self) -> u8;

    /// The name of the invariant in reports.
    fn name(&self) -> &'static str;

    /// Judges one observation; `world` is as it was right after it.
    ///
    /// # Errors
    /// A description, for people, of how the rule was broken.
    fn see(&mut self, world: &World, seen: &Seen) -> Result<(), String>;

    /// Judges the end of the run.
    ///
    /// # Errors
    /// A description, for people, of how the rule was broken.
    fn end(&mut self, _world: &World) -> Result<(), String> {
        Ok(())
    }
}

/// Creates all invariants, for a run that has not begun.
pub(crate) fn all() -> Vec<Box<dyn Invariant>> {
    vec![
        Box::new(agreement::Agreement::default()),
        Box::new(prefix::Prefix::default()),
        Box::new(validity::validity()),
        Box::new(single_vote::SingleVote::default()),
        Box::new(certificates::Certificates::default()),
        Box::new(single_quorum::SingleQuorum::default()),
        Box::new(innocence::Innocence),
        Box::new(accountability::Accountability::default()),
        Box::new(evidence::EvidenceOnce::default()),
        Box::new(progress::progress()),
        Box::new(quorum::Quorum::default()),
        Box::new(fencing::fencing()),
        Box::new(conservation::conservation()),
        Box::new(capacity::capacity()),
        Box::new(clearing::clearing()),
        Box::new(idempotence::idempotence()),
        Box::new(causes::causes()),
        Box::new(bids::bids()),
        Box::new(committee_changes::CommitteeChanges::default()),
        Box::new(recovery::Recovery::default()),
        Box::new(bounds::Bounds::default()),
        Box::new(damage::Damage),
    ]
}

/// Creates the invariants that hold however many validators lie.
pub(crate) fn over_threshold() -> Vec<Box<dyn Invariant>> {
    vec![
        Box::new(single_vote::SingleVote::default()),
        Box::new(certificates::Certificates::default()),
        Box::new(innocence::Innocence),
        Box::new(accountability::Accountability::default()),
        Box::new(bounds::Bounds::default()),
        Box::new(damage::Damage),
    ]
}
