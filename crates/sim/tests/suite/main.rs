//! Tests of the simulator: swarms among liars and faults, and the files that users can run.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod adversaries;
mod losses;
mod scenario;
mod sealed;
mod solved;
