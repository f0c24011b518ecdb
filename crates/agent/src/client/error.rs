//! The errors of the commands to a light client.

use quorate_types::task::TaskSpecError;
use quorate_types::{FencingToken, TaskId, limits};

/// The reason why a command was not carried out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClientError {
    /// The swarm does not know the key yet; wait for [`crate::ClientEvent::Ready`].
    #[error("the swarm does not know this key yet")]
    NotReady,
    /// A task, price or budget is outside of its limits.
    #[error(transparent)]
    Limits(#[from] TaskSpecError),
    /// There is no offer, there are more than [`limits::OFFERS_PER_BID`], or two are on one task.
    #[error(
        "a bid with {0} offers is not valid: it must have 1 to {max}, one for each task",
        max = limits::OFFERS_PER_BID
    )]
    Offers(usize),
    /// There is no pair, there are more than [`limits::TASKS_PER_CLEARING`], or two are for one
    /// task.
    #[error(
        "a solution with {0} pairs is not valid: it must have 1 to {max}, one for each task",
        max = limits::TASKS_PER_CLEARING
    )]
    Pairs(usize),
    /// The signed operation is longer than [`limits::OPERATION_BYTES`].
    #[error(
        "an operation of {0} bytes exceeds the limit of {max} bytes",
        max = limits::OPERATION_BYTES
    )]
    Operation(usize),
    /// The result is longer than [`limits::RESULT_BYTES`].
    #[error("a result of {0} bytes exceeds the limit of {max} bytes", max = limits::RESULT_BYTES)]
    Result(usize),
    /// The award is not held, or was reported on before.
    #[error("no award of {task} under token {token} is held, or it was reported on before")]
    NotHeld {
        /// The task of the award.
        task: TaskId,
        /// The fencing token of the award.
        token: FencingToken,
    },
}
