//! Points in time, in milliseconds. Each of the three clocks has a type of its own, so that no
//! number of one clock can pass for a number of another.
//!
//! A distance between two points of one clock is a [`Millis`], and so is every setting that says
//! how long something lasts. The ways from one clock to another are written out where they are
//! taken. They go over distances: how long a block is due, not when.

use std::fmt;
use std::ops::{Add, AddAssign};

use serde::{Deserialize, Serialize};

/// A duration in milliseconds. It belongs to no clock; a point in time is a [`UnixMillis`], an
/// [`ActiveMillis`] or a [`MonotonicMillis`].
pub type Millis = u64;

/// Defines a point in time as a newtype over the milliseconds since its clock's origin. It is
/// encoded as the bare number.
macro_rules! point_in_time {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
        )]
        #[serde(transparent)]
        pub struct $name(pub u64);

        impl $name {
            /// The origin of the clock.
            pub const ZERO: Self = Self(0);

            /// The last point in time that the type can hold.
            pub const MAX: Self = Self(u64::MAX);

            /// Returns the point that is `duration` later, at most [`Self::MAX`].
            #[must_use]
            pub const fn saturating_add(self, duration: Millis) -> Self {
                Self(self.0.saturating_add(duration))
            }

            /// Returns the point that is `duration` earlier, at least [`Self::ZERO`].
            #[must_use]
            pub const fn saturating_sub(self, duration: Millis) -> Self {
                Self(self.0.saturating_sub(duration))
            }

            /// Returns the duration from `earlier` to this point; 0 if `earlier` is later.
            #[must_use]
            pub const fn saturating_since(self, earlier: Self) -> Millis {
                self.0.saturating_sub(earlier.0)
            }
        }

        /// Returns the point that is so much later. It overflows as the addition of two `u64` does:
        /// [`Self::saturating_add`] is for numbers that somebody else chose.
        impl Add<Millis> for $name {
            type Output = Self;

            fn add(self, duration: Millis) -> Self {
                Self(self.0 + duration)
            }
        }

        /// Moves the point by so much, as the addition does.
        impl AddAssign<Millis> for $name {
            fn add_assign(&mut self, duration: Millis) {
                *self = *self + duration;
            }
        }

        // The bare number here too: the digests of simulated runs take in such text.
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }
    };
}

point_in_time!(
    /// A point of Unix time: milliseconds since 1970-01-01T00:00:00Z, without leap seconds.
    ///
    /// It is the time of blocks (L-3), of the deadlines of tasks and of the expiry of attestations.
    /// A builder reads it from its computer's clock, which may be wrong and may jump: N-26 says how
    /// far from their own clocks the others believe it.
    UnixMillis);
point_in_time!(
    /// A point of the swarm's active time: milliseconds for which the swarm made blocks, counted
    /// from the genesis.
    ///
    /// Each block adds the difference of block times, at most `max_step_ms` (L-3), so it stands
    /// still while the committee does. Windows, leases and bars run on it.
    ActiveMillis);
point_in_time!(
    /// A point of the monotonic time of one process: milliseconds since an origin of its own, such
    /// as its start.
    ///
    /// Timers, timeouts and resends run on it. It never goes back. It means nothing to any other
    /// process, nor to the same one after a restart, so it is never sent or stored.
    MonotonicMillis);

impl UnixMillis {
    /// Returns the duration between the two points, whichever is earlier.
    #[must_use]
    pub const fn abs_diff(self, other: Self) -> Millis {
        self.0.abs_diff(other.0)
    }

    /// Returns the whole seconds of Unix time, the unit of the claims of an attestation.
    #[must_use]
    pub const fn seconds(self) -> u64 {
        self.0 / 1000
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cbor;

    #[test]
    fn a_point_is_encoded_as_its_bare_number() {
        for number in [0, 23, 24, 1_700_000_000_000, u64::MAX] {
            let bytes = cbor::encode(&number);
            assert_eq!(cbor::encode(&UnixMillis(number)), bytes);
            assert_eq!(cbor::encode(&ActiveMillis(number)), bytes);
            assert_eq!(cbor::encode(&MonotonicMillis(number)), bytes);
            assert_eq!(
                cbor::decode::<UnixMillis>(&bytes, 9),
                Ok(UnixMillis(number))
            );

            assert_eq!(UnixMillis(number).to_string(), number.to_string());
            assert_eq!(format!("{:?}", ActiveMillis(number)), number.to_string());
            let json = serde_json::to_string(&ActiveMillis(number)).unwrap();
            assert_eq!(json, number.to_string());
        }
    }

    #[test]
    fn sums_and_differences_stop_at_the_ends_of_the_clock() {
        let (early, late) = (ActiveMillis(3), ActiveMillis(10));
        assert_eq!(
            (late.saturating_since(early), early.saturating_since(late)),
            (7, 0)
        );

        assert_eq!((early + 7, early.saturating_add(7)), (late, late));
        assert_eq!(ActiveMillis::MAX.saturating_add(1), ActiveMillis::MAX);
        assert_eq!(
            (late.saturating_sub(7), early.saturating_sub(7)),
            (early, ActiveMillis::ZERO)
        );
    }

    #[test]
    fn unix_time_has_whole_seconds_and_a_distance_in_both_directions() {
        let (early, late) = (UnixMillis(1_999), UnixMillis(2_000));
        assert_eq!((early.seconds(), late.seconds()), (1, 2));
        assert_eq!((early.abs_diff(late), late.abs_diff(early)), (1, 1));
    }
}
