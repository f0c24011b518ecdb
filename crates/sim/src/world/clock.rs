//! The clock of one host, which may be ahead or behind, fast or slow, and may jump.

use quorate_replica::Now;
use quorate_types::{Millis, MonotonicMillis, UnixMillis};

/// The Unix time at which every run starts.
pub const START: UnixMillis = UnixMillis(1_800_000_000_000);

/// The clock of a host. *True* time is the simulation's, in milliseconds since the start.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    /// The true time at which the process started.
    booted: Millis,
    /// Milliseconds that Unix time is ahead; negative if it is behind.
    skew_ms: i64,
    /// Monotonic milliseconds that pass in 1000 true ones.
    pace_permille: u64,
}

impl Clock {
    /// A clock whose Unix time is `skew_ms` ahead, and whose monotonic time runs `drift_permille`
    /// too fast.
    pub(crate) fn new(skew_ms: i64, drift_permille: i64) -> Self {
        let pace_permille = 1000_u64.saturating_add_signed(drift_permille).max(1);
        Self {
            booted: 0,
            skew_ms,
            pace_permille,
        }
    }

    /// Begins monotonic time anew, since the process starts.
    pub(crate) fn boot(&mut self, now: Millis) {
        self.booted = now;
    }

    /// Lets Unix time jump.
    pub(crate) fn jump(&mut self, by_ms: i64) {
        self.skew_ms = self.skew_ms.saturating_add(by_ms);
    }

    /// Sets how far Unix time is ahead.
    pub(crate) fn set(&mut self, skew_ms: i64) {
        self.skew_ms = skew_ms;
    }

    /// The time that the clock shows at the true time `now`.
    pub(crate) fn show(&self, now: Millis) -> Now {
        let elapsed = now.saturating_sub(self.booted);
        let unix = (START + now).0.saturating_add_signed(self.skew_ms);
        Now {
            monotonic: MonotonicMillis(1 + elapsed.saturating_mul(self.pace_permille) / 1000),
            unix: UnixMillis(unix),
        }
    }

    /// The first true time at which the clock shows at least the monotonic time `at`.
    pub(crate) fn when(&self, at: MonotonicMillis) -> Millis {
        let elapsed =
            at.0.saturating_sub(1)
                .saturating_mul(1000)
                .div_ceil(self.pace_permille);
        self.booted.saturating_add(elapsed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wake_up_call_is_never_early() {
        for drift in [-20, 0, 7, 50] {
            let mut clock = Clock::new(-5, drift);
            clock.boot(1234);

            for at in (1..500).map(MonotonicMillis) {
                assert!(clock.show(clock.when(at)).monotonic >= at, "{drift} {at}");
            }
            assert_eq!(clock.show(2000).unix, START + 1995);
        }
    }
}
