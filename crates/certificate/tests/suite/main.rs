//! Tests of certificates, dossiers, registries and the pinned bytes.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod common;
mod registries;
mod replay;
mod tamper;
mod vectors;
mod verify;
