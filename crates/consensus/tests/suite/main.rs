//! Tests of `quorate-consensus`: rules by name, scenarios of other implementations by name,
//! properties over random schedules, and whole networks.

mod catalogue;
mod cometbft;
mod harness;
mod malachite_driver;
mod malachite_quint;
mod network;
mod properties;
