//! Properties of decoders and handlers that must hold for any bytes, as plain functions.
//!
//! Each [`Target`] takes bytes and panics if its property does not hold. libFuzzer looks for such
//! bytes (`src/bin/fuzz.rs`). `tests/tests/house/corpus.rs` runs the inputs that were kept
//! (`corpus/`) with the other tests. `README.md` says how to run and extend all this. **Absent
//! here:** expectations of what a message means; the tests of each crate have those.

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

/// A property of some code that must hold for all bytes.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// The name of the target and of its corpus. A decoder has the name of its rule in
    /// `protocols/quorate.cddl`.
    pub name: &'static str,
    /// Panics if the property does not hold for these bytes.
    pub run: fn(&[u8]),
    /// Returns inputs to start from: correct messages, or interesting decisions.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

/// Every target except for the decoders.
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

/// Returns every target.
pub fn targets() -> impl Iterator<Item = &'static Target> {
    decoders::DECODERS.iter().chain(&HANDLERS)
}

/// Returns the target of this name; `None` if there is none.
pub fn target(name: &str) -> Option<&'static Target> {
    targets().find(|target| target.name == name)
}

/// Returns the names of all targets, separated by blanks.
pub fn names() -> String {
    targets()
        .map(|target| target.name)
        .collect::<Vec<_>>()
        .join(" ")
}
