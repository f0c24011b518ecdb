//! Instances for all solvers alike, and each solver behind one call.

pub mod instances;
pub mod solvers;
