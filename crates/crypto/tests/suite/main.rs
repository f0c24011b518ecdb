//! Tests of keys, COSE structures and quorum certificates.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod commit;
mod common;
mod cose;
mod fault;
mod keys;
mod quorum;
