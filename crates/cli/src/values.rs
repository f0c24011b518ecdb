//! Parsers for arguments that are more than text (amounts, addresses), and the current time.

use std::path::Path;

use anyhow::{Context, Result};
use clap::builder::RangedU64ValueParser;
use quorate_network::Multiaddr;
use quorate_node::Clock;
use quorate_types::{Amounts, Capabilities, Label, UnixMillis};

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

/// The current Unix time.
pub(crate) fn unix_now() -> UnixMillis {
    Clock::start().now().unix
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_have_names() {
        assert!(amount("slots=2").is_ok());
        for text in ["slots", "=2", "slots=", "slots=x", "Slots=2"] {
            assert!(amount(text).is_err(), "{text}");
        }
    }
}
