//! Fault profiles: each makes a plan from a seed and a size.

mod faults;
mod generator;
mod kind;

pub use kind::{Profile, Size};
