//! The clock of a process, the only one that reads the system's time.

use quorate_replica::Now;
use quorate_types::{MonotonicMillis, UnixMillis};

/// A clock that tells the time since its start, and the time of day.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    started: tokio::time::Instant,
}

impl Clock {
    /// Starts a clock at this moment.
    pub fn start() -> Self {
        Self {
            started: tokio::time::Instant::now(),
        }
    }

    /// Returns the milliseconds since the start, plus 1. They never go back.
    pub fn monotonic(&self) -> MonotonicMillis {
        let elapsed = u64::try_from(self.started.elapsed().as_millis());
        MonotonicMillis(1 + elapsed.unwrap_or(u64::MAX - 1))
    }

    /// Returns both times at once.
    pub fn now(&self) -> Now {
        Now {
            monotonic: self.monotonic(),
            unix: unix_millis(),
        }
    }

    /// Returns the instant at which [`Self::monotonic`] will be `at`.
    pub fn instant(&self, at: MonotonicMillis) -> tokio::time::Instant {
        self.started + std::time::Duration::from_millis(at.0.saturating_sub(1))
    }
}

/// Returns the Unix time; 0 before 1970.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the one clock of a process"
)]
pub(crate) fn unix_millis() -> UnixMillis {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(UnixMillis::ZERO, |since| {
        UnixMillis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    })
}

/// Sleeps until `wake`, or forever if it is `None`.
pub(crate) async fn sleep_until(wake: Option<tokio::time::Instant>) {
    match wake {
        Some(wake) => tokio::time::sleep_until(wake).await,
        None => std::future::pending().await,
    }
}
