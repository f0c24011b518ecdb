//! Files that are written whole: after a crash either the old content is there or the new one. And
//! the operations of a disk, with their errors.

use std::io;

use crate::error::{Operation, StoreError};
use crate::{Disk, DiskFile, FolderLock, OpenMode};

/// Makes `bytes` the content of `name`: writes them beside it, syncs, renames over it, and syncs
/// the folder.
pub(crate) fn write_whole(disk: &dyn Disk, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
    let temporary = format!("{name}.tmp");
    let failed = |operation| failed(disk, operation, &temporary);

    // A process that ended may have left one.
    remove_if_there(disk, &temporary)?;

    let mut file = open_file(disk, &temporary, OpenMode::New)?;
    let written = file.write_at(0, bytes);
    written.map_err(failed(Operation::Write))?;

    // The content must be durable before the name is: a rename must not show an unfinished file.
    let synced = file.sync();
    synced.map_err(failed(Operation::Sync))?;
    drop(file);

    let renamed = disk.rename(&temporary, name);
    renamed.map_err(failed(Operation::Rename))?;
    sync_folder_of(disk, name)
}

/// The whole content of a file of at most `limit` bytes; `None` if the file is absent.
pub(crate) fn read_whole(
    disk: &dyn Disk,
    name: &str,
    limit: usize,
) -> Result<Option<Vec<u8>>, StoreError> {
    let file = match disk.open(name, OpenMode::Existing) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file.map_err(failed(disk, Operation::Open, name))?,
    };

    // A spoiled length must not ask for too much memory.
    let length = file.length();
    let length = length.map_err(failed(disk, Operation::Read, name))?;
    check_length(length, limit)?;

    let bytes = read_part(disk, name, &*file, 0, length as usize)?;
    Ok(Some(bytes))
}

/// Checks that a record, block or value is not longer than its limit.
pub(crate) fn check_length(bytes: u64, limit: usize) -> Result<(), StoreError> {
    let limit = limit as u64;
    if bytes > limit {
        return Err(StoreError::TooLarge { bytes, limit });
    }
    Ok(())
}

/// Opens or makes a file.
pub(crate) fn open_file(
    disk: &dyn Disk,
    name: &str,
    mode: OpenMode,
) -> Result<Box<dyn DiskFile>, StoreError> {
    let opened = disk.open(name, mode);
    opened.map_err(failed(disk, Operation::Open, name))
}

/// The bytes of a file from `offset` on: `length` of them, or fewer if the file ends.
pub(crate) fn read_part(
    disk: &dyn Disk,
    name: &str,
    file: &dyn DiskFile,
    offset: u64,
    length: usize,
) -> Result<Vec<u8>, StoreError> {
    let mut bytes = vec![0; length];
    let filled = file.read_at(offset, &mut bytes);
    bytes.truncate(filled.map_err(failed(disk, Operation::Read, name))?);
    Ok(bytes)
}

/// The names of the files in a folder.
pub(crate) fn list_folder(disk: &dyn Disk, folder: &str) -> Result<Vec<String>, StoreError> {
    let names = disk.list(folder);
    names.map_err(failed(disk, Operation::List, folder))
}

/// Removes a file, unless it is absent.
pub(crate) fn remove_if_there(disk: &dyn Disk, name: &str) -> Result<(), StoreError> {
    match disk.remove(name) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result.map_err(failed(disk, Operation::Remove, name)),
    }
}

/// Makes creations, renames and removals beside `name` durable.
pub(crate) fn sync_folder_of(disk: &dyn Disk, name: &str) -> Result<(), StoreError> {
    let folder = name.rsplit_once('/').map_or("", |(folder, _)| folder);
    disk.sync_dir(folder)
        .map_err(failed(disk, Operation::SyncDir, folder))
}

/// Takes the lock of a folder.
pub(crate) fn take_lock(disk: &dyn Disk) -> Result<FolderLock, StoreError> {
    disk.lock().map_err(|error| match error.kind() {
        io::ErrorKind::WouldBlock => StoreError::Locked {
            path: disk.path(""),
        },
        _ => failed(disk, Operation::Lock, "lock")(error),
    })
}

/// Makes the error of a failed operation on `name`.
pub(crate) fn failed(
    disk: &dyn Disk,
    operation: Operation,
    name: &str,
) -> impl Fn(io::Error) -> StoreError + use<> {
    let path = disk.path(name);

    move |source| StoreError::Disk {
        operation,
        path: path.clone(),
        source,
    }
}
