//! A disk in memory that can lose what was not synced, tear it, and fail.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::memory_state::{Change, FileId, State};
use crate::{Disk, DiskFile, FolderLock, OpenMode};

/// A folder in memory that knows what was synced. Clones are the same folder.
///
/// [`crash`](Self::crash) is a power cut: handles and locks from before are dead, and of what was
/// not synced survives what [`Tear`] says. [`kill`](Self::kill) ends the process alone. Operations
/// that change something are counted from 0 (open of a new file, write, truncate, rename, remove,
/// sync, sync of a folder), so that a test can fail each of them in turn.
#[derive(Clone, Default)]
pub struct MemoryDisk {
    state: Arc<Mutex<State>>,
}

/// What survives a crash of what was written and not synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tear {
    /// Nothing.
    Nothing,
    /// Everything.
    Everything,
    /// The first so many bytes in the order of writing; a change of a name or length counts as one.
    Prefix(u64),
    /// Each sector lands, is lost or becomes garbage by coins thrown from `seed`. Names change in
    /// their order, up to some point.
    Sectors {
        /// Where the coins start.
        seed: u64,
        /// Bytes that share one fate, at least 1.
        bytes: usize,
    },
}

/// How an operation fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It does nothing and fails, once. A sync that fails also loses, for good, what it was to make
    /// durable, while reads still show it: so does the page cache of Linux.
    Error,
    /// A write writes so many bytes and fails; other operations fail as with `Error`.
    ShortWrite(usize),
    /// It fails, and so does every later operation until [`MemoryDisk::crash`] or `kill`. What it
    /// was to write is written and not synced.
    PowerOff,
}

impl MemoryDisk {
    /// An empty folder.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many changing operations were done or failed.
    pub fn operations(&self) -> u64 {
        self.state().operations
    }

    /// Lets the changing operation number `operation` fail. Replaces an earlier order.
    pub fn fail_at(&self, operation: u64, fault: Fault) {
        self.state().fault = Some((operation, fault));
    }

    /// The process ends and the system goes on: nothing is lost, and what was not synced still is
    /// not.
    pub fn kill(&self) {
        self.state().kill();
    }

    /// Power is cut; what survives is durable, and the folder can be opened again.
    pub fn crash(&self, tear: Tear) {
        self.state().crash(tear);
    }

    /// What a reader sees in a file, `None` if it is absent.
    pub fn contents(&self, name: &str) -> Option<Vec<u8>> {
        let state = self.state();
        state.names.get(name).and_then(|file| state.files.get(file)).map(|file| file.seen.clone())
    }

    /// Replaces a file behind the back of its user, durably, as a decaying disk does. Makes it if
    /// it is absent.
    pub fn overwrite(&self, name: &str, bytes: &[u8]) {
        self.state().overwrite(name, bytes);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Disk for MemoryDisk {
    fn open(&self, name: &str, mode: OpenMode) -> io::Result<Box<dyn DiskFile>> {
        let mut state = self.state();
        state.check_power()?;
        let file = match (mode, state.names.get(name).copied()) {
            (OpenMode::Existing, Some(file)) => file,
            (OpenMode::Existing, None) => return Err(io::ErrorKind::NotFound.into()),
            (OpenMode::New, Some(_)) => return Err(io::ErrorKind::AlreadyExists.into()),
            (OpenMode::New, None) => state.create(name)?,
        };
        let epoch = state.epoch;
        Ok(Box::new(MemoryFile { disk: self.clone(), file, epoch }))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.state();
        state.check_exists(from)?;
        state.change(Change::Rename { from: from.to_owned(), to: to.to_owned() })
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut state = self.state();
        state.check_exists(name)?;
        state.change(Change::Remove { name: name.to_owned() })
    }

    fn list(&self, dir: &str) -> io::Result<Vec<String>> {
        let state = self.state();
        state.check_power()?;
        let inside = |name: &String| {
            let (folder, base) = name.rsplit_once('/').unwrap_or(("", name));
            (folder == dir).then(|| base.to_owned())
        };
        Ok(state.names.keys().filter_map(inside).collect())
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
        Ok(Arc::new(Held { disk: self.clone(), epoch: state.epoch }))
    }

    fn path(&self, name: &str) -> String {
        if name.is_empty() { "memory".to_owned() } else { format!("memory/{name}") }
    }
}

/// The lock; a crash ends it too.
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
    /// The state, if no crash has ended this handle.
    fn state(&self) -> io::Result<MutexGuard<'_, State>> {
        let state = self.disk.state();
        state.check_power()?;
        if state.epoch == self.epoch { Ok(state) } else { Err(io::ErrorKind::BrokenPipe.into()) }
    }
}

impl DiskFile for MemoryFile {
    fn length(&self) -> io::Result<u64> {
        Ok(self.state()?.seen(self.file).len() as u64)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let state = self.state()?;
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        let rest = state.seen(self.file).get(start..).unwrap_or_default();
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }

    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let (file, bytes) = (self.file, bytes.to_vec());
        self.state()?.change(Change::Write { file, offset, bytes })
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
