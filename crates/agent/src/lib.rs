//! The interfaces of an agent's author and of a requester of tasks.
//!
//! - [`Agent`]: its capabilities, the price that it asks for a task, and how it does one. Time
//!   reaches it through its arguments only ([`LeaseGuard::sleep`]), so the simulator runs the same
//!   agents.
//! - [`LightClient`]: the protocol of an agent or requester as a state machine, with operations in,
//!   and requests and verified [`ClientEvent`]s out. It believes certificates. It believes a
//!   validator's bare word only if validators with more than a third of the power say the same.
//! - [`AgentRunner`]: connects the two by futures, on any executor.
//!
//! **Absent here:** tokio, sockets, files, clocks, randomness. The driver of these types brings
//! them.

mod agent;
mod client;
mod lease;
mod runner;
mod verifier;

pub use agent::{Agent, Award, CallForBids, Quote, TaskError, TaskOutput};
pub use async_trait::async_trait;
pub use client::{
    ClientAction, ClientConfig, ClientCounters, ClientError, ClientEvent, DossierBundle,
    LightClient, LossCause, StandingBids,
};
pub use lease::{LeaseControl, LeaseGuard, LeaseLost, Timer};
pub use runner::{AgentReport, AgentRunner};
pub use verifier::{CertificateVerifier, Verifier};
