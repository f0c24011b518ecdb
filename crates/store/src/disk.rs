//! The few file operations that the crate needs, small enough for a simulator to implement.

use std::io;
use std::sync::Arc;

/// A folder. Names are relative, with `/` between their parts, at most one folder deep
/// (`blocks.log`, `wal/000001.log`).
///
/// An implementation may do the following, and the crate survives it: lose or tear, in any subset,
/// writes to a file that were not followed by [`DiskFile::sync`]; undo creations, renames and
/// removals that were not followed by [`Disk::sync_dir`]; fail any operation. It must not spoil or
/// misplace written data, or report a sync that it did not do. The documentation of the
/// [crate](crate) says what happens if it does so all the same.
pub trait Disk: Send + Sync {
    /// Opens a file; makes the folder in its name if it is absent.
    ///
    /// # Errors
    /// `NotFound` with [`OpenMode::Existing`], `AlreadyExists` with [`OpenMode::New`], and the
    /// errors of the system.
    fn open(&self, name: &str, mode: OpenMode) -> io::Result<Box<dyn DiskFile>>;

    /// Renames a file, replacing `to`. Both names are in the same folder.
    ///
    /// # Errors
    /// The errors of the system.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Removes a file.
    ///
    /// # Errors
    /// The errors of the system.
    fn remove(&self, name: &str) -> io::Result<()>;

    /// The names of the files in `dir` (`""` is the folder itself), without `dir`, sorted. Empty if
    /// `dir` is absent.
    ///
    /// # Errors
    /// The errors of the system.
    fn list(&self, dir: &str) -> io::Result<Vec<String>>;

    /// Makes creations, renames and removals in `dir` durable, and `dir` itself.
    ///
    /// # Errors
    /// The errors of the system. The caller must not go on.
    fn sync_dir(&self, dir: &str) -> io::Result<()>;

    /// Takes the exclusive lock on the folder. Dropping the last clone of the result releases it.
    ///
    /// # Errors
    /// `WouldBlock` if the lock is held, by this process or another.
    fn lock(&self) -> io::Result<FolderLock>;

    /// `name` as an operator can find it, for messages; `""` is the folder itself.
    fn path(&self, name: &str) -> String;
}

/// The exclusive lock on a folder, held until the last clone is dropped.
pub type FolderLock = Arc<dyn Send + Sync>;

/// The way in which [`Disk::open`] treats a file that exists or does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpenMode {
    /// The file must exist.
    Existing,
    /// The file must not exist. It is made, readable by its owner alone.
    New,
}

/// An open file of a [`Disk`].
pub trait DiskFile: Send {
    /// The length of the file in bytes.
    ///
    /// # Errors
    /// The errors of the system.
    fn length(&self) -> io::Result<u64>;

    /// Fills `buffer` from `offset` on, as far as the file goes, and returns the number of bytes
    /// that were filled.
    ///
    /// # Errors
    /// The errors of the system.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize>;

    /// Writes all of `bytes` at `offset`, growing the file as needed. They are not durable before
    /// [`Self::sync`].
    ///
    /// # Errors
    /// The errors of the system; some of the bytes may have been written.
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()>;

    /// Cuts the file to `length` bytes.
    ///
    /// # Errors
    /// The errors of the system.
    fn truncate(&mut self, length: u64) -> io::Result<()>;

    /// Makes content and length durable (`fdatasync`).
    ///
    /// # Errors
    /// The errors of the system. The content is unknown then, and another try proves nothing.
    fn sync(&mut self) -> io::Result<()>;
}
