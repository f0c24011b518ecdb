//! Reads a log file from its start and finds the end of the part that can be trusted.

use std::io;

use crate::DiskFile;
use crate::frame::{FRAME_BYTES, Frame, HEADER_BYTES, MAX_PAYLOAD_BYTES};

/// The number of bytes that are read at once.
const CHUNK_BYTES: usize = 64 * 1024;

/// The position in a log after some of its records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ScanPosition {
    /// The sequence of the next record.
    pub(crate) next: u64,
    /// The first sequence of the batch of the last record.
    pub(crate) batch: u64,
    /// The height of the last record; 0 before the first.
    pub(crate) height: u64,
}

impl ScanPosition {
    /// The progress before the record `first`, if all earlier records are durable and the last one
    /// is of `height`.
    pub(crate) fn at(first: u64, height: u64) -> Self {
        Self {
            next: first,
            batch: first,
            height,
        }
    }

    /// The progress after `frame`; `None` if the frame does not follow.
    fn after(&self, frame: &Frame) -> Option<Self> {
        // A record belongs to the batch of the one before it, or begins a new one.
        let batch_follows = frame.batch == self.batch || frame.batch == frame.sequence;
        let height_follows = frame.height >= self.height;
        let sequence_follows = frame.sequence == self.next;

        let next = frame.sequence.checked_add(1)?;
        let follows = sequence_follows && batch_follows && height_follows;
        follows.then_some(Self {
            next,
            batch: frame.batch,
            height: frame.height,
        })
    }
}

/// The result of a scan.
#[derive(Debug)]
pub(crate) struct Scanned {
    /// The progress after the last good record.
    pub(crate) progress: ScanPosition,
    /// The offset behind the last good record.
    pub(crate) end: u64,
    /// The number of bytes behind `end`: a torn tail.
    pub(crate) torn: u64,
}

/// The reason why a scan gave up.
#[derive(Debug)]
pub(crate) enum ScanFault {
    /// The disk failed.
    Disk(io::Error),
    /// Synced data is damaged from this offset on.
    Damaged(u64),
}

impl From<io::Error> for ScanFault {
    fn from(error: io::Error) -> Self {
        Self::Disk(error)
    }
}

/// Checks every record behind the header, and calls `visit` with the offset of each good one.
///
/// The first bad record ends the scan. It is a torn tail unless something behind it proves that it
/// had been synced; see [`crate::Wal`] for the reasoning.
pub(crate) fn scan(
    file: &dyn DiskFile,
    seed: u32,
    start: ScanPosition,
    mut visit: impl FnMut(u64, &Frame),
) -> Result<Scanned, ScanFault> {
    let length = file.length()?;
    let mut window = Window::new(file);
    let mut progress = start;
    let mut end = HEADER_BYTES as u64;

    while end < length {
        let Some(frame) = good_frame(&mut window, seed, end)? else {
            if later_batch(&mut window, seed, end, progress.next)? {
                return Err(ScanFault::Damaged(end));
            }
            break;
        };

        // A good record that does not follow is damage wherever it stands: no crash makes one.
        progress = progress.after(&frame).ok_or(ScanFault::Damaged(end))?;
        visit(end, &frame);
        end += frame.total_bytes();
    }

    Ok(Scanned {
        progress,
        end,
        torn: length.saturating_sub(end),
    })
}

/// The frame at `offset`, if its checksum and that of its payload are right.
fn good_frame(window: &mut Window<'_>, seed: u32, offset: u64) -> io::Result<Option<Frame>> {
    let bytes = window.at(offset, FRAME_BYTES)?;
    let Some(frame) = Frame::decode(bytes, seed) else {
        return Ok(None);
    };

    // No writer makes such a payload: a spoiled length must not make the scan read on.
    if frame.length as usize > MAX_PAYLOAD_BYTES {
        return Ok(None);
    }

    // `None` if the file ends within the payload.
    let start = offset + FRAME_BYTES as u64;
    let crc = payload_crc(window, seed, start, frame.length)?;
    let is_good = crc == Some(frame.payload_crc);
    Ok(is_good.then_some(frame))
}

