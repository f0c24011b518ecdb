//! What every decoder and handler must do with any bytes: properties as plain functions.
//!
//! Each [`Target`] takes bytes and asserts; it returns where all is well. libFuzzer looks for bytes
//! that make one panic (`src/bin/fuzz.rs`), and `tests/tests/corpus.rs` runs what it found worth
//! keeping (`corpus/`) with the other tests. `README.md` says how to run and extend it.
//! **Absent here:** expectations of what a message means. Those are the tests of each crate.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a target fails by panicking"
)]

mod certificates;
mod choices;
mod client;
mod committee;
pub mod corpus;
mod decoders;
mod proofs;
mod store;
mod swarm;
mod vectors;

/// A property of some code, for all bytes.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Of its corpus too; a decoder has the name of its rule in `protocols/quorate.cddl`.
    pub name: &'static str,
    /// Panics where the property does not hold.
    pub run: fn(&[u8]),
    /// Correct messages, or interesting decisions, to start from.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

/// Every target but the decoders.
const HANDLERS: [Target; 13] = [
    Target {
        name: "log-record",
        run: decoders::log_record,
        seeds: decoders::log_records,
    },
    Target {
        name: "trust-root",
        run: decoders::trust_root,
        seeds: decoders::genesis_files,
    },
    Target {
        name: "verify",
        run: certificates::arbitrary,
        seeds: certificates::genuine,
    },
    Target {
        name: "verify-mutated",
        run: certificates::mutated,
        seeds: certificates::mutations,
    },
    Target {
        name: "inclusion",
        run: proofs::inclusion,
        seeds: proofs::inclusion_proofs,
    },
    Target {
        name: "state-proof",
        run: proofs::state,
        seeds: proofs::state_proofs,
    },
    Target {
        name: "store-wal",
        run: store::wal,
        seeds: store::wal_files,
    },
    Target {
        name: "store-blocks",
        run: store::blocks,
        seeds: store::blocks_files,
    },
    Target {
        name: "store-guard",
        run: store::guard,
        seeds: store::guard_files,
    },
    Target {
        name: "store-meta",
        run: store::meta,
        seeds: store::meta_files,
    },
    Target {
        name: "replica",
        run: committee::run,
        seeds: committee::seeds,
    },
    Target {
        name: "recover",
        run: committee::recover::run,
        seeds: committee::recover::seeds,
    },
    Target {
        name: "light-client",
        run: client::run,
        seeds: client::seeds,
    },
];

/// Every target.
pub fn targets() -> impl Iterator<Item = &'static Target> {
    decoders::DECODERS.iter().chain(&HANDLERS)
}

/// The target of this name.
pub fn target(name: &str) -> Option<&'static Target> {
    targets().find(|target| target.name == name)
}

/// The names of all targets, one after another.
pub fn names() -> String {
    targets()
        .map(|target| target.name)
        .collect::<Vec<_>>()
        .join(" ")
}
