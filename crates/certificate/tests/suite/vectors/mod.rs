//! `protocols/vectors/`: the pinned bytes of every format, and `protocols/quorate.cddl`, checked
//! against them.
//!
//! `QUORATE_PIN=1 cargo test -p quorate-certificate --test suite vectors` writes the files anew. A
//! changed byte needs a new version of the protocol.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod list;
mod messages;

use crate::common;
use std::path::{Path, PathBuf};

use cddl_cat::cbor::validate_cbor;
use cddl_cat::context::BasicContext;
use cddl_cat::flatten::flatten_from_str;
use ciborium::Value;
use quorate_types::cbor;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;

/// One pinned encoding.
pub(crate) struct Vector {
    name: String,
    /// The rule of `quorate.cddl`.
    rule: &'static str,
    bytes: Vec<u8>,
    /// Hashes and other values that follow from the bytes, as text.
    derived: Vec<(&'static str, String)>,
    /// Decodes strictly and encodes again.
    again: fn(&[u8]) -> Result<Vec<u8>, cbor::CborError>,
}

impl Vector {
    pub(crate) fn new<T: Serialize + DeserializeOwned>(
        name: impl Into<String>,
        rule: &'static str,
        value: &T,
    ) -> Self {
        let again = |bytes: &[u8]| cbor::decode::<T>(bytes, 1 << 20).map(|v| cbor::encode(&v));
        Self {
            name: name.into(),
            rule,
            bytes: cbor::encode(value),
            derived: Vec::new(),
            again,
        }
    }

    pub(crate) fn with(mut self, name: &'static str, text: impl ToString) -> Self {
        self.derived.push((name, text.to_string()));
        self
    }

    fn to_json(&self) -> serde_json::Value {
        let derived = self
            .derived
            .iter()
            .map(|(name, text)| ((*name).to_owned(), json!(text)));
        json!({
            "name": self.name,
            "rule": self.rule,
            "hex": hex::encode(&self.bytes),
            "derived": derived.collect::<serde_json::Map<_, _>>(),
        })
    }
}

fn protocols() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../protocols")
}

fn files() -> Vec<(&'static str, Vec<Vector>)> {
    let mut files = list::files();
    files.push(("messages", messages::vectors()));
    files
}

/// Compares with the file, or writes it when asked to.
fn pin(name: &str, text: &str) {
    let path = protocols().join("vectors").join(name);
    if std::env::var_os("QUORATE_PIN").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let pinned = std::fs::read_to_string(&path).unwrap();
    assert!(pinned == text, "{name} differs from the pinned bytes");
}

/// The hashes are pinned with the bytes: the block id (C-3), the tree of outcomes (C-5), the
/// identity of a certificate (C-6), the contexts (C-14) and the tree of the state (C-15).
#[test]
fn no_byte_has_changed() {
    for (name, vectors) in files() {
        let vectors: Vec<_> = vectors.iter().map(Vector::to_json).collect();
        let text = serde_json::to_string_pretty(&vectors).unwrap();
        pin(&format!("{name}.json"), &format!("{text}\n"));
    }
    pin(
        "genesis.toml",
        &toml::to_string(&common::genesis()).unwrap(),
    );
}

#[test]
fn c8_the_pinned_genesis_file_names_the_swarm() {
    let text = std::fs::read_to_string(protocols().join("vectors/genesis.toml")).unwrap();
    let root = quorate_certificate::TrustRoot::parse(&text).unwrap();
    assert_eq!(root.swarm(), common::swarm());
}

#[test]
fn w1_each_vector_decodes_strictly_and_encodes_the_same() {
    for (_, vectors) in files() {
        for vector in vectors {
            let again = (vector.again)(&vector.bytes);
            assert_eq!(again.as_ref(), Ok(&vector.bytes), "{}", vector.name);
            let longer = [&vector.bytes[..], &[0]].concat();
            assert!((vector.again)(&longer).is_err(), "{}", vector.name);
            let shorter = &vector.bytes[..vector.bytes.len() - 1];
            assert!((vector.again)(shorter).is_err(), "{}", vector.name);
        }
    }
}

#[test]
fn w2_each_vector_fits_its_rule_and_no_other_shape_does() {
    let context = schema();
    for (_, vectors) in files() {
        for vector in vectors {
            let rule = context
                .rules
                .get(vector.rule)
                .unwrap_or_else(|| panic!("{}", vector.rule));
            let value = untagged(ciborium::from_reader(&vector.bytes[..]).unwrap());
            let fits = validate_cbor(rule, &value, &context);
            assert!(fits.is_ok(), "{} as {}: {fits:?}", vector.name, vector.rule);
            let nested = Value::Array(vec![value.clone()]);
            assert!(
                validate_cbor(rule, &nested, &context).is_err(),
                "{}",
                vector.name
            );
            if let Value::Array(mut items) = value {
                items.push(Value::Integer(0.into()));
                let longer = Value::Array(items);
                assert!(
                    validate_cbor(rule, &longer, &context).is_err(),
                    "{}",
                    vector.name
                );
            }
        }
    }
}

#[test]
fn the_schema_looks_into_byte_strings() {
    let context = schema();
    let rule = context.rules.get("quorum-certificate").unwrap();
    let commit = common::commit(&common::certificate(1).header, &[1, 2, 3]);
    let bytes = cbor::encode(&commit);
    let kind = bytes
        .windows(3)
        .position(|found| found == [0x04, 0x02, 0x05])
        .unwrap()
        + 1;
    for (value, fits) in [(2, true), (1, true), (3, false)] {
        let mut bytes = bytes.clone();
        bytes[kind] = value;
        let item = untagged(ciborium::from_reader(&bytes[..]).unwrap());
        assert_eq!(
            validate_cbor(rule, &item, &context).is_ok(),
            fits,
            "kind {value}"
        );
    }
}

/// The schema without tags, since the checker knows none: `#6.18([...])` is read as `[18, [...]]`,
/// and the values are rewritten in the same way.
fn schema() -> BasicContext {
    let text = std::fs::read_to_string(protocols().join("quorate.cddl")).unwrap();
    let text = text
        .replace("#6.18([", "[18, [")
        .replace("#6.98([", "[98, [");
    BasicContext::new(flatten_from_str(&text.replace("])", "]]")).unwrap())
}

/// Rewrites tags to arrays, also in byte strings that hold CBOR.
fn untagged(value: Value) -> Value {
    match value {
        Value::Tag(tag, inner) => Value::Array(vec![tag.into(), untagged(*inner)]),
        Value::Array(items) => Value::Array(items.into_iter().map(untagged).collect()),
        Value::Map(entries) => Value::Map(
            entries
                .into_iter()
                .map(|(k, v)| (untagged(k), untagged(v)))
                .collect(),
        ),
        Value::Bytes(bytes) => Value::Bytes(untagged_inside(bytes)),
        other => other,
    }
}

fn untagged_inside(bytes: Vec<u8>) -> Vec<u8> {
    // It begins like an array or a map. No opaque byte string in the vectors does so and is
    // canonical CBOR.
    let holds_cbor = matches!(bytes.first(), Some(0x80..=0xbf)) && cbor::check(&bytes).is_ok();
    if holds_cbor {
        cbor::encode(&untagged(ciborium::from_reader(&bytes[..]).unwrap()))
    } else {
        bytes
    }
}
