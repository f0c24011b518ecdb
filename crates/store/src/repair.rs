//! Repair: cuts damaged files at their first damage, and keeps a copy of everything it takes away.

use std::sync::Arc;

use crate::blocks::{BLOCKS_NAME, lost_from, scan_blocks};
use crate::error::{Operation, StoreError};
use crate::frame::HEADER_BYTES;
use crate::guard::take_lock;
use crate::log::{Context, StoreConfig};
use crate::wal::{Sealed, logged_height, scan_segment, segment_name, segment_numbers};
use crate::whole::{failed, sync_folder_of};
use crate::{CrashPoints, Disk, Meta, OpenMode};

/// The number of bytes that are copied at once.
const CHUNK_BYTES: usize = 64 * 1024;

/// A file that [`repair`] changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repaired {
    /// The file that was changed.
    pub path: String,
    /// The name under which the file is kept as it was.
    pub kept: String,
    /// The number of its bytes that stay in use; 0 if the whole file was taken away.
    pub length: u64,
}

/// Mends a folder that [`Store::open`](crate::Store::open) refuses as damaged: cuts the log and the
/// blocks at their first damage, and takes away later segments and unreadable values. Everything is
/// kept as `NAME.damaged.N`. The result is empty if nothing was damaged. The folder must not be
/// open.
///
/// The data that it takes away from the log and the blocks had been durable. The node fetches the
/// blocks from its peers again, and its guard, which is never touched here, keeps it from signing
/// twice. If blocks are cut, or end below the log ([`StoreConfig::log_lead`]), the whole log goes
/// too, since it belongs to heights that the node has to reach again.
///
/// # Errors
/// [`StoreError::Locked`], [`StoreError::WrongSwarm`], [`StoreError::Unsupported`], or the disk
/// failed; then repair can be run again.
pub fn repair(disk: Arc<dyn Disk>, config: StoreConfig) -> Result<Vec<Repaired>, StoreError> {
    let _lock = take_lock(&*disk)?;
    let context = Context {
        disk,
        points: CrashPoints::default(),
        config,
    };

    let mut repaired = repair_wal(&context)?;
    repaired.extend(repair_blocks(&context)?);
    repaired.extend(repair_meta(&context)?);
    Ok(repaired)
}

fn repair_wal(context: &Context) -> Result<Vec<Repaired>, StoreError> {
    let numbers = segment_numbers(context)?;
    let mut before: Option<Sealed> = None;

    for (index, &number) in numbers.iter().enumerate() {
        let name = segment_name(number);
        let later = numbers.get(index + 1..).unwrap_or_default();

        match scan_segment(context, before.as_ref(), number) {
            // Only the last segment may have a torn tail: `Store::open` cuts that one.
            Ok((_, scanned)) if scanned.torn == 0 || later.is_empty() => {
                let (progress, end) = (scanned.progress, scanned.end);
                before = Some(Sealed {
                    number,
                    progress,
                    end,
                });
            }

            Ok((_, scanned)) => return cut_segment(context, &name, scanned.end, later),

            Err(StoreError::Damaged { path, offset, .. }) => {
                // The offset may be in the segment before, which ends too early for this one.
                let offset = if path == context.disk.path(&name) {
                    offset
                } else {
                    0
                };
                return cut_segment(context, &name, offset, later);
            }
            Err(error) => return Err(error),
        }
    }

    Ok(Vec::new())
}

/// Cuts a segment and takes away the segments behind it.
fn cut_segment(
    context: &Context,
    name: &str,
    offset: u64,
    later: &[u64],
) -> Result<Vec<Repaired>, StoreError> {
    let disk = &*context.disk;

    // Newest first, so that a crash leaves no gap between segments.
    let aside = later
        .iter()
        .rev()
        .map(|&number| set_aside(disk, &segment_name(number)));
    let mut repaired = aside.collect::<Result<Vec<_>, _>>()?;

    repaired.push(cut(disk, name, offset)?);
    repaired.reverse();
    Ok(repaired)
}

