//! End to end over real processes, conformance, and the walls between crates.
//!
//! The tests stand in `tests/`; here is what several of them share. **Absent here:** anything a
//! shipped crate uses.

pub mod repository;
