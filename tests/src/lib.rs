//! End to end over real processes, conformance, and the walls between crates.
//!
//! The tests stand in `tests/`; here is what several of them share. **Absent here:** anything a
//! shipped crate uses.

pub mod certificates;
pub mod host;
pub mod process;
pub mod program;
pub mod repository;
pub mod wait;

/// What a test and its helpers come to: nothing, or what went wrong in words.
pub type Checked<T = ()> = Result<T, Box<dyn std::error::Error + Send + Sync>>;
