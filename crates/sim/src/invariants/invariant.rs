//! The interface of an invariant.

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
