//! The clock of one host: ahead or behind, fast or slow, and sometimes it jumps.

use quorate_replica::Now;
use quorate_types::Millis;

/// Unix milliseconds at which every run starts.
pub const START: Millis = 1_800_000_000_000;

/// A host's idea of the time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    /// True time the process started at.
    booted: Millis,
    /// Unix milliseconds that it is ahead.
    skew_ms: i64,
    /// A thousand, more where it is too fast.
    pace_permille: u64,
}

impl Clock {
    /// `skew_ms` ahead, `drift_permille` too fast.
    pub(crate) fn new(skew_ms: i64, drift_permille: i64) -> Self {
        let pace_permille = 1000_u64.saturating_add_signed(drift_permille).max(1);
        Self {
            booted: 0,
            skew_ms,
            pace_permille,
        }
    }

    /// The process starts: its monotonic time begins again.
    pub(crate) fn boot(&mut self, now: Millis) {
        self.booted = now;
    }

    /// Unix time jumps.
    pub(crate) fn jump(&mut self, by_ms: i64) {
        self.skew_ms = self.skew_ms.saturating_add(by_ms);
    }

    /// Unix time is set right again.
    pub(crate) fn set(&mut self, skew_ms: i64) {
        self.skew_ms = skew_ms;
    }

    /// What it shows at the true time `now`.
    pub(crate) fn show(&self, now: Millis) -> Now {
        let elapsed = now.saturating_sub(self.booted);
        Now {
            monotonic: 1 + elapsed.saturating_mul(self.pace_permille) / 1000,
            unix: (START + now).saturating_add_signed(self.skew_ms),
        }
    }

    /// The true time at which it shows the monotonic time `at`, or later.
    pub(crate) fn when(&self, at: Millis) -> Millis {
        let elapsed = at
            .saturating_sub(1)
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
            for at in 1..500 {
                assert!(clock.show(clock.when(at)).monotonic >= at, "{drift} {at}");
            }
            assert_eq!(clock.show(2000).unix, START + 1995);
        }
    }
}
