//! Leases: how an execution learns that its award is over, and how it waits.

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::channel::oneshot;
use futures::future::{BoxFuture, Either, Shared, select};

/// Lets time pass: real for `quorate-node`, simulated for the simulator.
pub trait Timer: Send + Sync + 'static {
    /// Resolves after `duration`.
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()>;
}

/// The award is no longer in force: superseded, cancelled, or its validators out of reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the lease is lost")]
pub struct LeaseLost;

/// What an execution holds of its lease. Clones are of the same lease.
#[derive(Clone)]
pub struct LeaseGuard {
    lost: Shared<oneshot::Receiver<Infallible>>,
    timer: Arc<dyn Timer>,
}

/// The other half: ends the lease when [lost](Self::lose) or dropped.
#[derive(Debug)]
pub struct LeaseControl {
    _alive: oneshot::Sender<Infallible>,
}

impl LeaseGuard {
    /// A lease in force and its control; `timer` is what the execution waits by.
    pub fn new(timer: Arc<dyn Timer>) -> (Self, LeaseControl) {
        let (alive, lost) = oneshot::channel();
        (
            Self {
                lost: lost.shared(),
                timer,
            },
            LeaseControl { _alive: alive },
        )
    }

    /// Resolves when the award is no longer in force; at once where it is not.
    pub fn lost(&self) -> impl Future<Output = ()> + Send + 'static {
        self.lost.clone().map(|_| ())
    }

    /// Whether the award is no longer in force.
    pub fn is_lost(&self) -> bool {
        self.lost().now_or_never().is_some()
    }

    /// Lets `duration` pass.
    ///
    /// # Errors
    /// [`LeaseLost`] as soon as the award is no longer in force.
    pub async fn sleep(&self, duration: Duration) -> Result<(), LeaseLost> {
        match select(self.lost.clone(), self.timer.sleep(duration)).await {
            Either::Left(_) => Err(LeaseLost),
            Either::Right(_) => Ok(()),
        }
    }
}

impl LeaseControl {
    /// Ends the lease.
    pub fn lose(self) {}
}

impl fmt::Debug for LeaseGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LeaseGuard")
            .field("lost", &self.is_lost())
            .finish_non_exhaustive()
    }
}
