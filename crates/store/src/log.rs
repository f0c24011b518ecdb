//! One append-only file of records, which the log's segments and the blocks have in common.

use crate::context::Context;
use crate::error::{Operation, StoreError};
use crate::frame::{
    FRAME_BYTES, Frame, HEADER_BYTES, Header, HeaderFault, MAX_PAYLOAD_BYTES, VERSION,
};
use crate::scan::{ScanFault, ScanPosition, Scanned, scan};
use crate::whole::{check_length, failed, open_file, read_part, write_whole};
use crate::{Disk, DiskFile, OpenMode};

/// The bytes of pending records above which a batch is written, not yet synced, before
/// [`LogFile::sync`].
const MAX_PENDING_BYTES: usize = 1024 * 1024;

/// A torn tail that was cut when a file was opened. It had not been synced, so nobody relied on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cut {
    /// The file that was cut.
    pub path: String,
    /// The number of bytes that were cut; never 0.
    pub bytes: u64,
}

/// The marks that tell the log's segments from the blocks.
pub(crate) struct LogFormat {
    magic: [u8; 8],
    /// The crash points before and after a write, then before and after a sync.
    points: [&'static str; 4],
}

/// The format of the segments of the write-ahead log.
pub(crate) const WAL: LogFormat = LogFormat {
    magic: *b"QRTWAL\r\n",
    points: [
        "wal.append.before",
        "wal.append.after",
        "wal.sync.before",
        "wal.sync.after",
    ],
};

/// The format of the file of the blocks.
pub(crate) const BLOCKS: LogFormat = LogFormat {
    magic: *b"QRTBLK\r\n",
    points: [
        "block.append.before",
        "block.append.after",
        "block.sync.before",
        "block.sync.after",
    ],
};

/// An open log file with its header.
pub(crate) struct OpenLog {
    file: Box<dyn DiskFile>,
    header: Header,
}

impl OpenLog {
    /// The sequence that its first record has.
    pub(crate) fn first_sequence(&self) -> u64 {
        self.header.first_sequence
    }

    /// The file, and the seed of the checksums of its records.
    pub(crate) fn into_parts(self) -> (Box<dyn DiskFile>, u32) {
        let seed = self.header.seed();
        (self.file, seed)
    }
}

/// A log file that is written to.
///
/// Any number of [`Self::append`], then one [`Self::sync`], write one batch. A failed write or sync
/// poisons the file.
pub(crate) struct LogFile {
    context: Context,
    format: &'static LogFormat,
    name: String,
    file: Box<dyn DiskFile>,
    seed: u32,
    /// The offset behind the last written byte.
    end: u64,
    /// Records that follow `end` and are not written yet.
    pending: Vec<u8>,
    progress: ScanPosition,
    /// The first sequence that no sync covers.
    unsynced: u64,
    poisoned: bool,
}

impl LogFile {
    /// Makes the file, durably, for records from `progress` on.
    pub(crate) fn create(
        context: &Context,
        format: &'static LogFormat,
        name: &str,
        progress: ScanPosition,
    ) -> Result<Self, StoreError> {
        let header = Header {
            magic: format.magic,
            salt: context.config().salt,
            swarm: context.config().swarm,
            first_sequence: progress.next,
        };
        write_whole(context.disk(), name, &header.encode())?;

        let opened = open_log(context, format, name)?;
        let opened = OpenLog { header, ..opened };
        let scanned = Scanned {
            progress,
            end: HEADER_BYTES as u64,
            torn: 0,
        };

        Ok(Self::new(context, format, name, opened, scanned))
    }

    /// Takes over a file that was opened and scanned: cuts its torn tail and syncs the rest,
    /// because so far the content that was read may be only in the cache of the system.
    pub(crate) fn recover(
        context: &Context,
        format: &'static LogFormat,
        name: &str,
        mut opened: OpenLog,
        scanned: Scanned,
    ) -> Result<(Self, Option<Cut>), StoreError> {
        let disk = context.disk();
        let file = &mut opened.file;

        let cut = (scanned.torn > 0).then(|| Cut {
            path: disk.path(name),
            bytes: scanned.torn,
        });

        // Cut before the sync, so that no new record ever follows torn bytes.
        if cut.is_some() {
            let truncated = file.truncate(scanned.end);
            truncated.map_err(failed(disk, Operation::Truncate, name))?;
        }

        file.sync().map_err(failed(disk, Operation::Sync, name))?;

        let log = Self::new(context, format, name, opened, scanned);
        Ok((log, cut))
    }

