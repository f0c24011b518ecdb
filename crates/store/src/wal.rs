//! The write-ahead log.

use std::iter::FusedIterator;

use crate::context::Context;
use crate::error::StoreError;
use crate::frame::HEADER_BYTES;
use crate::log::{Cut, LogFile, OpenLog, WAL};
use crate::log::{damaged, open_log, read_record, scan_log};
use crate::scan::{ScanPosition, Scanned};
use crate::whole::{list_folder, remove_if_there, sync_folder_of};
use crate::{Disk, DiskFile};

/// A record to append.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record<'a> {
    /// The caller's kind of record.
    pub kind: u8,
    /// The height that the record belongs to, never lower than the height of the record before it.
    pub height: u64,
    /// The content, at most [`MAX_PAYLOAD_BYTES`](crate::MAX_PAYLOAD_BYTES).
    pub payload: &'a [u8],
}

/// A record that was read from the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WalRecord {
    /// The record's place in the log, contiguous from 1. It stays the same when older segments are
    /// removed.
    pub sequence: u64,
    /// The caller's kind of record.
    pub kind: u8,
    /// The height that the record belongs to.
    pub height: u64,
    /// The content of the record, as it was appended.
    pub payload: Vec<u8>,
}

/// The write-ahead log: [`append`](Self::append) any number of records, then call
/// [`sync`](Self::sync) once for all of them (group commit). After a restart call
/// [`replay`](Self::replay).
///
/// # Torn tail or damaged middle (N-31)
///
/// The records between two syncs are a *batch*. Until its sync returns, a crash may leave any
/// subset of its bytes: an early record may be missing and a later one complete. So a good record
/// behind a bad one does not prove damage, and the last good record does not mark the end. Instead
/// each record carries the sequence that its batch began with, which means "everything before this
/// was synced before I was written". At open, a bad record with sequence *s* is
///
/// - **damage** if behind it in the file stands the frame of a record whose batch began after *s*,
///   or if a later segment exists. Then *s* had been synced, and somebody may have relied on it.
///   The log is refused with [`StoreError::Damaged`].
/// - **a torn tail** otherwise. It is in the last batch that was written, whose sync did not return
///   as far as the file can tell. Everything from it on is cut.
///
/// A record that is complete but does not follow (sequence, batch or height) is damage wherever it
/// stands. One case cannot be told apart: if bytes of the very last batch were spoiled after their
/// sync, or the end of the last segment went missing, it looks like a torn tail and is cut. For
/// that reason [`SigningGuard`](crate::SigningGuard) does not depend on the log.
///
/// # Segments
///
/// When a segment has reached its size, a new one follows after a sync, never inside a batch. So
/// each segment except the last is known to have been synced whole.
pub struct Wal {
    context: Context,
    /// The segments before the active one, oldest first.
    sealed: Vec<Sealed>,
    number: u64,
    active: LogFile,
}

/// A segment that is no longer written to.
pub(crate) struct Sealed {
    number: u64,
    /// The progress behind its last record, which has the highest height in it.
    progress: ScanPosition,
    /// Its length in bytes.
    end: u64,
}

impl Sealed {
    pub(crate) fn new(number: u64, scanned: Scanned) -> Self {
        Self {
            number,
            progress: scanned.progress,
            end: scanned.end,
        }
    }

    /// The height of the last record, if the record `next` of the next segment follows it.
    fn height_before(&self, context: &Context, next: u64) -> Result<u64, StoreError> {
        if self.progress.next == next {
            return Ok(self.progress.height);
        }

        // The next segment was begun at its first record, so this one ends too early.
        let name = segment_name(self.number);
        Err(damaged(context.disk(), &name, self.end))
    }
}

impl Wal {
    /// Opens the log, or makes it if the folder has none. Cuts a torn tail and reports it.
    pub(crate) fn open(context: &Context) -> Result<(Self, Option<Cut>), StoreError> {
        let numbers = segment_numbers(context)?;
        let Some((&last, earlier)) = numbers.split_last() else {
            let wal = Self::create(context)?;
            return Ok((wal, None));
        };

        let sealed = scan_sealed(context, earlier)?;
        let (opened, scanned) = scan_segment(context, sealed.last(), last)?;

        // Only the last segment may have a torn tail.
        let name = segment_name(last);
        let (active, cut) = LogFile::recover(context, &WAL, &name, opened, scanned)?;

        let wal = Self {
            context: context.clone(),
            sealed,
            number: last,
            active,
        };
        Ok((wal, cut))
    }

