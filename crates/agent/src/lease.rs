//! Leases: how an execution learns that its award is over, and how it waits.

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::channel::oneshot;
use futures::future::{BoxFuture, Either, Shared, select};

/// A source of time: real in `quorate-node`, simulated in the simulator.
pub trait Timer: Send + Sync + 'static {
    /// Resolves after `duration`.
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()>;
}

/// The award is no longer in force: it was superseded, it was canceled, or its validators are out
/// of reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the lease is lost")]
pub struct LeaseLost;

/// The lease of an execution. Clones share the same lease.
#[derive(Clone)]
pub struct LeaseGuard {
    lost: Shared<oneshot::Receiver<Infallible>>,
    timer: Arc<dyn Timer>,
}

/// The other half of a [`LeaseGuard`]. It ends the lease when it is [lost](Self::lose) or dropped.
#[derive(Debug)]
pub struct LeaseControl {
    _alive: oneshot::Sender<Infallible>,
}

impl LeaseGuard {
    /// Makes a lease that is in force, and its control. The execution waits by `timer`.
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

    /// Resolves when the award is no longer in force; at once if it is not in force now.
    pub fn lost(&self) -> impl Future<Output = ()> + Send + 'static {
        self.lost.clone().map(|_| ())
    }

    /// Returns whether the award is no longer in force.
    pub fn is_lost(&self) -> bool {
        self.lost().now_or_never().is_some()
    }

    /// Waits for `duration`.
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
