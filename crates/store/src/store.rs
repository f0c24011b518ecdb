//! An open folder with its lock, its log, its blocks and its named values.

use std::sync::Arc;

use crate::context::{Context, StoreConfig};
use crate::error::{Operation, StoreError};
use crate::log::Cut;
use crate::whole::{failed, list_folder, remove_if_there, take_lock};
use crate::{Blocks, CrashPoints, Disk, FolderLock, Meta, Wal};

/// The folder of a node, locked while this or a guard opened from it lives.
///
/// Its parts are public because they are independent: one may sync the log while another reads a
/// block. After an error of the disk in any of them the process must end.
pub struct Store {
    /// The write-ahead log.
    pub wal: Wal,
    /// The decided blocks.
    pub blocks: Blocks,
    /// Small named values.
    pub meta: Meta,
    context: Context,
    lock: FolderLock,
}

/// The changes that opening a folder had to make. They are worth a line in the node's log, not an
/// alarm.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recovery {
    /// The torn tails that were cut: at most one of the log and one of the blocks.
    pub cuts: Vec<Cut>,
}

impl Store {
    /// Opens the folder `disk`, makes everything that is absent, and recovers the folder from a
    /// crash. For a validator, [`SigningGuard::open`](crate::SigningGuard::open) follows.
    ///
    /// # Errors
    /// [`StoreError::Locked`]; [`StoreError::WrongSwarm`]; [`StoreError::Unsupported`];
    /// [`StoreError::Damaged`], which [`repair`](crate::repair()) mends; or the disk failed.
    pub fn open(
        disk: Arc<dyn Disk>,
        config: StoreConfig,
        points: CrashPoints,
    ) -> Result<(Self, Recovery), StoreError> {
        let lock = take_lock(&*disk)?;

        for folder in ["", "wal", "meta"] {
            settle_folder(&*disk, folder)?;
        }

        let meta = Meta::new(disk.clone(), points.clone());
        let context = Context::new(disk, points, config);

        // The log goes first: its last height shows whether blocks are missing.
        let (wal, wal_cut) = Wal::open(&context)?;
        let (blocks, blocks_cut) = Blocks::open(&context, wal.last_height())?;

        let recovery = Recovery {
            cuts: wal_cut.into_iter().chain(blocks_cut).collect(),
        };

        let store = Self {
            wal,
            blocks,
            meta,
            context,
            lock,
        };
        Ok((store, recovery))
    }

    /// The parts that the guard shares with the store.
    pub(crate) fn shared(&self) -> (&Context, &FolderLock) {
        (&self.context, &self.lock)
    }
}

/// Removes files that were being made when a process ended, and makes the remaining names durable:
/// a process may have ended between a rename and its sync.
fn settle_folder(disk: &dyn Disk, folder: &str) -> Result<(), StoreError> {
    let names = list_folder(disk, folder)?;

    for name in names.iter().filter(|name| name.ends_with(".tmp")) {
        let separator = if folder.is_empty() { "" } else { "/" };
        remove_if_there(disk, &format!("{folder}{separator}{name}"))?;
    }

    // A folder without files may be absent, and then cannot be synced.
    if names.is_empty() {
        return Ok(());
    }

    disk.sync_dir(folder)
        .map_err(failed(disk, Operation::SyncDir, folder))
}
