//! A disk in memory that can lose unsynced changes, tear them, and fail.

mod change;
mod fate;
mod fault;
mod state;

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::{Disk, DiskFile, FolderLock, OpenMode};

pub use fault::{Fault, FaultKind, Syncs, Tear};

use change::{Change, FileId};
use state::DiskState;

/// A folder in memory that knows which changes were synced. Clones are the same folder.
///
/// [`crash`](Self::crash) is a power cut: handles and locks from before are dead, and [`Tear`] says
/// which unsynced changes survive. [`kill`](Self::kill) ends only the process. Operations that
/// change something are counted from 0 (open of a new file, write, truncate, rename, remove, sync,
/// sync of a folder), so that a test can fail each of them in turn.
///
/// | Fault | Here |
/// |---|---|
/// | torn write | [`crash`](Self::crash) with [`Tear::Prefix`], [`Tear::Sectors`] (subset) |
/// | fsync error | [`Fault::SyncError`]; [`Fault::Error`] for any operation |
/// | fsync lie | [`Fault::SyncLie`] once, [`set_syncs`](Self::set_syncs) for a period |
/// | misdirected write | [`Fault::ShiftedWrite`], [`Fault::StrayWrite`] |
/// | full | [`set_capacity`](Self::set_capacity) |
/// | slow | a driver charges time per [`syncs`](Self::syncs): the disk itself has no time |
/// | wiped | [`wipe`](Self::wipe) |
/// | failed read, bit flipped in a read | [`Fault::ReadError`], [`Fault::FlippedRead`] |
/// | decay | [`overwrite`](Self::overwrite) |
/// | a file lost | [`lose`](Self::lose) |
///
/// The same calls always give the same bytes and the same failures.
#[derive(Clone, Default)]
pub struct MemoryDisk {
    state: Arc<Mutex<DiskState>>,
}

impl MemoryDisk {
    /// An empty folder, without faults and without limit.
    pub fn new() -> Self {
        Self::default()
    }

    /// The number of changing operations that were done or failed.
    pub fn operations(&self) -> u64 {
        self.state().operations
    }

    /// The number of syncs of files and folders that were asked for, among the operations. It
    /// includes those that failed or lied.
    pub fn syncs(&self) -> u64 {
        self.state().syncs
    }

    /// The number of times that bytes of a file were read. Reads do not count as operations.
    pub fn reads(&self) -> u64 {
        self.state().reads
    }

    /// Lets `fault` befall the first operation that it can befall, from the changing operation
    /// number `operation` on; `operations()` means the next one. Faults of reads count reads
    /// instead: `reads()` means the next one.
    ///
    /// Orders add up, and each fires once. An order that has not fired by the next
    /// [`crash`](Self::crash), [`kill`](Self::kill) or [`wipe`](Self::wipe) never does.
    pub fn fail_at(&self, operation: u64, fault: Fault) {
        self.state().order(operation, fault);
    }

    /// Sets whether syncs make changes durable from now on, also over crashes. Changes that a lying
    /// sync covered are not lost: an honest one makes them durable.
    pub fn set_syncs(&self, syncs: Syncs) {
        self.state().sync_honesty = syncs;
    }

    /// Sets the bytes that all files may have together from now on, also over crashes; `u64::MAX`
    /// at first.
    ///
    /// A write that would exceed this writes as much as fits and fails with
    /// [`io::ErrorKind::StorageFull`]; making a file fails if there is no room left. Writes inside
    /// a file, renames, removals and syncs succeed. Removing files makes room.
    pub fn set_capacity(&self, bytes: u64) {
        self.state().capacity = bytes;
    }

    /// The bytes that all files have together, as a reader sees them.
    pub fn used(&self) -> u64 {
        self.state().used()
    }

    /// The number of faults that fired since the disk was made, by kind. A kind that did not fire
    /// has no entry.
    pub fn fired(&self) -> BTreeMap<FaultKind, u64> {
        self.state().fired.clone()
    }

    /// Ends the process, while the system goes on: nothing is lost, and unsynced changes stay
    /// unsynced.
    pub fn kill(&self) {
        self.state().kill();
    }

    /// Cuts the power. The changes that survive are durable, and the folder can be opened again.
    pub fn crash(&self, tear: Tear) {
        self.state().crash(tear);
    }

