//! Tests of `quorate-consensus`: clauses by name, scenarios of other implementations by name,
//! properties over random schedules, and whole networks.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "clippy knows test functions, but not their helpers"
)]

mod bounds;
mod catalogue;
mod catch_up;
mod cometbft;
mod coverage;
mod harness;
mod malachite_driver;
mod malachite_quint;
mod model;
mod network;
mod properties;
mod recovery;
mod rules;
mod step;
