//! The timer of simulated agents: their sleeps end by simulated time.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures::future::BoxFuture;
use quorate_agent::Timer;
use quorate_types::Millis;

/// The timer of one client.
#[derive(Debug, Default)]
pub(crate) struct SimTimer {
    state: Arc<Mutex<TimerState>>,
}

/// The state that a timer shares with its sleeps.
#[derive(Debug, Default)]
struct TimerState {
    now: Millis,
    serial: u64,
    /// The wakers of sleeping agents, by the time at which they wake and the number of the sleep.
    sleepers: BTreeMap<(Millis, u64), Waker>,
}

impl SimTimer {
    /// Sets the time, and wakes the agents that slept until then.
    pub(crate) fn advance(&self, now: Millis) {
        let mut state = lock(&self.state);
        state.now = now;

        let later = state.sleepers.split_off(&(now.saturating_add(1), 0));
        let due = std::mem::replace(&mut state.sleepers, later);

        // Waking may take the lock again.
        drop(state);

        due.into_values().for_each(Waker::wake);
    }

    /// The time at which the next sleeper wakes; `None` if nobody sleeps.
    pub(crate) fn next(&self) -> Option<Millis> {
        lock(&self.state).sleepers.keys().next().map(|(at, _)| *at)
    }
}

impl Timer for SimTimer {
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        let millis = Millis::try_from(duration.as_millis()).unwrap_or(Millis::MAX);
        let until = lock(&self.state).now.saturating_add(millis);
        Box::pin(Sleep {
            state: Arc::clone(&self.state),
            until,
            ticket: None,
        })
    }
}

/// A sleep that ends at a time.
struct Sleep {
    state: Arc<Mutex<TimerState>>,
    until: Millis,
    /// The number under which the waker is kept, once it was polled.
    ticket: Option<u64>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let shared = Arc::clone(&self.state);
        let mut state = lock(&shared);
        if state.now >= self.until {
            return Poll::Ready(());
        }

        // A sleep keeps its ticket, so that a later poll replaces its waker.
        let ticket = *self.ticket.get_or_insert_with(|| {
            state.serial += 1;
            state.serial
        });

        state
            .sleepers
            .insert((self.until, ticket), cx.waker().clone());

        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket {
            lock(&self.state).sleepers.remove(&(self.until, ticket));
        }
    }
}

/// Locks the state, also after a panic elsewhere.
fn lock(state: &Mutex<TimerState>) -> MutexGuard<'_, TimerState> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
