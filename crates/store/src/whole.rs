//! Files that are written whole: after a crash either the old content is there or the new one.

use std::io;

use crate::error::{Operation, StoreError};
use crate::{Disk, OpenMode};

/// Makes `bytes` the content of `name`: writes them beside it, syncs, renames over it, and syncs
/// the folder.
pub(crate) fn write_whole(disk: &dyn Disk, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
    let temporary = format!("{name}.tmp");
    let failed = |operation| failed(disk, operation, &temporary);

    remove_if_there(disk, &temporary)?;

    // The content must be durable before the name is: a rename must not show an unfinished file.
    let mut file = disk
        .open(&temporary, OpenMode::New)
        .map_err(failed(Operation::Open))?;
    file.write_at(0, bytes).map_err(failed(Operation::Write))?;
    file.sync().map_err(failed(Operation::Sync))?;
    drop(file);

    disk.rename(&temporary, name)
        .map_err(failed(Operation::Rename))?;
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

    let length = file.length().map_err(failed(disk, Operation::Read, name))?;
    if length > limit as u64 {
        return Err(StoreError::TooLarge {
            bytes: length,
            limit: limit as u64,
        });
    }

    let mut bytes = vec![0; length as usize];
    let filled = file
        .read_at(0, &mut bytes)
        .map_err(failed(disk, Operation::Read, name))?;

    bytes.truncate(filled);
    Ok(Some(bytes))
}

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
