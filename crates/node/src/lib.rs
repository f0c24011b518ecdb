//! The event loop of each role on tokio and libp2p, with builder and handles.
//!
//! - [`DataDir`] is the folder of a node: key and signing guard, genesis, configuration, data.
//! - [`Validator`] drives a `Replica` on a thread of its own, with store and network.
//! - [`Node`] drives the agents and the requests of one key.
//!
//! `quorate-replica` and `quorate-agent` make all decisions; this crate connects them with clock,
//! disk and network. **Absent here:** rules of consensus, ledger, markets or certificates.

mod address_book;
mod clock;
mod config;
mod data_dir;
mod genesis_file;
mod monitor;
mod node;
mod task;
mod validator;

pub use clock::Clock;
pub use config::{ConfigError, NodeConfig, PaceSettings};
pub use data_dir::{DataDir, DataDirError};
pub use genesis_file::{GenesisFileError, read_genesis, write_genesis};
pub use node::{Node, NodeBuilder, NodeError, NodeEvent, NodeHandle};
pub use quorate_agent::{DossierBundle, StandingBids};
pub use quorate_network::Multiaddr;
pub use quorate_replica::VotingStatus;
pub use quorate_store::CrashPoints;
pub use task::{Receipt, TaskEvent, TaskFailure, TaskHandle};
pub use validator::{
    CommittedBlock, LedgerSummary, Validator, ValidatorError, ValidatorEvent, ValidatorStatus,
    protocol_name,
};
