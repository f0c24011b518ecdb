//! The seam between the ledger and the auctions it knows.

use quorate_types::MechanismKind;

use crate::first_price::FirstPrice;
use crate::optimal::Optimal;
use crate::round::{Clearing, Round};

/// A rule that gives tasks to bidders: a pure function of the round, on integers alone.
///
/// To add one: a kind in `quorate-types`, an implementation, and its line in [`mechanism`].
pub trait Mechanism: Sync {
    /// Its kind, as genesis and clearing records name it.
    fn kind(&self) -> MechanismKind;

    /// Grows with every change that may alter a result.
    fn version(&self) -> u16;

    /// Its class in the taxonomy of Gerkey and Matarić (2004): `ST-SR-IA` is single-task robots,
    /// single-robot tasks, instantaneous assignment.
    fn class(&self) -> &'static str;

    /// What it guarantees, in a sentence for a person.
    fn guarantee(&self) -> &'static str;

    /// Worst-case cost of [`Self::clear`] by the sizes of the round, in the unit of
    /// [`quorate_types::limits::BLOCK_COST`], about a microsecond. Grows with each of the three.
    fn cost(&self, tasks: usize, bidders: usize, bids: usize) -> u64;

    /// Decides. Awards stay within limits and budgets; each task is awarded once at most.
    fn clear(&self, round: &Round) -> Clearing;
}

/// The mechanism of a kind.
pub fn mechanism(kind: MechanismKind) -> &'static dyn Mechanism {
    match kind {
        MechanismKind::FirstPrice => &FirstPrice,
        MechanismKind::Assignment => &Optimal,
    }
}
