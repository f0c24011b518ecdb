//! A mutex that ignores poison.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// A mutex that is never held across an await and whose holders do not panic.
#[derive(Debug, Default)]
pub(crate) struct Lock<T>(Mutex<T>);

impl<T> Lock<T> {
    /// Waits for the lock. Poison is ignored: every change under a lock is one assignment or leaves
    /// a valid value at each step.
    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
