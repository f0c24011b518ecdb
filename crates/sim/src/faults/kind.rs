//! The description of a kind of fault.

use quorate_types::Millis;

use super::draw::{Draw, Share};
use super::entry::Entry;
use super::ground::Ground;

/// A fault of the plan that begins.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Begun {
    /// Its index in the plan.
    pub(crate) fault: usize,
    /// The number of milliseconds after which it ends.
    pub(crate) lasts: Millis,
}

/// A kind of fault: how it is written, how it is drawn, how it begins and how it ends.
pub(crate) trait FaultKind: Sized {
    /// The keys that an entry of a scenario file needs, beside `kind`, `at` and `lasts`.
    const NEEDS: &'static [&'static str] = &[];
    /// The keys that it may have beside them.
    const TAKES: &'static [&'static str] = &[];
    /// The numbers of dice by which profiles choose it; empty if none draws it.
    const SHARES: &'static [Share] = &[];

    /// The faults that an entry of a scenario file stands for.
    fn read(entry: &Entry) -> Vec<Self>;

    /// Draws the rest of a fault that a profile has chosen: mostly one fault. Of a kind that no
    /// profile draws there is none.
    fn draw(_draw: &mut Draw<'_>) -> Vec<Self> {
        Vec::new()
    }

    /// The validators that it names.
    fn validators(&self) -> Vec<usize> {
        Vec::new()
    }

    /// The agent that it names.
    fn agent(&self) -> Option<usize> {
        None
    }

    /// Whether the validator that it happens to no longer counts as correct.
    fn makes_faulty(&self) -> bool {
        false
    }

    /// Makes go wrong what the fault says.
    fn begin(&self, ground: &mut dyn Ground, begun: Begun);

    /// Puts right what the fault left. `fault` is its index in the plan.
    fn end(&self, ground: &mut dyn Ground, fault: usize);
}
