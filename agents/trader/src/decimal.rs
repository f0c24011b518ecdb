//! Prices as whole numbers of ticks.

/// An amount of money in ten-thousandths of the currency's unit.
pub type Ticks = i64;

/// The number of ticks in one unit of the currency.
pub const TICKS_PER_UNIT: Ticks = 10_000;

/// The number of decimals of a price that are kept. The fifth decimal rounds.
const DECIMALS: usize = 4;

/// The largest price that is read: a million units of the currency.
const MOST: Ticks = 1_000_000 * TICKS_PER_UNIT;

/// Reads a price above 0 and up to a million, rounded to ticks, halves up. Returns `None` for
/// anything else, such as signs and exponents.
pub(crate) fn price(text: &str) -> Option<Ticks> {
    let (whole, fraction) = digits(text)?;
    let units: Ticks = whole.parse().ok()?;
    let whole = units.checked_mul(TICKS_PER_UNIT)?;
    let ticks = whole.checked_add(ticks_of(fraction)?)?;

    (1..=MOST).contains(&ticks).then_some(ticks)
}

/// Returns the digits before and after the point. There must be some before it.
fn digits(text: &str) -> Option<(&str, &str)> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let valid = !whole.is_empty() && is_digits(whole) && is_digits(fraction);
    valid.then_some((whole, fraction))
}

/// Returns the ticks of the decimals of a price, rounded.
fn ticks_of(fraction: &str) -> Option<Ticks> {
    // Zeros take the place of missing decimals.
    let kept: String = fraction
        .chars()
        .chain("0000".chars())
        .take(DECIMALS)
        .collect();

    let rounds = fraction
        .as_bytes()
        .get(DECIMALS)
        .is_some_and(|digit| *digit >= b'5');

    let ticks: Ticks = kept.parse().ok()?;
    Some(ticks + Ticks::from(rounds))
}

fn is_digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Reads a volume of 0 or more units. A fraction is cut off.
pub(crate) fn volume(text: &str) -> Option<u64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |part: &str| !part.is_empty() && is_digits(part);
    (digits(whole) && digits(fraction)).then(|| whole.parse().ok())?
}

/// Formats a price for people, with as many decimals as it needs, at least two: `101.2575`.
pub fn show_price(ticks: Ticks) -> String {
    let sign = if ticks < 0 { "-" } else { "" };
    let whole = ticks.unsigned_abs() / 10_000;
    let part = ticks.unsigned_abs() % 10_000;

    match part % 100 {
        0 => format!("{sign}{whole}.{:02}", part / 100),
        _ => format!("{sign}{whole}.{part:04}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_and_what_is_none() {
        let table = [
            ("1", Some(10_000)),
            ("127.489998", Some(1_274_900)),
            ("0.00005", Some(1)),
            ("99.99994", Some(999_999)),
            ("1000000", Some(MOST)),
            ("1000000.0001", None),
            ("0", None),
            ("-1", None),
            ("+1", None),
            ("1e3", None),
            ("1,5", None),
            (".5", None),
            ("nan", None),
            ("", None),
            ("99999999999999999999", None),
        ];
        for (text, ticks) in table {
            assert_eq!(price(text), ticks, "{text}");
        }
    }

    #[test]
    fn volumes_and_what_is_none() {
        for (text, found) in [
            ("0", Some(0)),
            ("63152400", Some(63_152_400)),
            ("12.0", Some(12)),
            ("-1", None),
        ] {
            assert_eq!(volume(text), found, "{text}");
        }
        assert_eq!(volume(""), None);
    }

    #[test]
    fn prices_are_shown_with_the_decimals_they_need() {
        for (ticks, text) in [
            (1_012_500, "101.25"),
            (1_012_575, "101.2575"),
            (5, "0.0005"),
            (-10_000, "-1.00"),
        ] {
            assert_eq!(show_price(ticks), text);
        }
    }

    proptest::proptest! {
        #[test]
        fn what_is_shown_is_read_again(ticks in 1..=MOST) {
            proptest::prop_assert_eq!(price(&show_price(ticks)), Some(ticks));
        }
    }
}
