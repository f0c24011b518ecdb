//! Keys and signatures that are refused: the one Ed25519 rule that holds everywhere (C-12).

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use crate::common::*;
use ed25519_dalek::{Verifier, VerifyingKey};
use quorate_crypto::{
    KeyError, SecretKey, SignatureError, check_public_key, verify, verify_statement,
};
use quorate_types::{Kind, PublicKey, Signature, SignedStatement, Statement};

/// The eight points whose order divides 8, in canonical encoding.
const SMALL_ORDER: [&str; 8] = [
    "0100000000000000000000000000000000000000000000000000000000000000",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
];

/// The order of the base point, little-endian (RFC 8032 section 5.1).
const ORDER: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

/// Every y coordinate that is not reduced: p + k for k below 19, with and without the sign bit.
fn unreduced() -> impl Iterator<Item = PublicKey> {
    (0..19u8).flat_map(|k| {
        [0x7f, 0xff].map(|top| {
            let mut bytes = [0xff; 32];
            bytes[0] = 0xed + k;
            bytes[31] = top;
            PublicKey(bytes)
        })
    })
}

#[test]
fn keys_of_small_order_are_refused() {
    for text in SMALL_ORDER {
        let key: PublicKey = text.parse().unwrap();
        assert_eq!(check_public_key(&key), Err(KeyError::Weak(key)));
    }
}

#[test]
fn keys_in_another_encoding_are_refused() {
    for key in unreduced() {
        assert_eq!(
            check_public_key(&key),
            Err(KeyError::Malformed(key)),
            "{key}"
        );
    }
    // x = 0 with the sign bit set. Zero has no sign, so this is not the canonical encoding.
    for text in [
        "0100000000000000000000000000000000000000000000000000000000000080",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    ] {
        let key: PublicKey = text.parse().unwrap();
        assert_eq!(check_public_key(&key), Err(KeyError::Malformed(key)));
    }
}

#[test]
fn keys_off_the_curve_are_refused() {
    let mut off = [0; 32];
    off[0] = 2;
    let key = PublicKey(off);
    assert_eq!(check_public_key(&key), Err(KeyError::Malformed(key)));
}

#[test]
fn good_keys_are_taken() {
    for seed in 0..32 {
        assert_eq!(check_public_key(&key(seed).public_key()), Ok(()));
    }
    let generated = SecretKey::generate().unwrap();
    assert_eq!(check_public_key(&generated.public_key()), Ok(()));
    assert_eq!(
        SecretKey::from_seed(&generated.seed()).public_key(),
        generated.public_key()
    );
}

#[test]
fn a_forgery_that_lenient_libraries_take_is_refused() {
    let signer: PublicKey = SMALL_ORDER[0].parse().unwrap();
    let mut signature = [0; 64];
    signature[0] = 1; // R is the identity and S is 0.
    let statement = precommit(&set(&[1]));
    let message = statement.to_be_signed(&signer);
    let lenient = VerifyingKey::from_bytes(&signer.0).unwrap();
    assert!(
        lenient
            .verify(&message, &ed25519_dalek::Signature::from_bytes(&signature))
            .is_ok()
    );
    let forged = SignedStatement {
        statement,
        signer,
        signature: Signature(signature),
    };
    let refused = Err(SignatureError::Key(KeyError::Weak(signer)));
    assert_eq!(verify_statement(forged), refused);
}

#[test]
fn a_signature_has_one_form() {
    let mut signed = vote(1, &precommit(&set(&[1]))).into_inner();
    assert!(verify_statement(signed.clone()).is_ok());
    let mut carry = 0u16;
    for (byte, order) in signed.signature.0[32..].iter_mut().zip(ORDER) {
        let sum = u16::from(*byte) + u16::from(order) + carry;
        *byte = sum as u8;
        carry = sum >> 8;
    }
    assert_eq!(carry, 0);
    let signer = signed.signer;
    assert_eq!(verify_statement(signed), Err(SignatureError::Wrong(signer)));
}

/// W-4: the signature of a statement does not verify for an operation. W-5: nor does it verify for
/// another swarm.
#[test]
fn a_signature_serves_one_statement_and_one_type() {
    let statement = precommit(&set(&[1]));
    let signed = vote(1, &statement).into_inner();
    for other in [
        Statement {
            kind: Kind::Prevote,
            ..statement.clone()
        },
        Statement {
            block: None,
            ..statement.clone()
        },
        Statement {
            height: 10,
            ..statement.clone()
        },
        Statement {
            round: 3,
            ..statement.clone()
        },
        Statement {
            swarm: quorate_types::SwarmId([1; 32]),
            ..statement.clone()
        },
        Statement {
            validators: quorate_types::Hash::ZERO,
            ..statement.clone()
        },
    ] {
        let moved = SignedStatement {
            statement: other,
            ..signed.clone()
        };
        assert_eq!(
            verify_statement(moved),
            Err(SignatureError::Wrong(signed.signer))
        );
    }
    let operation = operation(1, SWARM);
    let mut moved = operation.clone();
    moved.alter(|parts| parts.signature = signed.signature);
    assert_eq!(verify(moved), Err(SignatureError::Wrong(signed.signer)));
    let mut stranger = operation;
    stranger.alter(|parts| parts.signer = key(2).public_key());
    assert_eq!(
        verify(stranger),
        Err(SignatureError::Wrong(key(2).public_key()))
    );
}

#[test]
fn derived_keys_differ_by_swarm_and_purpose() {
    let derive = |swarm: u8, purpose: &[u8]| {
        key(1)
            .derive(&quorate_types::SwarmId([swarm; 32]), purpose)
            .public_key()
    };
    assert_eq!(derive(1, b"a"), derive(1, b"a"));
    assert_ne!(derive(1, b"a"), derive(2, b"a"));
    assert_ne!(derive(1, b"a"), derive(1, b"b"));
    assert_ne!(derive(1, b"a"), key(1).public_key());
}

#[test]
fn a_secret_key_does_not_print_itself() {
    let seed = hex_of(&[1; 32]);
    assert!(!format!("{:?}", key(1)).contains(&seed[..8]));
}

fn hex_of(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
