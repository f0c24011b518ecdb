//! Parsers for arguments that are more than text (amounts, durations, addresses), and the current
//! time.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use quorate_network::{Multiaddr, peer_id};
use quorate_node::Clock;
use quorate_types::{Amounts, Capabilities, Label, Millis, PublicKey};

use crate::member::Member;

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
        .ok_or("expected NAME=NUMBER, as in slots=2")?;

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

/// Parses a duration: a whole number with its unit, such as `500ms`, `60s`, `10m`, `2h` or `30d`.
///
/// # Errors
/// If the number or its unit is missing or wrong, or if the duration has more than 2^64 - 1
/// milliseconds. The error says which.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let digits = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);

    let millis: u64 = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => {
            return Err(format!(
                "`{text}`: expected a whole number and its unit ms, s, m, h or d, as in 10m"
            ));
        }
    };

    let number: u64 = number
        .parse()
        .map_err(|_| format!("`{text}` does not begin with a number of at most 64 bits"))?;
    let total = number
        .checked_mul(millis)
        .ok_or_else(|| format!("`{text}` is longer than 2^64 - 1 milliseconds"))?;

    Ok(Duration::from_millis(total))
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

/// The current time in milliseconds since the Unix epoch.
pub(crate) fn unix_now() -> Millis {
    Clock::start().now().unix
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_units() {
        for (text, millis) in [
            ("0s", 0),
            ("500ms", 500),
            ("10m", 600_000),
            ("30d", 2_592_000_000),
        ] {
            assert_eq!(
                duration(text).unwrap(),
                Duration::from_millis(millis),
                "{text}"
            );
        }
        for text in ["", "10", "m", "1.5s", "-1s", "18446744073709551615d", "1 s"] {
            assert!(duration(text).is_err(), "{text}");
        }
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