    /// Ends the process and removes every file, durably.
    pub fn wipe(&self) {
        self.state().wipe();
    }

    /// The names of all files, as a reader sees them, sorted.
    pub fn names(&self) -> Vec<String> {
        self.state().names.keys().cloned().collect()
    }

    /// The content that a reader sees in a file; `None` if the file is absent.
    pub fn contents(&self, name: &str) -> Option<Vec<u8>> {
        let state = self.state();
        state.names.get(name).map(|file| state.seen(*file).to_vec())
    }

    /// Replaces a file without the knowledge of its user, durably, as a decaying disk does. Makes
    /// the file if it is absent.
    pub fn overwrite(&self, name: &str, bytes: &[u8]) {
        self.state().overwrite(name, bytes);
    }

    /// Removes a file without the knowledge of its user, durably. Does nothing if the file is
    /// absent.
    pub fn lose(&self, name: &str) {
        self.state().lose(name);
    }

    /// The CRC-32C of every change and sync so far, in their order. Two disks with different
    /// checksums were not written alike.
    pub fn checksum(&self) -> u32 {
        self.state().checksum
    }

    fn state(&self) -> MutexGuard<'_, DiskState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Disk for MemoryDisk {
    fn open(&self, name: &str, mode: OpenMode) -> io::Result<Box<dyn DiskFile>> {
        let mut state = self.state();
        let file = state.open(name, mode)?;

        Ok(Box::new(MemoryFile {
            disk: self.clone(),
            file,
            epoch: state.epoch,
        }))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.state();
        state.check_exists(from)?;
        state.change(Change::Rename {
            from: from.to_owned(),
            to: to.to_owned(),
        })
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut state = self.state();
        state.check_exists(name)?;
        state.change(Change::Remove {
            name: name.to_owned(),
        })
    }

    fn list(&self, dir: &str) -> io::Result<Vec<String>> {
        let state = self.state();
        state.check_power()?;

        let names = state.names.keys();
        let inside = names.filter_map(|name| base_in(name, dir));
        Ok(inside.map(str::to_owned).collect())
    }

    fn sync_dir(&self, dir: &str) -> io::Result<()> {
        self.state().sync(|change| change.is_in_folder(dir))
    }

    fn lock(&self) -> io::Result<FolderLock> {
        let mut state = self.state();
        state.check_power()?;

        if state.locked {
            return Err(io::ErrorKind::WouldBlock.into());
        }

        state.locked = true;
        Ok(Arc::new(Held {
            disk: self.clone(),
            epoch: state.epoch,
        }))
    }

    fn path(&self, name: &str) -> String {
        if name.is_empty() {
            "memory".to_owned()
        } else {
            format!("memory/{name}")
        }
    }
}

/// The part of a name behind its folder, if that is `dir`.
fn base_in<'a>(name: &'a str, dir: &str) -> Option<&'a str> {
    let (folder, base) = name.rsplit_once('/').unwrap_or(("", name));
    (folder == dir).then_some(base)
}

/// The lock on the folder; a crash ends it too.
struct Held {
    disk: MemoryDisk,
    epoch: u64,
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut state = self.disk.state();
        if state.epoch == self.epoch {
            state.locked = false;
        }
    }
}

struct MemoryFile {
    disk: MemoryDisk,
    file: FileId,
    epoch: u64,
}

impl MemoryFile {
    /// The state of the disk, if no crash has ended this handle.
    fn state(&self) -> io::Result<MutexGuard<'_, DiskState>> {
        let state = self.disk.state();
        state.check_power()?;
        if state.epoch == self.epoch {
            Ok(state)
        } else {
            Err(io::ErrorKind::BrokenPipe.into())
        }
    }
}

impl DiskFile for MemoryFile {
    fn length(&self) -> io::Result<u64> {
        Ok(self.state()?.seen(self.file).len() as u64)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.state()?.read(self.file, offset, buffer)
    }

    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let change = Change::write(self.file, offset, bytes);
        self.state()?.change(change)
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        let file = self.file;
        self.state()?.change(Change::Truncate { file, length })
    }

    fn sync(&mut self) -> io::Result<()> {
        let file = self.file;
        self.state()?.sync(|change| change.is_of_file(file))
    }
}
