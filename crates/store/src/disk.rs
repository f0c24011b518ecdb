//! The few file operations the crate needs, small enough for a simulator to implement.

use std::io;
use std::sync::Arc;

/// A folder. Names are relative, with `/` between their parts, at most one folder deep
/// (`blocks.log`, `wal/000001.log`).
///
/// What an implementation may do to its caller, and the crate survives: lose or tear, in any
/// subset, writes to a file that were not followed by [`DiskFile::sync`]; undo creations, renames
/// and removals that were not followed by [`Disk::sync_dir`]; fail any operation. What it may
/// not do, and what becomes of it if it does all the same, stands in the [crate](crate)'s
/// documentation: spoil or misplace what was written, report a sync that was not done.
pub trait Disk: Send + Sync {
    /// Opens a file; the folder in its name is made if it is absent.
    ///
    /// # Errors
    /// `NotFound` with [`OpenMode::Existing`], `AlreadyExists` with [`OpenMode::New`], and what the
    /// system says.
    fn open(&self, name: &str, mode: OpenMode) -> io::Result<Box<dyn DiskFile>>;

    /// Renames a file, replacing `to`. Both names are in the same folder.
    ///
    /// # Errors
    /// What the system says.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Removes a file.
    ///
    /// # Errors
    /// What the system says.
    fn remove(&self, name: &str) -> io::Result<()>;

    /// Names of the files in `dir` (`""` is the folder itself), without `dir`, sorted. Empty if
    /// `dir` is absent.
    ///
    /// # Errors
    /// What the system says.
    fn list(&self, dir: &str) -> io::Result<Vec<String>>;

    /// Makes creations, renames and removals in `dir` durable, and `dir` itself.
    ///
    /// # Errors
    /// What the system says. The caller must not go on.
    fn sync_dir(&self, dir: &str) -> io::Result<()>;

    /// Takes the exclusive lock on the folder; dropping the last clone of the result
    /// gives it back.
    ///
    /// # Errors
    /// `WouldBlock` if it is held, by this process or another.
    fn lock(&self) -> io::Result<FolderLock>;

    /// `name` as an operator can find it, for messages; `""` is the folder itself.
    fn path(&self, name: &str) -> String;
}

/// The exclusive lock on a folder, held until the last clone is dropped.
pub type FolderLock = Arc<dyn Send + Sync>;

/// How [`Disk::open`] treats a file that is there or is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpenMode {
    /// It must be there.
    Existing,
    /// It must not be there; it is made, readable by its owner alone.
    New,
}

/// An open file.
pub trait DiskFile: Send {
    /// Its length in bytes.
    ///
    /// # Errors
    /// What the system says.
    fn length(&self) -> io::Result<u64>;

    /// Fills `buffer` from `offset` on, as far as the file goes; how many bytes were filled.
    ///
    /// # Errors
    /// What the system says.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize>;

    /// Writes all of `bytes` at `offset`, growing the file as needed. Not durable before
    /// [`Self::sync`].
    ///
    /// # Errors
    /// What the system says; some of the bytes may have been written.
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()>;

    /// Cuts the file to `length` bytes.
    ///
    /// # Errors
    /// What the system says.
    fn truncate(&mut self, length: u64) -> io::Result<()>;

    /// Makes content and length durable (`fdatasync`).
    ///
    /// # Errors
    /// What the system says; the content is then unknown, and another try proves nothing.
    fn sync(&mut self) -> io::Result<()>;
}