/// The checksum of `length` bytes at `offset`; `None` if the file ends before that.
fn payload_crc(
    window: &mut Window<'_>,
    seed: u32,
    mut offset: u64,
    length: u32,
) -> io::Result<Option<u32>> {
    let mut crc = seed;
    let mut left = length as usize;

    while left > 0 {
        let bytes = window.at(offset, left.min(CHUNK_BYTES))?;
        if bytes.is_empty() {
            return Ok(None);
        }

        crc = crc32c::crc32c_append(crc, bytes);
        left -= bytes.len();
        offset += bytes.len() as u64;
    }

    Ok(Some(crc))
}

/// Whether the frame of a later batch stands behind the bad record `sequence` at `offset`. That
/// frame was written only after `sequence` had been synced. The frame alone proves it; its payload
/// may be torn.
fn later_batch(window: &mut Window<'_>, seed: u32, offset: u64, sequence: u64) -> io::Result<bool> {
    let proves = |frame: Frame| frame.batch > sequence && frame.sequence >= frame.batch;
    let mut at = offset + 1;

    loop {
        let bytes = window.at(at, CHUNK_BYTES)?;
        let Some(last_start) = bytes.len().checked_sub(FRAME_BYTES) else {
            // The file ends before another frame.
            return Ok(false);
        };

        let mut places = bytes.windows(FRAME_BYTES);
        if places.any(|place| Frame::decode(place, seed).is_some_and(proves)) {
            return Ok(true);
        }

        // Each step overlaps the last one by one frame less a byte, so that no frame between two
        // chunks is missed.
        at += last_start as u64 + 1;
    }
}

/// A buffer that slides over a file.
struct Window<'a> {
    file: &'a dyn DiskFile,
    buffer: Vec<u8>,
    /// The offset in the file at which `buffer` starts.
    start: u64,
    /// The number of bytes in `buffer` that are content of the file.
    filled: usize,
}

impl<'a> Window<'a> {
    fn new(file: &'a dyn DiskFile) -> Self {
        Self {
            file,
            buffer: vec![0; CHUNK_BYTES],
            start: 0,
            filled: 0,
        }
    }

    /// The bytes at `offset`: `wanted` of them (at most a chunk), or fewer if the file ends.
    fn at(&mut self, offset: u64, wanted: usize) -> io::Result<&[u8]> {
        if !self.holds(offset, wanted) {
            self.filled = self.file.read_at(offset, &mut self.buffer)?;
            self.start = offset;
        }

        // The buffer begins at the offset, or before it.
        let skip = (offset - self.start) as usize;
        let end = self.filled.min(skip + wanted);
        let bytes = &self.buffer[skip..end];
        Ok(bytes)
    }

    /// Checks whether the buffer has these bytes.
    fn holds(&self, offset: u64, wanted: usize) -> bool {
        let end = self.start + self.filled as u64;
        offset >= self.start && offset + wanted as u64 <= end
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// N-31: a wrong height or sequence is detected.
    #[test]
    fn only_what_follows_is_accepted() {
        let at = ScanPosition {
            next: 8,
            batch: 6,
            height: 3,
        };

        let frame = |sequence, batch, height| Frame {
            length: 0,
            sequence,
            batch,
            height,
            kind: 0,
            payload_crc: 0,
        };

        for (name, frame, follows) in [
            ("same batch", frame(8, 6, 3), true),
            ("new batch", frame(8, 8, 3), true),
            ("higher", frame(8, 6, 9), true),
            ("lower height", frame(8, 6, 2), false),
            ("sequence repeated", frame(7, 6, 3), false),
            ("sequence left out", frame(9, 6, 3), false),
            ("batch of before", frame(8, 5, 3), false),
            ("batch begun at another record", frame(8, 7, 3), false),
            ("batch from the future", frame(8, 9, 3), false),
        ] {
            assert_eq!(at.after(&frame).is_some(), follows, "{name}");
        }
    }
}
