//! Checks our COSE objects with another implementation of RFC 9052: coset, over ed25519-dalek.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use crate::common;
use crate::common::*;
use coset::iana::Algorithm;
use coset::{CoseSign, CoseSign1, RegisteredLabelWithPrivate, TaggedCborSerializable};
use ed25519_dalek::{Signature, VerifyingKey};
use quorate_types::attestation::Claims;
use quorate_types::{Capabilities, PublicKey, Sign1, Signable, cbor};

fn check(
    key: &[u8],
    signature: &[u8],
    message: &[u8],
) -> Result<(), ed25519_dalek::SignatureError> {
    let key = VerifyingKey::from_bytes(key.try_into().unwrap())?;
    key.verify_strict(message, &Signature::from_slice(signature)?)
}

fn claims() -> Claims {
    Claims {
        issuer: key(1).public_key(),
        subject: key(2).public_key(),
        audience: SWARM,
        expires: 2_000_000_000,
        not_before: 1,
        issued_at: 1,
        id: vec![7],
        capabilities: Capabilities::new()
            .label("drone")
            .unwrap()
            .amount("slots", 2)
            .unwrap(),
    }
}

fn verifies_under_coset<T: Signable>(signed: &Sign1<T>) {
    let parsed = CoseSign1::from_tagged_slice(&cbor::encode(signed)).unwrap();
    let header = &parsed.protected.header;
    assert_eq!(
        header.alg,
        Some(RegisteredLabelWithPrivate::Assigned(Algorithm::EdDSA))
    );
    assert_eq!(header.key_id, signed.signer.0);
    assert!(parsed.unprotected.is_empty());
    parsed
        .verify_signature(b"", |signature, message| {
            check(&header.key_id, signature, message)
        })
        .unwrap();
    let other = parsed.verify_signature(b"aad", |signature, message| {
        check(&header.key_id, signature, message)
    });
    assert!(other.is_err());
}

#[test]
fn w4_single_signatures_verify_under_coset() {
    verifies_under_coset(&key(1).sign(claims()));
    verifies_under_coset(&operation(3, SWARM));
}

#[test]
fn c4_each_signature_of_a_commit_verifies_under_coset() {
    let set = set(&[1, 1, 1, 1]);
    let commit = certificate(&precommit(&set), &[1, 2, 4]);
    let parsed = CoseSign::from_tagged_slice(&cbor::encode(&commit)).unwrap();
    assert_eq!(
        parsed.payload.as_deref(),
        Some(&cbor::encode(&commit.statement)[..])
    );
    assert_eq!(parsed.signatures.len(), 3);
    for (at, vote) in commit.votes.iter().enumerate() {
        let kid = &parsed.signatures[at].protected.header.key_id;
        assert_eq!(kid, &vote.signer.0);
        parsed
            .verify_signature(at, b"", |signature, message| check(kid, signature, message))
            .unwrap();
        let stranger = key(9).public_key();
        let forged = parsed.verify_signature(at, b"", |s, m| check(&stranger.0, s, m));
        assert!(forged.is_err());
    }
}

#[test]
fn n2_what_is_signed_is_what_coset_would_sign() {
    let set = set(&[1]);
    let commit = certificate(&precommit(&set), &[1]);
    let parsed = CoseSign::from_tagged_slice(&cbor::encode(&commit)).unwrap();
    let key: PublicKey = commit.votes[0].signer;
    assert_eq!(
        parsed.tbs_data(b"", &parsed.signatures[0]),
        commit.statement.to_be_signed(&key)
    );
    let signed = common::key(1).sign(claims());
    let parsed = CoseSign1::from_tagged_slice(&cbor::encode(&*signed)).unwrap();
    assert_eq!(parsed.tbs_data(b""), signed.to_be_signed());
}
