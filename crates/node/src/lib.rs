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
mod committed;
mod config;
mod data_dir;
mod dossier_file;
mod genesis_file;
mod links;
mod monitor;
mod node;
mod status;
mod task;
mod validator;

pub use clock::Clock;
pub use committed::{CommittedBlock, ValidatorEvent};
pub use config::{ConfigError, NodeConfig, PaceSettings};
pub use data_dir::{DataDir, DataDirError};
pub use dossier_file::{DossierFileError, store_dossier};
pub use genesis_file::{GenesisFileError, read_genesis, write_genesis};
pub use links::protocol_name;
pub use node::{Node, NodeBuilder, NodeError, NodeEvent, NodeHandle};
pub use quorate_agent::{DossierBundle, StandingBids};
pub use quorate_network::Multiaddr;
pub use quorate_replica::VotingStatus;
pub use quorate_store::CrashPoints;
pub use status::{LedgerSummary, ValidatorStatus};
pub use task::{Receipt, TaskEvent, TaskFailure, TaskHandle};
pub use validator::{Validator, ValidatorError};
