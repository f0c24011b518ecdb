//! Lengths of time in arguments, and points in time as text.

use std::time::{Duration, UNIX_EPOCH};

/// The longest time that an argument may name: 36,500 days. No sum of such times overflows.
const LONGEST_TIME: Duration = Duration::from_secs(36_500 * 86_400);
/// The most bytes of a length of time.
const TIME_BYTES: usize = 20;

/// Parses a length of time, TIME in the help: a number with its unit, such as `500ms`, `90s`, `5m`,
/// `2h` or `30d`.
///
/// # Errors
/// If the number or its unit is missing or wrong, or if the time is longer than 36,500 days.
/// The error says what is allowed.
pub fn duration(text: &str) -> Result<Duration, String> {
    // `humantime` takes a bare 0, words, and `M` for a month, which is one letter from minutes. It
    // panics on sums that just overflow, which need more bytes.
    let is_plain = text
        .bytes()
        .all(|c| c.is_ascii_digit() || b"msdh".contains(&c));
    let time = match text {
        "0" => None,
        _ if text.len() > TIME_BYTES || !is_plain => None,
        _ => humantime::parse_duration(text).ok(),
    };

    time.filter(|time| *time <= LONGEST_TIME).ok_or_else(|| {
        "expected a number with its unit ms, s, m, h or d, such as 90s or 30d; at most 36500d"
            .to_owned()
    })
}

/// Parses a length of time as [`duration`] does, but refuses 0.
///
/// # Errors
/// As [`duration`], and if the time is less than a millisecond.
pub fn positive_duration(text: &str) -> Result<Duration, String> {
    let time = duration(text)?;
    if time.as_millis() == 0 {
        return Err("expected at least 1ms".to_owned());
    }

    Ok(time)
}

/// Formats seconds since the Unix epoch as RFC 3339 in UTC. The form ends with the year 9999, so
/// all later times give its last second.
pub fn rfc3339(unix_seconds: u64) -> String {
    let time = UNIX_EPOCH + Duration::from_secs(unix_seconds.min(253_402_300_799));
    humantime::format_rfc3339_seconds(time).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_units() {
        for (text, millis) in [
            ("0s", 0),
            ("500ms", 500),
            ("90s", 90_000),
            ("10m", 600_000),
            ("2h", 7_200_000),
            ("30d", 2_592_000_000),
            ("36500d", 3_153_600_000_000),
        ] {
            let read = duration(text);
            assert_eq!(read, Ok(Duration::from_millis(millis)), "{text}");
        }

        for text in [
            "",
            "0",
            "10",
            "m",
            "-1s",
            "5 parsecs",
            "1.5s",
            "1 s",
            "5M",
            "2weeks",
            "999us",
            "36501d",
            "18446744073709551615d",
            "18446744073709551615s1000ms",
        ] {
            let error = duration(text).unwrap_err();
            assert!(error.contains("ms, s, m, h or d"), "{text}: {error}");
            assert!(error.contains("at most 36500d"), "{text}: {error}");
        }
    }

    #[test]
    fn a_positive_duration_is_at_least_a_millisecond() {
        let read = positive_duration("1ms");
        assert_eq!(read, Ok(Duration::from_millis(1)));
        for text in ["0s", "0d", "0ms"] {
            let error = positive_duration(text).unwrap_err();
            assert_eq!(error, "expected at least 1ms", "{text}");
        }
    }

    #[test]
    fn points_in_time_are_dates() {
        assert_eq!(rfc3339(951_782_400), "2000-02-29T00:00:00Z");
        assert_eq!(rfc3339(u64::MAX), "9999-12-31T23:59:59Z");
    }
}
