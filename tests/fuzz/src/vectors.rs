//! The pinned messages of `protocols/vectors/`, from which most targets start.

use std::sync::LazyLock;

use quorate_types::Genesis;
use serde_json::Value;

macro_rules! pinned {
    ($($file:literal)*) => {
        [$(include_str!(concat!("../../../protocols/vectors/", $file, ".json"))),*]
    };
}

const FILES: [&str; 11] = pinned!(
    "attestations" "blocks" "certificates" "commits" "genesis" "merkle" "messages" "operations"
    "outcomes" "state" "statements"
);

/// The genesis file of the swarm of all pinned messages.
pub(crate) const GENESIS: &str = include_str!("../../../protocols/vectors/genesis.toml");

/// The pinned encodings of a rule of `protocols/quorate.cddl`.
pub(crate) fn of_rule(rule: &str) -> Vec<Vec<u8>> {
    let files = FILES
        .iter()
        .map(|text| serde_json::from_str::<Vec<Value>>(text).unwrap());
    let vectors = files.flatten().filter(|vector| vector["rule"] == rule);
    vectors
        .map(|vector| hex::decode(vector["hex"].as_str().unwrap()).unwrap())
        .collect()
}

/// The pinned encodings of a rule, and each of them with its last byte changed: that byte belongs
/// to the signature if there is one.
pub(crate) fn with_changes(rule: &str) -> Vec<Vec<u8>> {
    let mut changed = of_rule(rule);
    changed
        .iter_mut()
        .filter_map(|bytes| bytes.last_mut())
        .for_each(|last| *last ^= 1);
    [of_rule(rule), changed].concat()
}

/// The genesis of the swarm of all pinned messages.
pub(crate) fn genesis() -> &'static Genesis {
    static PARSED: LazyLock<Genesis> = LazyLock::new(|| toml::from_str(GENESIS).unwrap());
    &PARSED
}
