//! Tests of the ledger, the replicated state machine, by its clauses.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod blocks;
mod clearing;
mod common;
mod evidence;
mod laws;
mod operations;
mod scale;
mod sealed;
mod solve;
