//! Times as people write them: a whole number with its unit.

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

    /// Reads digits with a unit behind them. `None` for anything else, and for times that are too
    /// long.
    fn parse(text: &str) -> Option<Self> {
        let digits = text.find(|c: char| !c.is_ascii_digit())?;
        let (number, unit) = text.split_at(digits);

        let unit = match unit {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            _ => return None,
        };

        let millis = number.parse::<Millis>().ok()?.checked_mul(unit)?;

        // A hundred days: far more than any run takes, and far below an overflow.
        (millis <= 8_640_000_000).then_some(Self(millis))
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
        ];
        for (text, millis) in read {
            assert_eq!(Time::parse(text), Some(Time::of(millis)), "{text}");
        }

        for text in [
            "",
            "10",
            "s",
            "1.5s",
            "-1s",
            "1 s",
            "3d",
            "99999999999999999999s",
            "9999h",
        ] {
            assert_eq!(Time::parse(text), None, "{text}");
        }
    }
}
