//! Instances for all solvers alike, and each solver behind one call.
//!
//! **Absent here:** anything that the product or its tests depend on.

pub mod instances;
pub mod solvers;
