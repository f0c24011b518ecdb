//! Reads times of RFC 3339.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// The number of bytes of a date, which a separator follows.
const DATE_BYTES: usize = 10;

/// Returns the Unix seconds of a time such as `2020-07-04T08:00:00Z` (RFC 3339 section 5.6).
/// Fractions of seconds are dropped, and a leap second counts as the second before it. Returns
/// `None` if the text is not a valid time.
pub(super) fn parse(text: &str) -> Option<i64> {
    let text = text.trim();

    // The library takes any separator; the RFC has `T`, and permits a blank.
    let separator = text.as_bytes().get(DATE_BYTES)?;
    if !matches!(separator, b'T' | b't' | b' ') {
        return None;
    }

    let moment = OffsetDateTime::parse(text, &Rfc3339).ok()?;
    Some(moment.unix_timestamp())
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn times_and_what_is_none() {
        let table = [
            ("1970-01-01T00:00:00Z", Some(0)),
            ("2020-07-04T08:00:00Z", Some(1_593_849_600)),
            ("2020-07-04T10:00:00.25+02:00", Some(1_593_849_600)),
            ("2020-02-29t23:59:60z", Some(1_583_020_799)),
            ("2000-03-01 00:00:00-01:00", Some(951_872_400)),
            ("2021-02-29T00:00:00Z", None),
            ("2020-13-01T00:00:00Z", None),
            ("2020-07-04T24:00:00Z", None),
            ("2020-07-04T08:00:00", None),
            ("2020-07-04", None),
            ("2020-07-04T08:00:00.Z", None),
            ("+020-07-04T08:00:00Z", None),
            ("2020-07-04T08:00:00Zé", None),
            ("2020-07-04X08:00:00Z", None),
            ("2020-07-04T08:00:00+24:00", None),
            ("1969-12-31T23:59:59.5Z", Some(-1)),
            ("", None),
        ];
        for (text, seconds) in table {
            assert_eq!(parse(text), seconds, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics(text in ".{0,40}") {
            let _ = parse(&text);
        }
    }
}
