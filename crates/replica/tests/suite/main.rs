//! Tests of replicas that run in one process, among peers that the tests play.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod attacks;
mod bad_blocks;
mod committee;
mod common;
mod dossiers;
mod evidence;
mod rejoin;
