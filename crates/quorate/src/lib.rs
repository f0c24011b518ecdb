//! Swarms of agents that do not trust each other agree who does which task, and leave a certificate
//! of every assignment that an outsider checks offline.
//!
//! The one dependency of an agent's author. See [`Agent`] for what to write, [`Node`] for how to
//! run it, [`certificate`] for what to make of its certificates.
//!
//! ```no_run
//! use quorate::{
//!     Agent, Award, CallForBids, Capabilities, Home, LeaseGuard, Node, Offer, Outcome, TaskError,
//!     TaskSpec, async_trait,
//! };
//!
//! struct Courier;
//!
//! #[async_trait]
//! impl Agent for Courier {
//!     fn capabilities(&self) -> Capabilities {
//!         Capabilities::new()
//!     }
//!     async fn bid(&mut self, call: &CallForBids) -> Option<Offer> {
//!         Some(call.offer(call.spec.payload.0.len() as i64))
//!     }
//!     async fn execute(&mut self, award: Award, lease: LeaseGuard) -> Result<Outcome, TaskError> {
//!         lease.sleep(std::time::Duration::from_secs(2)).await?;
//!         Ok(Outcome::new(award.spec.payload.0))
//!     }
//! }
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let node = Node::builder(Home::new("courier")).agent(Courier).start().await?;
//! let task = node.submit(TaskSpec::new("tasks".parse()?)).await?;
//! let certificate = task.awarded().await?;
//! let receipt = task.completed().await?;
//! # Ok(())
//! # }
//! ```
//!
//! **Absent here:** code. This crate gives names to what others hold.

pub use quorate_agent::{
    Agent, Award, CallForBids, DossierBundle, LeaseGuard, LeaseLost, Offer, Outcome, TaskError,
    async_trait,
};
pub use quorate_certificate as certificate;
pub use quorate_node::{
    Home, Node, NodeBuilder, NodeConfig, NodeError, NodeEvent, NodeHandle, Receipt, TaskFailure,
    TaskHandle, Validator,
};
pub use quorate_types::{Amounts, Capabilities, Hash, Label, TaskId, TaskSpec};

/// The agent in the README compiles.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
