//! Simulates whole swarms in one process, from one seed: the product's own replicas, stores and
//! agents run on simulated clocks, links and disks, among liars, and invariants watch them.
//!
//! [`Profile::plan`] makes a [`Plan`] from a seed, or the caller writes one. [`Simulation::run`]
//! runs it and returns a [`SimReport`]. The same plan gives the same run, to the last byte: the
//! digest in the report shows it.
//!
//! **Absent here:** threads, sockets, files, real clocks, and any randomness but the seed's.

pub mod adversary;
mod coverage;
mod fates;
pub mod faults;
mod host;
pub mod invariants;
pub mod latency;
pub mod plan;
mod profile;
mod report;
pub mod scenario;
mod seed;
mod seen;
mod service;
mod simulation;
mod solver;
mod trace;
mod world;

pub use coverage::{Coverage, STEPS};
pub use fates::Adversary;
pub use host::HostId;
pub use invariants::Invariant;
pub use plan::Plan;
pub use profile::{Profile, Size};
pub use report::{SimReport, Violation};
pub use scenario::Scenario;
pub use seed::{Dice, Digest, key_of};
pub use seen::Seen;
pub use service::{Waits, Work};
pub use simulation::Simulation;
pub use trace::Line;
pub use world::{Client, PlanError, START, Validator, World};
