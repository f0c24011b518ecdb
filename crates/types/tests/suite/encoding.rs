//! Each type has one encoding (W-1): a value that is written is read back as the same value, and
//! no other bytes are read as that value.

use std::fmt::Debug;

use crate::values::*;
use proptest::prelude::*;
use quorate_types::{cbor, message};
use serde::Serialize;
use serde::de::DeserializeOwned;

const LIMIT: usize = 1 << 22;

/// W-1: checks that the encoding of `value` is read back as `value` and that every truncation is
/// refused. An encoding with a flipped bit is refused too, or it is the encoding of another value.
fn has_one_encoding<T>(value: &T, flips: &[(usize, u8)]) -> Result<(), TestCaseError>
where
    T: Serialize + DeserializeOwned + PartialEq + Debug,
{
    let bytes = cbor::encode(value);
    prop_assert_eq!(cbor::check(&bytes), Ok(()));
    let again: T = cbor::decode(&bytes, LIMIT).map_err(|e| TestCaseError::fail(e.to_string()))?;
    prop_assert_eq!(&again, value);
    prop_assert!(cbor::decode::<T>(&bytes, bytes.len() - 1).is_err());
    for length in (0..bytes.len()).step_by(1 + bytes.len() / 64) {
        prop_assert!(cbor::decode::<T>(&bytes[..length], LIMIT).is_err());
    }
    for (at, bit) in flips {
        let mut flipped = bytes.clone();
        flipped[at % bytes.len()] ^= 1 << (bit % 8);
        if let Ok(other) = cbor::decode::<T>(&flipped, LIMIT) {
            prop_assert_eq!(cbor::encode(&other), flipped);
            prop_assert_ne!(&other, value);
        }
    }
    Ok(())
}

fn flips() -> impl Strategy<Value = Vec<(usize, u8)>> {
    proptest::collection::vec((any::<usize>(), any::<u8>()), 64)
}

macro_rules! each_has_one_encoding {
    ($($name:ident: $strategy:expr,)*) => {
        proptest! {
            #![proptest_config(ProptestConfig::with_cases(48))]
            $(#[test]
            fn $name(value in $strategy, flips in flips()) {
                has_one_encoding(&value, &flips)?;
            })*
        }
    };
}

each_has_one_encoding! {
    labels_and_amounts: capabilities(),
    task_specs: task_spec(),
    attestations: attestation(),
    suspicions: suspicion(),
    operations: operation(),
    statements: statement(),
    signed_statements: signed_statement(),
    quorum_certificates: quorum_certificate(),
    evidences: evidence(),
    headers: header(),
    blocks: block(),
    outcomes: outcome(),
    clearing_records: clearing(),
    clearing_inputs: clearing_input(),
    validator_sets: validators(),
    genesis_in_cbor: genesis(),
    messages_with_a_block: block().prop_map(|block| message::PeerMessage::Block(Box::new(block))),
    messages_with_operations:
        proptest::collection::vec(operation(), 0..3).prop_map(message::PeerMessage::Operations),
    requests: (any::<u64>(), operation()).prop_map(|(id, operation)| message::ClientRequest {
        id,
        request: message::Request::Submit(Box::new(operation)),
    }),
    replies: (any::<u64>(), operation_id()).prop_map(|(id, operation)| {
        let answer = message::Answer::Accepted(operation);
        message::ClientMessage::Reply(message::Reply { id, answer })
    }),
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn hashes_follow_the_value(one in header(), other in header()) {
        prop_assert_eq!(one.id() == other.id(), one == other);
    }

    #[test]
    fn w12_the_signature_is_not_part_of_an_operations_name(one in operation(), sig in signature()) {
        let mut other = one.clone();
        other.alter(|parts| parts.signature = sig);
        prop_assert_eq!(one.id(), other.id());
    }

    #[test]
    fn l11_an_attestation_is_named_by_its_claims(one in attestation(), sig in signature()) {
        let mut other = one.clone();
        other.alter(|parts| parts.signature = sig);
        prop_assert_eq!(one.id(), other.id());
    }

    /// W-1: an outcome is a map with one entry, whose key is the name.
    #[test]
    fn an_outcome_is_encoded_with_its_name(one in outcome()) {
        let name = one.name();
        prop_assert!(quorate_types::Outcome::NAMES.contains(&name));

        let bytes = cbor::encode(&one);
        prop_assert_eq!(&bytes[..2], [0xa1, 0x60 + name.len() as u8]);
        prop_assert!(bytes[2..].starts_with(name.as_bytes()));
    }

    #[test]
    fn no_bytes_panic(bytes: Vec<u8>) {
        let _ = cbor::decode::<message::PeerMessage>(&bytes, LIMIT);
        let _ = cbor::decode::<message::ClientRequest>(&bytes, LIMIT);
        let _ = cbor::decode::<message::ClientMessage>(&bytes, LIMIT);
        let _ = cbor::decode::<quorate_types::Outcome>(&bytes, LIMIT);
        let _ = cbor::decode::<quorate_types::Genesis>(&bytes, LIMIT);
    }

    #[test]
    fn parsing_a_task_id_gives_what_was_printed(task in task()) {
        prop_assert_eq!(task.to_string().parse(), Ok(task));
    }
}
