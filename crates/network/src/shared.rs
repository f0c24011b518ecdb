//! The state that handle, event loop, readers and writers share.

use libp2p::Multiaddr;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::command::Command;
use crate::config::NetworkLimits;
use crate::counters::CounterCells;
use crate::key::PeerKey;
use crate::peers::PeerTable;
use crate::streams::queue::Lock;

/// The state that handle, event loop, readers and writers share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) local_key: PeerKey,
    pub(crate) limits: NetworkLimits,
    pub(crate) peers: PeerTable,
    pub(crate) counters: CounterCells,
    pub(crate) listening: Lock<Vec<Multiaddr>>,
    pub(crate) commands: mpsc::Sender<Command>,
    pub(crate) stop: CancellationToken,
    pub(crate) tasks: TaskTracker,
}

impl Shared {
    pub(crate) fn new(
        local_key: PeerKey,
        limits: NetworkLimits,
        commands: mpsc::Sender<Command>,
    ) -> Self {
        Self {
            local_key,
            limits,
            peers: PeerTable::default(),
            counters: CounterCells::default(),
            listening: Lock::default(),
            commands,
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
        }
    }
}
