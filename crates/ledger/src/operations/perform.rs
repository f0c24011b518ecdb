//! The interface of an operation to the block that carries it: its cost and its effect.

use quorate_types::{Reason, SignedOperation};

use crate::run::{Items, Run};

/// An operation as the execution of a block sees it. Each kind stands in the file of its topic.
pub(super) trait Perform {
    /// Returns the cost beyond [`crate::cost::OPERATION`], in the same unit. It follows from the
    /// size of the operation alone, and never from its effects (L-6).
    fn cost(&self) -> u64 {
        0
    }

    /// Performs the operation of a member, which is the content of `signed`, and returns the parts
    /// of it that are refused.
    ///
    /// # Errors
    /// The reason why the whole operation is refused.
    fn perform(&self, run: &mut Run<'_>, signed: &SignedOperation) -> Result<Items, Reason>;
}

/// Returns the result of an operation without parts, which counts as a whole or not at all.
pub(super) fn as_a_whole(result: Result<(), Reason>) -> Result<Items, Reason> {
    result.map(|()| Items::new())
}