    /// Takes over a file whose content is durable.
    fn new(
        context: &Context,
        format: &'static LogFormat,
        name: &str,
        opened: OpenLog,
        scanned: Scanned,
    ) -> Self {
        let next = scanned.progress.next;

        Self {
            context: context.clone(),
            format,
            name: name.to_owned(),
            file: opened.file,
            seed: opened.header.seed(),
            end: scanned.end,
            pending: Vec::new(),
            unsynced: next,
            // Everything read so far is durable, so the next record begins a new batch.
            progress: ScanPosition {
                batch: next,
                ..scanned.progress
            },
            poisoned: false,
        }
    }

    /// Adds a record whose payload is the concatenation of `parts`. Returns the offset at which its
    /// frame will stand.
    pub(crate) fn append(
        &mut self,
        kind: u8,
        height: u64,
        parts: &[&[u8]],
    ) -> Result<u64, StoreError> {
        self.check_sound()?;
        self.check_height(height)?;
        let frame = self.frame(kind, height, parts)?;

        let offset = self.end + self.pending.len() as u64;
        self.pending.extend_from_slice(&frame.encode(self.seed));
        for part in parts {
            self.pending.extend_from_slice(part);
        }

        // The record counts from here on, though it is not written yet: `sync` writes what is
        // pending.
        self.progress = ScanPosition {
            next: frame.sequence.saturating_add(1),
            batch: frame.batch,
            height,
        };

        if self.pending.len() > MAX_PENDING_BYTES {
            self.write()?;
        }

        Ok(offset)
    }

    /// Checks that a height is not lower than that of the last record.
    fn check_height(&self, height: u64) -> Result<(), StoreError> {
        let expected = self.progress.height;
        if height < expected {
            return Err(StoreError::WrongHeight {
                expected,
                found: height,
            });
        }
        Ok(())
    }

    /// The frame of the next record, whose payload is the concatenation of `parts`.
    fn frame(&self, kind: u8, height: u64, parts: &[&[u8]]) -> Result<Frame, StoreError> {
        let lengths = parts.iter().map(|part| part.len());
        let length = lengths.fold(0, usize::saturating_add);
        check_length(length as u64, MAX_PAYLOAD_BYTES)?;

        // The seed binds the payload to this file.
        let payload_crc = parts
            .iter()
            .fold(self.seed, |crc, part| crc32c::crc32c_append(crc, part));

        Ok(Frame {
            length: length as u32,
            sequence: self.progress.next,
            batch: self.progress.batch,
            height,
            kind,
            payload_crc,
        })
    }

    /// Writes the pending records, without making them durable.
    pub(crate) fn write(&mut self) -> Result<(), StoreError> {
        self.check_sound()?;
        if self.pending.is_empty() {
            return Ok(());
        }

        let [before, after, ..] = self.format.points;

        self.context.points().pass(before);
        let result = self.file.write_at(self.end, &self.pending);
        self.finish(Operation::Write, result)?;
        self.context.points().pass(after);

        // Only after the write has succeeded: a failed one poisons the file, with `end` as it was.
        self.end += self.pending.len() as u64;
        self.pending.clear();
        Ok(())
    }

    /// Makes every record durable and ends the batch. Does nothing if there are no new records.
    pub(crate) fn sync(&mut self) -> Result<(), StoreError> {
        self.write()?;

        if self.unsynced == self.progress.next {
            return Ok(());
        }

        // One sync covers the whole batch (group commit), so the next record begins a new one.
        let [.., before, after] = self.format.points;
        self.context.points().pass(before);
        let result = self.file.sync();
        self.finish(Operation::Sync, result)?;
        self.context.points().pass(after);

        self.unsynced = self.progress.next;
        self.progress.batch = self.progress.next;
        Ok(())
    }

    /// The record whose frame stands at `offset`, which must have been written.
    pub(crate) fn read(&self, offset: u64) -> Result<(Frame, Vec<u8>), StoreError> {
        self.check_sound()?;
        read_record(&self.context, &self.name, &*self.file, self.seed, offset)
    }

    pub(crate) fn progress(&self) -> &ScanPosition {
        &self.progress
    }

    /// The sequence below which everything is durable.
    pub(crate) fn durable(&self) -> u64 {
        self.unsynced
    }

