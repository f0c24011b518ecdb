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

/// Creates an invariant, for a run that has not begun.
fn of<I: Invariant + Default + 'static>() -> Box<dyn Invariant> {
    Box::<I>::default()
}

/// Creates all invariants, for a run that has not begun.
pub(crate) fn all() -> Vec<Box<dyn Invariant>> {
    vec![
        of::<agreement::Agreement>(),
        of::<prefix::Prefix>(),
        of::<OfBlocks<quorate_oracle::Validity>>(),
        of::<single_vote::SingleVote>(),
        of::<certificates::Certificates>(),
        of::<single_quorum::SingleQuorum>(),
        of::<innocence::Innocence>(),
        of::<accountability::Accountability>(),
        of::<evidence::EvidenceOnce>(),
        of::<progress::Progress>(),
        of::<quorum::Quorum>(),
        of::<fencing::Fencing>(),
        of::<conservation::Conservation>(),
        of::<OfBlocks<quorate_oracle::Capacity>>(),
        of::<OfBlocks<quorate_oracle::Clearing>>(),
        of::<OfBlocks<quorate_oracle::Idempotence>>(),
        of::<OfBlocks<quorate_oracle::Causes>>(),
        of::<OfBlocks<quorate_oracle::Bids>>(),
        of::<committee_changes::CommitteeChanges>(),
        of::<recovery::Recovery>(),
        of::<bounds::Bounds>(),
        of::<damage::Damage>(),
    ]
}

/// Creates the invariants that hold however many validators lie.
pub(crate) fn over_threshold() -> Vec<Box<dyn Invariant>> {
    vec![
        of::<single_vote::SingleVote>(),
        of::<certificates::Certificates>(),
        of::<innocence::Innocence>(),
        of::<accountability::Accountability>(),
        of::<bounds::Bounds>(),
        of::<damage::Damage>(),
    ]
}
