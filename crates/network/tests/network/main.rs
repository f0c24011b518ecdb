//! Tests of the network over real sockets on 127.0.0.1, one subject in each file. Every wait is for
//! an event or a condition, and ends after [`support::PATIENCE`].

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

mod backpressure;
mod connections;
mod frames;
mod gossip;
mod hostile;
mod support;