    /// The length of the written part, in bytes.
    pub(crate) fn end(&self) -> u64 {
        self.end
    }

    pub(crate) fn check_sound(&self) -> Result<(), StoreError> {
        if self.poisoned {
            return Err(StoreError::Poisoned {
                path: self.context.disk().path(&self.name),
            });
        }
        Ok(())
    }

    /// Marks a failure, after which nothing may be tried again.
    pub(crate) fn poison(&mut self) {
        self.poisoned = true;
    }

    /// Turns the result of an operation into that of this crate. A failure poisons the file.
    fn finish(
        &mut self,
        operation: Operation,
        result: std::io::Result<()>,
    ) -> Result<(), StoreError> {
        self.poisoned |= result.is_err();

        result.map_err(|source| {
            let path = self.context.disk().path(&self.name);
            StoreError::Disk {
                operation,
                path,
                source,
            }
        })
    }
}

/// Opens a log file and reads its header. A new file gets its name after its header was synced, so
/// a header that cannot be read is damage, never a torn creation.
pub(crate) fn open_log(
    context: &Context,
    format: &LogFormat,
    name: &str,
) -> Result<OpenLog, StoreError> {
    let disk = context.disk();
    let file = open_file(disk, name, OpenMode::Existing)?;
    let bytes = read_part(disk, name, &*file, 0, HEADER_BYTES)?;

    let header = Header::decode(&bytes, &format.magic).map_err(|fault| match fault {
        HeaderFault::Damaged => damaged(disk, name, 0),
        HeaderFault::Version(found) => StoreError::Unsupported {
            path: disk.path(name),
            found,
            supported: VERSION,
        },
    })?;

    // A file that was copied here from the folder of another swarm must not be used.
    check_swarm(disk, name, &context.config().swarm, &header.swarm)?;
    Ok(OpenLog { file, header })
}

/// Checks that a file is of the swarm that is expected.
pub(crate) fn check_swarm(
    disk: &dyn Disk,
    name: &str,
    expected: &[u8; 32],
    found: &[u8; 32],
) -> Result<(), StoreError> {
    if found != expected {
        return Err(StoreError::WrongSwarm {
            path: disk.path(name),
            expected: *expected,
            found: *found,
        });
    }
    Ok(())
}

/// Scans an opened log file from `start`, which its header must agree with.
pub(crate) fn scan_log(
    context: &Context,
    name: &str,
    opened: &OpenLog,
    start: ScanPosition,
    visit: impl FnMut(u64, &Frame),
) -> Result<Scanned, StoreError> {
    let disk = context.disk();
    let OpenLog { file, header } = opened;

    // A file of the right kind that belongs elsewhere in the log is damage.
    if header.first_sequence != start.next {
        return Err(damaged(disk, name, 0));
    }

    let scanned = scan(&**file, header.seed(), start, visit);
    scanned.map_err(|fault| match fault {
        ScanFault::Disk(source) => failed(disk, Operation::Read, name)(source),
        ScanFault::Damaged(offset) => damaged(disk, name, offset),
    })
}

/// The record at `offset` of a file that was scanned. If the record is no longer good, it is
/// damaged.
pub(crate) fn read_record(
    context: &Context,
    name: &str,
    file: &dyn DiskFile,
    seed: u32,
    offset: u64,
) -> Result<(Frame, Vec<u8>), StoreError> {
    let disk = context.disk();
    let damaged = || damaged(disk, name, offset);

    // The length is checked before it is used to read: a spoiled one must not ask for too much
    // memory.
    let bytes = read_part(disk, name, file, offset, FRAME_BYTES)?;
    let frame = Frame::decode(&bytes, seed)
        .filter(|frame| frame.length as usize <= MAX_PAYLOAD_BYTES)
        .ok_or_else(damaged)?;

    let start = offset + FRAME_BYTES as u64;
    let length = frame.length as usize;
    let payload = read_part(disk, name, file, start, length)?;

    let is_whole = payload.len() == length;
    if !is_whole || crc32c::crc32c_append(seed, &payload) != frame.payload_crc {
        return Err(damaged());
    }

    Ok((frame, payload))
}

/// The error of a log file that is damaged at an offset.
pub(crate) fn damaged(disk: &dyn Disk, name: &str, offset: u64) -> StoreError {
    StoreError::Damaged {
        path: disk.path(name),
        offset,
        folder: disk.path(""),
    }
}