/// Repairs the blocks. If blocks are gone, the whole log goes too: the node begins a new one at the
/// end of the blocks.
fn repair_blocks(context: &Context) -> Result<Vec<Repaired>, StoreError> {
    let disk = &*context.disk;

    let cut_at = match scan_blocks(context) {
        Err(StoreError::Damaged { offset, .. }) => Some(offset),
        Err(error) => return Err(error),
        Ok(found) => {
            let lost = lost_from(context, found.as_ref(), logged_height(context)?);
            if lost.is_none() {
                return Ok(Vec::new());
            }
            lost.filter(|_| found.is_some_and(|found| found.scanned.torn > 0))
        }
    };

    let numbers = segment_numbers(context)?;
    // Oldest first: after a crash the rest of the log is still above the blocks, which is noticed
    // again.
    let aside = numbers
        .iter()
        .map(|number| set_aside(disk, &segment_name(*number)));
    let mut repaired = aside.collect::<Result<Vec<_>, _>>()?;

    repaired.extend(
        cut_at
            .map(|offset| cut(disk, BLOCKS_NAME, offset))
            .transpose()?,
    );

    Ok(repaired)
}

fn repair_meta(context: &Context) -> Result<Vec<Repaired>, StoreError> {
    let disk = &*context.disk;
    let meta = Meta::new(context.disk.clone(), CrashPoints::default());
    let mut repaired = Vec::new();

    for name in disk
        .list("meta")
        .map_err(failed(disk, Operation::List, "meta"))?
    {
        match meta.get(&name) {
            Err(StoreError::Damaged { .. } | StoreError::TooLarge { .. }) => {
                repaired.push(set_aside(disk, &format!("meta/{name}"))?);
            }
            // A file with another name is not a value of this crate.
            Err(StoreError::BadName { .. }) | Ok(_) => {}
            Err(error) => return Err(error),
        }
    }

    Ok(repaired)
}

/// Cuts a file to `length` bytes and keeps a copy. A file without a complete header is taken away.
fn cut(disk: &dyn Disk, name: &str, length: u64) -> Result<Repaired, StoreError> {
    if length < HEADER_BYTES as u64 {
        return set_aside(disk, name);
    }

    // The copy comes first, so that a crash cannot lose the bytes that are cut.
    let kept = free_name(disk, name)?;
    copy(disk, name, &kept)?;

    let mut file =
        disk.open(name, OpenMode::Existing)
            .map_err(failed(disk, Operation::Open, name))?;

    file.truncate(length)
        .map_err(failed(disk, Operation::Truncate, name))?;
    file.sync().map_err(failed(disk, Operation::Sync, name))?;

    Ok(Repaired {
        path: disk.path(name),
        kept: disk.path(&kept),
        length,
    })
}

fn set_aside(disk: &dyn Disk, name: &str) -> Result<Repaired, StoreError> {
    let kept = free_name(disk, name)?;

    disk.rename(name, &kept)
        .map_err(failed(disk, Operation::Rename, name))?;
    sync_folder_of(disk, name)?;

    Ok(Repaired {
        path: disk.path(name),
        kept: disk.path(&kept),
        length: 0,
    })
}

fn copy(disk: &dyn Disk, from: &str, to: &str) -> Result<(), StoreError> {
    let source =
        disk.open(from, OpenMode::Existing)
            .map_err(failed(disk, Operation::Open, from))?;
    let mut target = disk
        .open(to, OpenMode::New)
        .map_err(failed(disk, Operation::Open, to))?;

    let mut buffer = vec![0; CHUNK_BYTES];
    let mut offset = 0;

    loop {
        let filled =
            source
                .read_at(offset, &mut buffer)
                .map_err(failed(disk, Operation::Read, from))?;
        if filled == 0 {
            break;
        }

        let part = buffer.get(..filled).unwrap_or_default();
        target
            .write_at(offset, part)
            .map_err(failed(disk, Operation::Write, to))?;
        offset += filled as u64;
    }

    target.sync().map_err(failed(disk, Operation::Sync, to))?;
    sync_folder_of(disk, to)
}

/// The first of `NAME.damaged.1`, `NAME.damaged.2`, ... that is free.
fn free_name(disk: &dyn Disk, name: &str) -> Result<String, StoreError> {
    let (folder, base) = name.rsplit_once('/').unwrap_or(("", name));
    let taken = disk
        .list(folder)
        .map_err(failed(disk, Operation::List, folder))?;

    let mut number = 1;
    while taken.contains(&format!("{base}.damaged.{number}")) {
        number += 1;
    }

    Ok(format!("{name}.damaged.{number}"))
}
