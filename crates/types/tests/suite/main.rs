//! Tests of the encodings, the limits and the genesis.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod encoding;
mod genesis;
mod limits;
mod values;
