//! Tests of the report of a demonstration.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod page;
