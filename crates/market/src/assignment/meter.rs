//! Counts the steps of a solve, so that all machines give up at the same one.

use super::solution::SolveError;

/// The steps that are left. Steps are counted, so their number is the same on every machine.
pub(super) struct Meter(u64);

impl Meter {
    /// Makes a meter with this many steps left.
    pub(super) fn new(steps: u64) -> Self {
        Self(steps)
    }

    /// Takes steps off, before or after they are made.
    ///
    /// # Errors
    /// [`SolveError::Effort`] if fewer are left.
    pub(super) fn spend(&mut self, steps: usize) -> Result<(), SolveError> {
        self.0 = self.0.checked_sub(steps as u64).ok_or(SolveError::Effort)?;
        Ok(())
    }
}
