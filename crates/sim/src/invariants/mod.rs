//! The invariants of the protocol: rules that must hold in every run, named and numbered as in the
//! book's chapter on simulation. A rule that decided blocks alone can break has its file in
//! `quorate-oracle`; every other one has its file here.
//!
//! An invariant restates its rule from observations. It does not call the code that must obey the
//! rule.

mod accountability;
mod agreement;
mod blocks;
mod bounds;
mod certificates;
mod committee_changes;
mod conservation;
mod damage;
mod evidence;
mod fencing;
mod innocence;
mod invariant;
mod observed;
mod prefix;
mod progress;
mod quorum;
mod recovery;
mod single_quorum;
mod single_vote;
#[cfg(test)]
mod tests;

pub use invariant::Invariant;

use blocks::OfBlocks;

/// Creates all invariants, for a run that has not begun.
pub(crate) fn all() -> Vec<Box<dyn Invariant>> {
    vec![
        Box::new(agreement::Agreement::default()),
        Box::new(prefix::Prefix::default()),
        Box::new(OfBlocks::<quorate_oracle::Validity>::default()),
        Box::new(single_vote::SingleVote::default()),
        Box::new(certificates::Certificates::default()),
        Box::new(single_quorum::SingleQuorum::default()),
        Box::new(innocence::Innocence),
        Box::new(accountability::Accountability::default()),
        Box::new(evidence::EvidenceOnce::default()),
        Box::new(progress::Progress::default()),
        Box::new(quorum::Quorum::default()),
        Box::new(fencing::Fencing::default()),
        Box::new(conservation::Conservation::default()),
        Box::new(OfBlocks::<quorate_oracle::Capacity>::default()),
        Box::new(OfBlocks::<quorate_oracle::Clearing>::default()),
        Box::new(OfBlocks::<quorate_oracle::Idempotence>::default()),
        Box::new(OfBlocks::<quorate_oracle::Causes>::default()),
        Box::new(OfBlocks::<quorate_oracle::Bids>::default()),
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
