//! Repair: cuts damaged files at their first damage, and keeps a copy of everything it takes away.

use std::sync::Arc;

use crate::blocks::{BLOCKS_NAME, lost_from, scan_blocks};
use crate::context::{Context, StoreConfig};
use crate::error::{Operation, StoreError};
use crate::frame::HEADER_BYTES;
use crate::wal::{Sealed, logged_height, scan_segment, segment_name, segment_numbers};
use crate::whole::{failed, list_folder, open_file, read_part, sync_folder_of, take_lock};
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
    let meta = Meta::new(disk.clone(), CrashPoints::default());
    let context = Context::new(disk, CrashPoints::default(), config);

    let mut repaired = repair_wal(&context)?;
    repaired.extend(repair_blocks(&context)?);
    repaired.extend(repair_meta(context.disk(), &meta)?);
    Ok(repaired)
}

/// Repairs the log, if a segment is damaged.
fn repair_wal(context: &Context) -> Result<Vec<Repaired>, StoreError> {
    let numbers = segment_numbers(context)?;
    let mut before: Option<Sealed> = None;

    for (index, &number) in numbers.iter().enumerate() {
        let name = segment_name(number);
        let later = numbers.get(index + 1..).unwrap_or_default();

        let scanned = match scan_segment(context, before.as_ref(), number) {
            Ok((_, scanned)) => scanned,

            Err(StoreError::Damaged { path, offset, .. }) => {
                // The damage may be in the segment before, which ends too early for this one.
                let is_here = path == context.disk().path(&name);
                let offset = if is_here { offset } else { 0 };
                return cut_segment(context, &name, offset, later);
            }

            Err(error) => return Err(error),
        };

        // Only the last segment may have a torn tail: `Store::open` cuts that one.
        let is_last = later.is_empty();
        if scanned.torn > 0 && !is_last {
            return cut_segment(context, &name, scanned.end, later);
        }

        before = Some(Sealed::new(number, scanned));
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
    let disk = context.disk();

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
    let disk = context.disk();
    let Some(loss) = find_loss(context)? else {
        return Ok(Vec::new());
    };

    // Oldest first: after a crash the rest of the log is still above the blocks, which is noticed
    // again.
    let aside = segment_numbers(context)?
        .into_iter()
        .map(|number| set_aside(disk, &segment_name(number)));
    let mut repaired = aside.collect::<Result<Vec<_>, _>>()?;

    if let Some(offset) = loss.cut_at {
        repaired.push(cut(disk, BLOCKS_NAME, offset)?);
    }

    Ok(repaired)
}

/// A loss of blocks that had been durable.
struct Loss {
    /// The offset at which the file of the blocks has to be cut; `None` if its content is good.
    cut_at: Option<u64>,
}

/// The loss in the file of the blocks, if there is one.
fn find_loss(context: &Context) -> Result<Option<Loss>, StoreError> {
    let found = match scan_blocks(context) {
        Err(StoreError::Damaged { offset, .. }) => {
            let cut_at = Some(offset);
            return Ok(Some(Loss { cut_at }));
        }
        found => found?,
    };

    let logged = logged_height(context)?;
    let Some(end) = lost_from(context, found.as_ref(), logged) else {
        return Ok(None);
    };

    // If the file ends with a good record, there is nothing to cut from it.
    let is_torn = found.is_some_and(|found| found.is_torn());
    let cut_at = is_torn.then_some(end);
    Ok(Some(Loss { cut_at }))
}

/// Takes away the values that cannot be read.
fn repair_meta(disk: &dyn Disk, meta: &Meta) -> Result<Vec<Repaired>, StoreError> {
    let mut repaired = Vec::new();

    for name in list_folder(disk, "meta")? {
        match meta.get(&name) {
            Err(StoreError::Damaged { .. } | StoreError::TooLarge { .. }) => {
                let file = format!("meta/{name}");
                repaired.push(set_aside(disk, &file)?);
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

    let mut file = open_file(disk, name, OpenMode::Existing)?;
    let truncated = file.truncate(length);
    truncated.map_err(failed(disk, Operation::Truncate, name))?;
    file.sync().map_err(failed(disk, Operation::Sync, name))?;

    Ok(Repaired {
        path: disk.path(name),
        kept: disk.path(&kept),
        length,
    })
}

/// Takes a file away: gives it another name.
fn set_aside(disk: &dyn Disk, name: &str) -> Result<Repaired, StoreError> {
    let kept = free_name(disk, name)?;

    // A rename loses nothing, whenever a crash comes.
    let renamed = disk.rename(name, &kept);
    renamed.map_err(failed(disk, Operation::Rename, name))?;
    sync_folder_of(disk, name)?;

    Ok(Repaired {
        path: disk.path(name),
        kept: disk.path(&kept),
        length: 0,
    })
}

/// Copies a file, durably.
fn copy(disk: &dyn Disk, from: &str, to: &str) -> Result<(), StoreError> {
    let source = open_file(disk, from, OpenMode::Existing)?;
    let mut target = open_file(disk, to, OpenMode::New)?;
    let mut offset = 0;

    // In pieces, because the file may be larger than the memory.
    loop {
        let part = read_part(disk, from, &*source, offset, CHUNK_BYTES)?;
        if part.is_empty() {
            break;
        }

        let written = target.write_at(offset, &part);
        written.map_err(failed(disk, Operation::Write, to))?;
        offset += part.len() as u64;
    }

    target.sync().map_err(failed(disk, Operation::Sync, to))?;
    sync_folder_of(disk, to)
}

/// The first of `NAME.damaged.1`, `NAME.damaged.2`, ... that is free.
fn free_name(disk: &dyn Disk, name: &str) -> Result<String, StoreError> {
    let (folder, base) = name.rsplit_once('/').unwrap_or(("", name));
    let taken = list_folder(disk, folder)?;

    let mut number = 1;
    while taken.contains(&format!("{base}.damaged.{number}")) {
        number += 1;
    }

    Ok(format!("{name}.damaged.{number}"))
}
