//! Targets for proofs: a proof that holds shows only what is there.

use quorate_crypto::map::{self, AuthenticatedMap, MapProof};
use quorate_crypto::merkle::{self, InclusionProof};
use quorate_types::cbor;

use crate::vectors;

/// The leaves of a tree of this size, as in `protocols/vectors/merkle.json`.
fn leaves(size: usize) -> Vec<Vec<u8>> {
    (0..size)
        .map(|at| format!("leaf {at}").into_bytes())
        .collect()
}

/// C-5: a leaf has one proof. The first byte chooses tree and leaf; the rest is the proof.
pub(crate) fn inclusion(data: &[u8]) {
    let Some((choice, proof)) = data.split_first() else {
        return;
    };
    let Ok(proof) = cbor::decode::<InclusionProof>(proof, proof.len()) else {
        return;
    };
    let leaves = leaves(1 + usize::from(choice >> 4));
    let leaf = &leaves[usize::from(choice & 15) % leaves.len()];
    if merkle::verify(&merkle::root(&leaves), leaf, &proof) {
        let at = leaves
            .iter()
            .position(|other| other == leaf)
            .unwrap_or_default();
        assert_eq!(
            Some(proof),
            merkle::prove(&leaves, at),
            "a leaf has a second proof"
        );
    }
}

pub(crate) fn inclusion_proofs() -> Vec<Vec<u8>> {
    let sizes = [1usize, 2, 3, 7, 16];
    let places = sizes
        .iter()
        .flat_map(|size| (0..*size).map(move |at| (*size, at)));
    let proofs = places.map(|(size, at)| {
        let proof = merkle::prove(&leaves(size), at).unwrap();
        [
            &[(size as u8 - 1) << 4 | at as u8][..],
            &cbor::encode(&proof),
        ]
        .concat()
    });
    proofs.collect()
}

/// The state tree of `protocols/vectors/state.json`.
fn held() -> AuthenticatedMap {
    let mut map = AuthenticatedMap::default();
    for at in 0..5 {
        let (key, value) = (format!("key {at}"), format!("value {at}"));
        map.update([(key.as_bytes(), Some(value.as_bytes()))]);
    }
    map
}

/// C-15: a proof shows a key only with its value, and the absence only of a key that is not there.
/// The bytes are the proof.
pub(crate) fn state(data: &[u8]) {
    let Ok(proof) = cbor::decode::<MapProof>(data, data.len()) else {
        return;
    };
    let root = held().root();
    for at in 0..10 {
        let (key, value) = (format!("key {at}"), format!("value {at}"));
        let shown = |value: Option<&[u8]>| map::verify(&root, key.as_bytes(), value, &proof);
        assert!(
            !(shown(Some(value.as_bytes())) && at >= 5),
            "the proof shows a key that is not there"
        );
        assert!(
            !(shown(None) && at < 5),
            "the proof shows the absence of a key that is there"
        );
        assert!(!shown(Some(b"another")), "the proof shows another value");
    }
}

pub(crate) fn state_proofs() -> Vec<Vec<u8>> {
    vectors::of_rule("map-proof")
}
