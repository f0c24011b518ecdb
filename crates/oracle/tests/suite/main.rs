//! Tests of the oracle: its mechanisms against those of the product, and its forensics.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod auctions;
mod committee;
mod dice;
mod forensics;
mod solutions;
