//! Tests of the `quorate` binary from outside: its commands, exit codes and output.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod audit;
mod bench;
mod program;
mod propose;
mod replay;
mod setup;
mod sim;
mod solve;
mod swarm;
