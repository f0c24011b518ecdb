//! The disk, the crash points and the layout that all files of one folder share.

use std::sync::Arc;

use crate::{CrashPoints, Disk};

/// The swarm that a folder's files are bound to, and their layout.
#[derive(Debug, Clone)]
pub struct StoreConfig {
    /// The swarm id: files of another swarm are refused.
    pub swarm: [u8; 32],
    /// A number that other peers cannot know, for instance four random bytes. It enters the
    /// checksums of new files. So nobody can send a payload that looks like records of the log and
    /// would make a torn tail pass for a damaged middle. It may differ at each start.
    pub salt: u32,
    /// The bytes at which the log begins a new segment; 16 MiB by default.
    pub segment_bytes: u64,
    /// The number of heights that the log may be above the last block, at most; 1 by default, since
    /// the block of a height is durable before anything of the next is logged. If the log is
    /// higher, synced blocks are missing, and the folder is refused as damaged.
    pub log_lead: u64,
}

impl StoreConfig {
    /// The usual layout for the swarm `swarm`; for `salt` see [`Self::salt`].
    pub fn new(swarm: [u8; 32], salt: u32) -> Self {
        Self {
            swarm,
            salt,
            segment_bytes: 16 * 1024 * 1024,
            log_lead: 1,
        }
    }
}

/// The disk, crash points and configuration that all files of one folder share.
#[derive(Clone)]
pub(crate) struct Context {
    disk: Arc<dyn Disk>,
    points: CrashPoints,
    config: StoreConfig,
}

impl Context {
    pub(crate) fn new(disk: Arc<dyn Disk>, points: CrashPoints, config: StoreConfig) -> Self {
        Self {
            disk,
            points,
            config,
        }
    }

    /// The folder.
    pub(crate) fn disk(&self) -> &dyn Disk {
        &*self.disk
    }

    /// The hook that is called around each write and sync.
    pub(crate) fn points(&self) -> &CrashPoints {
        &self.points
    }

    /// The swarm and the layout of the files.
    pub(crate) fn config(&self) -> &StoreConfig {
        &self.config
    }
}
