//! Times as people write them: a number with its unit.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, Visitor};

use quorate_types::Millis;

/// A point in time or a duration, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Time(Millis);

impl Time {
    pub(super) const fn of(millis: Millis) -> Self {
        Self(millis)
    }

    pub(super) const fn millis(self) -> Millis {
        self.0
    }

    /// Reads a number with its unit. `None` for anything else, for parts of a millisecond, and for
    /// times that are too long.
    fn parse(text: &str) -> Option<Self> {
        // `humantime` takes a bare 0, and `M` for a month, which is one letter from minutes. It
        // panics on sums that just overflow, which need more bytes.
        if text == "0" || text.contains('M') || text.len() > 20 {
            return None;
        }

        let time = humantime::parse_duration(text).ok()?;
        let millis = Millis::try_from(time.as_millis()).ok()?;
        let is_whole = time.subsec_nanos() % 1_000_000 == 0;

        // A hundred days: far more than any run takes, and far below an overflow.
        (is_whole && millis <= 8_640_000_000).then_some(Self(millis))
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Text)
    }
}

/// Reads a [`Time`] from a string.
struct Text;

impl Visitor<'_> for Text {
    type Value = Time;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a time with its unit in quotes, like \"500ms\", \"30s\", \"10m\" or \"2h\"")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Time, E> {
        let wrong = || E::invalid_value(serde::de::Unexpected::Str(text), &self);
        Time::parse(text).ok_or_else(wrong)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_units() {
        let read = [
            ("0s", 0),
            ("500ms", 500),
            ("10m", 600_000),
            ("2h", 7_200_000),
            ("3d", 259_200_000),
        ];
        for (text, millis) in read {
            assert_eq!(Time::parse(text), Some(Time::of(millis)), "{text}");
        }

        for text in [
            "",
            "0",
            "10",
            "s",
            "-1s",
            "5 parsecs",
            "500us",
            "99999999999999999999s",
            "18446744073709551615s1000ms",
            "101d",
        ] {
            assert_eq!(Time::parse(text), None, "{text}");
        }
    }
}
