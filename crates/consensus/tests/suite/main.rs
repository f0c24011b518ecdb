//! Tests of `quorate-consensus`: rules by name, scenarios of other implementations by name,
//! properties over random schedules, and whole networks.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "clippy knows test functions, but not their helpers"
)]

mod catalogue;
mod cometbft;
mod harness;
mod malachite_driver;
mod malachite_quint;
mod network;
mod properties;
mod rules;
mod step;
