//! Helpers of the tests of the whole workspace: end to end over real processes, and house style.
//!
//! The tests are in `tests/`; this library holds the code that several of them share. **Absent
//! here:** anything that a shipped crate uses.

pub mod certificates;
pub mod host;
pub mod process;
pub mod program;
pub mod repository;
pub mod rust;
pub mod wait;

/// The result of a test or of a helper; the error describes the failure in words.
pub type Checked<T = ()> = Result<T, Box<dyn std::error::Error + Send + Sync>>;