    /// Makes the log of a folder that has none.
    fn create(context: &Context) -> Result<Self, StoreError> {
        let start = ScanPosition::at(1, 0);
        let active = LogFile::create(context, &WAL, &segment_name(1), start)?;

        Ok(Self {
            context: context.clone(),
            sealed: Vec::new(),
            number: 1,
            active,
        })
    }

    /// Adds a record to the batch and returns its sequence. It is not durable before
    /// [`Self::sync`].
    ///
    /// # Errors
    /// [`StoreError::WrongHeight`] if its height is lower than that of the record before it,
    /// [`StoreError::TooLarge`]; neither changes anything. Otherwise the disk failed.
    pub fn append(&mut self, record: Record<'_>) -> Result<u64, StoreError> {
        let sequence = self.active.progress().next;
        self.active
            .append(record.kind, record.height, &[record.payload])?;
        Ok(sequence)
    }

    /// Makes every appended record durable with one `fdatasync`. Returns the sequence below which
    /// all records are durable.
    ///
    /// # Errors
    /// The disk failed: the log is poisoned, and the process must end.
    pub fn sync(&mut self) -> Result<u64, StoreError> {
        self.active.sync()?;
        if self.active.end() >= self.context.config().segment_bytes {
            self.rotate()?;
        }
        Ok(self.active.durable())
    }

    /// The sequence that the next record gets.
    pub fn next_sequence(&self) -> u64 {
        self.active.progress().next
    }

    /// The height of the last record; 0 for a log that never had one.
    pub fn last_height(&self) -> u64 {
        self.active.progress().height
    }

    /// Removes the oldest segments that hold no record of `height` or above. Records below `height`
    /// that share a segment with others stay.
    ///
    /// # Errors
    /// The disk failed: the log is poisoned, and the process must end.
    pub fn truncate_below(&mut self, height: u64) -> Result<(), StoreError> {
        self.active.check_sound()?;

        while self
            .sealed
            .first()
            .is_some_and(|segment| segment.progress.height < height)
        {
            let oldest = self.sealed.remove(0);
            self.context.points().pass("wal.truncate.before");

            // One by one, so that a crash cannot leave a gap between segments.
            let removed = remove_segment(self.context.disk(), oldest.number);
            self.poison_on_error(removed)?;

            self.context.points().pass("wal.truncate.after");
        }

        Ok(())
    }

    /// The records of the log, oldest first, without those appended since the last sync.
    ///
    /// An item is an error if the disk fails or a record is no longer as it was when the log was
    /// opened. It is the last item then.
    ///
    /// # Errors
    /// [`StoreError::Poisoned`].
    pub fn replay(&self) -> Result<Replay<'_>, StoreError> {
        self.active.check_sound()?;
        Ok(Replay {
            wal: self,
            segment: 0,
            open: None,
            finished: false,
        })
    }

    /// Begins a new segment.
    fn rotate(&mut self) -> Result<(), StoreError> {
        self.context.points().pass("wal.rotate.before");

        let number = self.number + 1;
        let name = segment_name(number);
        let progress = self.active.progress().clone();
        let created = LogFile::create(&self.context, &WAL, &name, progress.clone());

        let sealed = Sealed {
            number: self.number,
            progress,
            end: self.active.end(),
        };

        // The new segment exists durably before the old one counts as sealed.
        self.active = self.poison_on_error(created)?;
        self.sealed.push(sealed);
        self.number = number;
        self.context.points().pass("wal.rotate.after");
        Ok(())
    }

    fn poison_on_error<T>(&mut self, result: Result<T, StoreError>) -> Result<T, StoreError> {
        if result.is_err() {
            self.active.poison();
        }
        result
    }

    /// The number and the length of the segment at `index`, oldest first.
    fn segment(&self, index: usize) -> Option<(u64, u64)> {
        match self.sealed.get(index) {
            Some(sealed) => Some((sealed.number, sealed.end)),
            None => (index == self.sealed.len()).then(|| (self.number, self.active.end())),
        }
    }
}

/// The records of a log, oldest first; see [`Wal::replay`].
pub struct Replay<'a> {
    wal: &'a Wal,
    segment: usize,
    open: Option<OpenSegment>,
    finished: bool,
}

struct OpenSegment {
    name: String,
    file: Box<dyn DiskFile>,
    seed: u32,
    offset: u64,
    end: u64,
}

