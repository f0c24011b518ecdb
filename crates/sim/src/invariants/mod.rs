//! What must always hold: the invariants of the protocol, one file each, named and numbered as in
//! the book's chapter on simulation.
//!
//! An invariant restates its rule from what can be observed; it does not call the code that is to
//! obey it.

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

/// One rule, and whether a run has kept it.
pub trait Invariant {
    /// Its number.
    fn number(&self) -> u8;

    /// Its name in reports.
    fn name(&self) -> &'static str;

    /// Judges one observation; the world stands as it was right after.
    ///
    /// # Errors
    /// How the rule was broken, for people.
    fn see(&mut self, world: &World, seen: &Seen) -> Result<(), String>;

    /// Judges the end of the run.
    ///
    /// # Errors
    /// How the rule was broken, for people.
    fn end(&mut self, _world: &World) -> Result<(), String> {
        Ok(())
    }
}

/// All of them, fresh.
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

/// Those that hold whoever lies.
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
