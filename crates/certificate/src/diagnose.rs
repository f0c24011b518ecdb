//! Names the fault in bytes that are not a certificate. The types only refuse such bytes; here they
//! are read again without types, so that each fault gets the name it deserves.

use std::collections::BTreeSet;

use ciborium::Value;
use quorate_types::cbor::{self, CborError};
use quorate_types::{Reason, ValidatorSet};

use crate::format::{MAX_BYTES, VERSION};
use crate::refused::Refused;

/// Checks the size and the canonical form of the whole, and the version, before any type is built.
pub(crate) fn check_envelope(bytes: &[u8]) -> Result<(), Refused> {
    if bytes.is_empty() {
        return Err(Refused::Empty);
    }

    if bytes.len() > MAX_BYTES {
        return Err(Refused::TooLong);
    }

    cbor::check(bytes).map_err(form)?;

    match bytes {
        // An array of up to 23 elements, the first of which is a small unsigned number.
        [0x80..=0x97, version @ 0x00..=0x17, ..] if *version != VERSION => {
            Err(Refused::UnsupportedVersion)
        }
        _ => Ok(()),
    }
}

fn form(error: CborError) -> Refused {
    match error {
        CborError::TooLong { .. } => Refused::TooLong,
        CborError::Trailing(_) => Refused::TrailingBytes,
        CborError::NotShortest(_) | CborError::UnsortedKeys(_) | CborError::NotCanonical => {
            Refused::NotCanonical
        }
        _ => Refused::Malformed,
    }
}

/// Returns the best name for the fault of bytes in canonical form that are not a certificate.
pub(crate) fn name_fault(bytes: &[u8]) -> Refused {
    let parts = ciborium::from_reader::<Value, _>(bytes)
        .ok()
        .and_then(|v| v.into_array().ok());
    parts
        .and_then(|parts| in_parts(&parts))
        .unwrap_or(Refused::Malformed)
}

fn in_parts(parts: &[Value]) -> Option<Refused> {
    let [_, _, commit, outcome, _, handovers] = parts else {
        return None;
    };

    in_commit(commit)
        .or_else(|| in_outcome(outcome))
        .or_else(|| {
            handovers.as_array()?.iter().find_map(|handover| {
                match handover.as_array()?.as_slice() {
                    [_, commit, validators] => in_commit(commit).or_else(|| in_set(validators)),
                    _ => None,
                }
            })
        })
}

fn in_commit(commit: &Value) -> Option<Refused> {
    let Value::Tag(_, commit) = commit else {
        return None;
    };

    let [_, unprotected, statement, votes] = commit.as_array()?.as_slice() else {
        return None;
    };

    let votes = votes.as_array()?;
    let in_votes = votes.iter().find_map(in_vote);

    in_header(unprotected)
        .or(in_votes)
        .or_else(|| in_order(votes))
        .or_else(|| in_statement(statement))
}

fn in_statement(statement: &Value) -> Option<Refused> {
    let bytes = statement.as_bytes()?;

    if let Err(error) = cbor::check(bytes) {
        return Some(form(error));
    }

    let fields = ciborium::from_reader::<Value, _>(bytes.as_slice())
        .ok()?
        .into_map()
        .ok()?;

    if field(&fields, 0)? != &Value::from(quorate_types::PROTOCOL_VERSION) {
        return Some(Refused::UnsupportedVersion);
    }

    // Only proposals have a POL round.
    let is_vote = field(&fields, 4)? != &Value::from(0);
    (is_vote && field(&fields, 7).is_some()).then_some(Refused::PolRound)
}

fn in_vote(vote: &Value) -> Option<Refused> {
    let [protected, unprotected, _] = vote.as_array()?.as_slice() else {
        return None;
    };

    let header = ciborium::from_reader::<Value, _>(protected.as_bytes()?.as_slice()).ok()?;
    let header = header.into_map().ok()?;

    // Label 1 of a COSE header is the algorithm, and -8 is EdDSA.
    match field(&header, 1) {
        Some(algorithm) if algorithm != &Value::from(-8) => Some(Refused::UnsupportedAlgorithm),
        _ => in_header(unprotected),
    }
}

fn in_header(unprotected: &Value) -> Option<Refused> {
    (!unprotected.as_map()?.is_empty()).then_some(Refused::UnprotectedHeader)
}

fn in_order(votes: &[Value]) -> Option<Refused> {
    // Protected headers differ only in the key, so they ascend as the keys do.

    let headers: Vec<_> = votes
        .iter()
        .map(|vote| vote.as_array()?.first()?.as_bytes())
        .collect();

    let distinct: BTreeSet<_> = headers.iter().collect();
    if distinct.len() < headers.len() {
        return Some(Refused::DuplicateSigner);
    }

    (!headers.is_sorted()).then_some(Refused::VotesUnsorted)
}

fn in_set(validators: &Value) -> Option<Refused> {
    let bytes = cbor::encode(validators);
    cbor::decode::<ValidatorSet>(&bytes, MAX_BYTES)
        .is_err()
        .then_some(Refused::SetMalformed)
}

/// Finds a refusal or expiry with a reason that only a later registry may have.
fn in_outcome(outcome: &Value) -> Option<Refused> {
    let mut reasons = reasons_in(outcome)?;

    // Anything but an integer is another fault than an unknown reason.
    reasons.retain(|reason| reason.as_integer().is_some());

    let is_known = |reason: &Value| {
        Reason::ALL
            .iter()
            .any(|known| *reason == Value::from(known.code()))
    };

    (!reasons.into_iter().all(is_known)).then_some(Refused::UnknownReason)
}

/// Returns the reasons in a refusal or expiry; `None` for another outcome.
fn reasons_in(outcome: &Value) -> Option<Vec<&Value>> {
    let [(name, body)] = outcome.as_map()?.as_slice() else {
        return None;
    };

    let fields = body.as_array()?;
    let reasons = match (name.as_text()?, fields.as_slice()) {
        ("expiry", [_, _, reason]) => vec![reason],
        ("refusal", [_, _, items]) => items
            .as_array()?
            .iter()
            .filter_map(|item| item.as_array()?.get(1))
            .collect(),
        _ => return None,
    };

    Some(reasons)
}

/// Returns the value under a key of a map.
fn field(map: &[(Value, Value)], key: i64) -> Option<&Value> {
    map.iter()
        .find(|(found, _)| *found == Value::from(key))
        .map(|(_, value)| value)
}