impl Replay<'_> {
    /// The next record; `None` behind the last one.
    fn read_next(&mut self) -> Result<Option<WalRecord>, StoreError> {
        loop {
            let open = match self.open.take() {
                Some(open) if open.offset < open.end => open,
                Some(_) => {
                    // This segment is read through.
                    self.segment += 1;
                    continue;
                }
                None => match self.wal.segment(self.segment) {
                    Some((number, end)) => self.open_segment(number, end)?,
                    None => return Ok(None),
                },
            };

            if open.offset < open.end {
                return self.read_from(open).map(Some);
            }

            self.open = Some(open);
        }
    }

    /// Opens a segment at its first record.
    fn open_segment(&self, number: u64, end: u64) -> Result<OpenSegment, StoreError> {
        let name = segment_name(number);
        let opened = open_log(&self.wal.context, &WAL, &name)?;
        let (file, seed) = opened.into_parts();

        Ok(OpenSegment {
            name,
            file,
            seed,
            offset: HEADER_BYTES as u64,
            end,
        })
    }

    /// Reads the next record of a segment, and keeps the segment open.
    fn read_from(&mut self, mut open: OpenSegment) -> Result<WalRecord, StoreError> {
        let context = &self.wal.context;
        let (frame, payload) =
            read_record(context, &open.name, &*open.file, open.seed, open.offset)?;

        open.offset += frame.total_bytes();
        self.open = Some(open);

        Ok(WalRecord {
            sequence: frame.sequence,
            kind: frame.kind,
            height: frame.height,
            payload,
        })
    }
}

impl Iterator for Replay<'_> {
    type Item = Result<WalRecord, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.finished {
            return None;
        }

        let item = self.read_next().transpose();
        self.finished = !matches!(item, Some(Ok(_)));

        item
    }
}

impl FusedIterator for Replay<'_> {}

/// The name of a segment: `wal/000001.log` and so on; longer numbers grow in width.
pub(crate) fn segment_name(number: u64) -> String {
    format!("wal/{number:06}.log")
}

/// The numbers of the segments in the folder, ascending.
pub(crate) fn segment_numbers(context: &Context) -> Result<Vec<u64>, StoreError> {
    let names = list_folder(context.disk(), "wal")?;
    let mut numbers: Vec<u64> = names
        .iter()
        .filter_map(|name| segment_number(name))
        .collect();

    numbers.sort_unstable();
    Ok(numbers)
}

/// The number of the segment with this name. A name that this crate would not write is not a
/// segment: it is left alone.
fn segment_number(name: &str) -> Option<u64> {
    let number = name.strip_suffix(".log")?.parse().ok()?;
    let written = segment_name(number);
    (written.strip_prefix("wal/") == Some(name)).then_some(number)
}

/// The height of the last record of a log without damage; 0 if there is none.
pub(crate) fn logged_height(context: &Context) -> Result<u64, StoreError> {
    let mut before: Option<Sealed> = None;

    for number in segment_numbers(context)? {
        let (_, scanned) = scan_segment(context, before.as_ref(), number)?;

        // A later segment begins with the height at which this one ends.
        before = Some(Sealed::new(number, scanned));
    }

    Ok(before.map_or(0, |last| last.progress.height))
}

/// Scans the segments before the last one, which were synced whole.
fn scan_sealed(context: &Context, numbers: &[u64]) -> Result<Vec<Sealed>, StoreError> {
    let mut sealed: Vec<Sealed> = Vec::new();

    for &number in numbers {
        let (_, scanned) = scan_segment(context, sealed.last(), number)?;

        // A later segment was begun only after this one was synced whole, so nothing here can be
        // torn.
        if scanned.torn > 0 {
            return Err(damaged(context.disk(), &segment_name(number), scanned.end));
        }

        sealed.push(Sealed::new(number, scanned));
    }

    Ok(sealed)
}

/// Opens and checks a segment. Checks also that it follows `before`, if there is one.
pub(crate) fn scan_segment(
    context: &Context,
    before: Option<&Sealed>,
    number: u64,
) -> Result<(OpenLog, Scanned), StoreError> {
    let name = segment_name(number);
    let opened = open_log(context, &WAL, &name)?;

    let first = opened.first_sequence();
    let height = match before {
        Some(before) => before.height_before(context, first)?,
        None => 0,
    };

    let start = ScanPosition::at(first, height);
    let scanned = scan_log(context, &name, &opened, start, |_, _| ())?;
    Ok((opened, scanned))
}

/// Removes a segment, durably.
fn remove_segment(disk: &dyn Disk, number: u64) -> Result<(), StoreError> {
    let name = segment_name(number);
    remove_if_there(disk, &name)?;
    sync_folder_of(disk, &name)
}
