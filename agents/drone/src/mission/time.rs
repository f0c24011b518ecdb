//! Reads times of RFC 3339.

/// Returns the Unix seconds of a time such as `2020-07-04T08:00:00Z` (RFC 3339 section 5.6).
/// Fractions of seconds are dropped, and a leap second counts as the second before it. Returns
/// `None` if the text is not a valid time.
pub(super) fn parse(text: &str) -> Option<i64> {
    let text = text.trim();

    let (date, rest) = text.split_at_checked(10)?;
    let rest = rest.strip_prefix(['T', 't', ' '])?;
    let (time, rest) = rest.split_at_checked(8)?;

    let days = days_of_date(date)?;
    let seconds = seconds_of_time(time)?;
    let offset = offset(fraction(rest)?)?;

    Some(days * 86_400 + seconds - offset)
}

/// Returns the days from 1970-01-01 to a date such as `2020-07-04`.
fn days_of_date(text: &str) -> Option<i64> {
    let [year, month, day] = fields(text, '-')?;
    let valid = (1..=12).contains(&month) && (1..=days_in_month(year, month)).contains(&day);
    valid.then(|| days(year, month, day))
}

fn days_in_month(year: i64, month: i64) -> i64 {
    let leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    match month {
        4 | 6 | 9 | 11 => 30,
        2 => 28 + i64::from(leap),
        _ => 31,
    }
}

/// Returns the seconds from midnight to a time such as `08:00:00`.
fn seconds_of_time(text: &str) -> Option<i64> {
    let [hour, minute, second] = fields(text, ':')?;
    let valid = hour < 24 && minute < 60 && second <= 60;
    valid.then(|| hour * 3600 + minute * 60 + second.min(59))
}

/// Reads three unsigned numbers with a separator between them.
fn fields(text: &str, separator: char) -> Option<[i64; 3]> {
    let mut parts = text.split(separator).map(number);
    let fields = [parts.next()??, parts.next()??, parts.next()??];
    parts.next().is_none().then_some(fields)
}

fn number(text: &str) -> Option<i64> {
    (!text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok())?
}

/// Returns the text after a fraction of a second, if there is one; `None` if it has no digits.
fn fraction(text: &str) -> Option<&str> {
    let Some(digits) = text.strip_prefix('.') else {
        return Some(text);
    };
    let rest = digits.trim_start_matches(|c: char| c.is_ascii_digit());
    (rest.len() < digits.len()).then_some(rest)
}

/// Reads an offset. Returns the seconds east of Greenwich.
fn offset(text: &str) -> Option<i64> {
    if text.eq_ignore_ascii_case("z") {
        return Some(0);
    }

    let (sign, rest) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+')?),
    };

    let (hours, minutes) = rest.split_once(':')?;
    let hours = number(hours)?;
    let minutes = number(minutes)?;
    if hours >= 24 || minutes >= 60 {
        return None;
    }

    Some(sign * (hours * 3600 + minutes * 60))
}

/// Returns the days from 1970-01-01 in the Gregorian calendar (Hinnant, `days_from_civil`).
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
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
