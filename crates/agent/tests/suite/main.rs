//! Tests of the light client and of the runner of agents.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod common;
mod dossiers;
mod light_client;
mod runner;
mod solutions;
