//! Benchmarks against other solvers: instances for all of them, and each solver behind one call.
//!
//! **Absent here:** anything that the product or its tests depend on.

pub mod instances;
pub mod solvers;
