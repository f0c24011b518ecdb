//! Parsers for arguments that are more than text (amounts, durations, addresses), and the current
//! time.

use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use anyhow::{Context, Result};
use clap::builder::RangedU64ValueParser;
use quorate_network::{Multiaddr, peer_id};
use quorate_node::Clock;
use quorate_types::{Amounts, Capabilities, Label, PublicKey, UnixMillis};

use crate::member::Member;

/// The longest time that an argument may name: 36,500 days. No sum of such times overflows.
const LONGEST_TIME: Duration = Duration::from_secs(36_500 * 86_400);
/// The most bytes of a length of time.
const TIME_BYTES: usize = 20;

/// An argument of the form `DIM=N`, such as `payload_g=500`.
#[derive(Debug, Clone)]
pub(crate) struct Amount(Label, i64);

/// Parses an argument of the form `DIM=N`.
///
/// # Errors
/// If there is no `=`, the name is not a valid label, or the number is not a whole one. The error
/// says which.
pub(crate) fn amount(text: &str) -> Result<Amount, String> {
    let (name, number) = text
        .split_once('=')
        .ok_or("expected DIM=N, as in slots=2")?;

    let name = name
        .parse()
        .map_err(|error: quorate_types::LabelError| error.to_string())?;
    let number = number
        .parse()
        .map_err(|_| format!("`{number}` is not a whole number of at most 64 bits"))?;

    Ok(Amount(name, number))
}

/// Collects amounts by their dimension. If a dimension is given twice, the last one counts.
pub(crate) fn amounts(given: &[Amount]) -> Amounts {
    given
        .iter()
        .map(|Amount(name, number)| (name.clone(), *number))
        .collect()
}

/// Makes capabilities of labels and amounts.
pub(crate) fn capabilities(labels: &[Label], given: &[Amount]) -> Capabilities {
    Capabilities {
        labels: labels.iter().cloned().collect(),
        amounts: amounts(given),
    }
}

/// Parses a length of time, TIME in the help: a number with its unit, such as `500ms`, `90s`, `5m`,
/// `2h` or `30d`.
///
/// # Errors
/// If the number or its unit is missing or wrong, or if the time is longer than [`LONGEST_TIME`].
/// The error says what is allowed.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
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
pub(crate) fn positive_duration(text: &str) -> Result<Duration, String> {
    let time = duration(text)?;
    if time.as_millis() == 0 {
        return Err("expected at least 1ms".to_owned());
    }

    Ok(time)
}

/// The parser of `--effort`: a multiple of the steps of the mechanism's own search.
pub(crate) fn effort() -> RangedU64ValueParser {
    clap::value_parser!(u64).range(1..=1_000_000)
}

/// The address that the text is, or the addresses in the `member.toml` of that name.
///
/// # Errors
/// If the text is neither, or the file lists no address.
pub(crate) fn addresses(text: &str) -> Result<Vec<Multiaddr>> {
    if let Ok(address) = text.parse() {
        return Ok(vec![address]);
    }

    let member = Member::read(Path::new(text)).with_context(|| {
        format!("`{text}` is neither an address like /ip4/192.0.2.1/tcp/7400 nor a member.toml")
    })?;
    anyhow::ensure!(
        !member.addresses.is_empty(),
        "{text}: `addresses` is empty; give an address of the member instead of this file"
    );

    Ok(member.addresses)
}

/// The addresses of several such texts, in their order.
///
/// # Errors
/// As [`addresses`].
pub(crate) fn all_addresses(texts: &[String]) -> Result<Vec<Multiaddr>> {
    let found: Result<Vec<_>> = texts.iter().map(|text| addresses(text)).collect();
    Ok(found?.concat())
}

/// Appends `/p2p/` and the peer id of `key` to an address, unless the address has a peer id
/// already.
pub(crate) fn with_peer_id(address: &Multiaddr, key: &PublicKey) -> Multiaddr {
    let suffix = peer_id(&key.0).and_then(|id| format!("/p2p/{id}").parse::<Multiaddr>().ok());
    match suffix {
        Some(suffix) if !address.to_string().contains("/p2p/") => {
            address.iter().chain(suffix.iter()).collect()
        }
        _ => address.clone(),
    }
}

/// The current Unix time.
pub(crate) fn unix_now() -> UnixMillis {
    Clock::start().now().unix
}

/// Formats seconds since the Unix epoch as RFC 3339 in UTC. The form ends with the year 9999, so
/// all later times give its last second.
pub(crate) fn rfc3339(unix_seconds: u64) -> String {
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

    #[test]
    fn amounts_have_names() {
        assert!(amount("slots=2").is_ok());
        for text in ["slots", "=2", "slots=", "slots=x", "Slots=2"] {
            assert!(amount(text).is_err(), "{text}");
        }
    }

    #[test]
    fn an_address_gets_one_peer_id() {
        let key = quorate_crypto::SecretKey::from_seed(&[7; 32]).public_key();
        let plain: Multiaddr = "/ip4/192.0.2.1/tcp/7400".parse().unwrap();
        let full = with_peer_id(&plain, &key);
        assert!(
            full.to_string()
                .starts_with("/ip4/192.0.2.1/tcp/7400/p2p/12D3Koo"),
            "{full}"
        );
        assert_eq!(with_peer_id(&full, &key), full);
    }
}
