//! Tests of the log, the blocks and the signing guard under every fault of a disk.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod common;
mod damage;
mod faults;
mod folder;
mod guard;
mod guard_damage;
mod memory_disk;
mod recovery;
mod wal;
