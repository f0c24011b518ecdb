//! Checks the mechanisms and the assignment against their definitions.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod assignment;
mod assignment_data;
mod common;
mod double;
mod gap;
mod mechanisms;
mod truthful;
