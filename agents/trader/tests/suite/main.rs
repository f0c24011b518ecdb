//! Tests of files of bars and of the market maker.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod bars;
mod maker;
