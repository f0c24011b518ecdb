//! Decided blocks with their proofs, one per height.

use std::io;

use crate::context::Context;
use crate::error::StoreError;
use crate::frame::Fields;
use crate::log::{BLOCKS, Cut, LogFile, OpenLog, damaged, open_log, scan_log};
use crate::scan::{ScanPosition, Scanned};

/// The name of the file of the blocks.
pub(crate) const BLOCKS_NAME: &str = "blocks.log";

/// The kind of every record in the file: there is only this one.
const BLOCK: u8 = 1;

/// A block with the proof that it was decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredBlock {
    /// The height of the block.
    pub height: u64,
    /// The block as it was appended.
    pub block: Vec<u8>,
    /// The proof as it was appended.
    pub proof: Vec<u8>,
}

/// Every decided block with its proof, at contiguous heights from 1: [`append`](Self::append), then
/// [`sync`](Self::sync).
///
/// The blocks are one append-only file of the same form as the log, with the same rule for torn
/// tails (see [`Wal`](crate::Wal)); a record's sequence is its height. Memory holds eight bytes per
/// height. Opening reads the file once, in pieces.
pub struct Blocks {
    context: Context,
    log: LogFile,
    /// The offset of the record of height `index + 1`.
    offsets: Vec<u64>,
}

impl Blocks {
    /// Opens the blocks, or makes the file if the folder has none. Cuts a torn tail and reports it.
    /// `logged` is the last height in the log.
    pub(crate) fn open(context: &Context, logged: u64) -> Result<(Self, Option<Cut>), StoreError> {
        let found = scan_blocks(context)?;

        // First of all: a loss must be refused before a torn tail is cut or an empty file is made.
        if let Some(offset) = lost_from(context, found.as_ref(), logged) {
            let disk = context.disk();
            return Err(damaged(disk, BLOCKS_NAME, offset));
        }

        match found {
            None => Ok((Self::create(context)?, None)),
            Some(found) => Self::recover(context, found),
        }
    }

    /// Makes the file of a folder that has none.
    fn create(context: &Context) -> Result<Self, StoreError> {
        let start = ScanPosition::at(1, 0);
        Ok(Self {
            context: context.clone(),
            log: LogFile::create(context, &BLOCKS, BLOCKS_NAME, start)?,
            offsets: Vec::new(),
        })
    }

    /// Takes over the file of a folder. Cuts a torn tail and reports it.
    fn recover(context: &Context, found: FoundBlocks) -> Result<(Self, Option<Cut>), StoreError> {
        let FoundBlocks {
            opened,
            scanned,
            offsets,
        } = found;
        let (log, cut) = LogFile::recover(context, &BLOCKS, BLOCKS_NAME, opened, scanned)?;

        let blocks = Self {
            context: context.clone(),
            log,
            offsets,
        };
        Ok((blocks, cut))
    }

    /// Adds the block of the next height. It can be read at once, and is durable after
    /// [`Self::sync`].
    ///
    /// # Errors
    /// [`StoreError::WrongHeight`] unless `height` is the last one plus 1,
    /// [`StoreError::TooLarge`] if block and proof are more than
    /// [`MAX_PAYLOAD_BYTES`](crate::MAX_PAYLOAD_BYTES) together less 4; neither changes anything.
    /// Otherwise the disk failed.
    pub fn append(&mut self, height: u64, block: &[u8], proof: &[u8]) -> Result<(), StoreError> {
        let expected = self.last_height().saturating_add(1);

        if height != expected {
            return Err(StoreError::WrongHeight {
                expected,
                found: height,
            });
        }

        // A block whose length does not fit into 32 bits is refused by the `append` of the log.
        let length = (block.len() as u32).to_le_bytes();
        let offset = self.log.append(BLOCK, height, &[&length, block, proof])?;
        self.log.write()?;

        self.offsets.push(offset);
        Ok(())
    }

    /// Makes every appended block durable; returns the last durable height.
    ///
    /// # Errors
    /// The disk failed: the blocks are poisoned, and the process must end.
    pub fn sync(&mut self) -> Result<u64, StoreError> {
        self.log.sync()?;
        Ok(self.last_height())
    }

    /// The block of `height`; `None` if there is none. Reads and checks only that record.
    ///
    /// # Errors
    /// The disk failed, or the record is no longer what was written.
    pub fn get(&self, height: u64) -> Result<Option<StoredBlock>, StoreError> {
        let Some(offset) = self.offset(height) else {
            return Ok(None);
        };

        // The record is checked again: the disk may have changed since the file was opened.
        let (frame, payload) = self.log.read(offset)?;
        let stored = split(&payload).filter(|_| frame.height == height);

        let Some((block, proof)) = stored else {
            return Err(damaged(self.context.disk(), BLOCKS_NAME, offset));
        };

        Ok(Some(StoredBlock {
            height,
            block: block.to_vec(),
            proof: proof.to_vec(),
        }))
    }

    /// The offset of the record of a height.
    fn offset(&self, height: u64) -> Option<u64> {
        let index = height.checked_sub(1)?;
        let index = usize::try_from(index).ok()?;
        self.offsets.get(index).copied()
    }

    /// The highest height that was appended; 0 if there is none.
    pub fn last_height(&self) -> u64 {
        self.offsets.len() as u64
    }
}

/// The file of the blocks after it was read through.
pub(crate) struct FoundBlocks {
    opened: OpenLog,
    scanned: Scanned,
    offsets: Vec<u64>,
}

impl FoundBlocks {
    /// Whether the file ends with a torn tail.
    pub(crate) fn is_torn(&self) -> bool {
        self.scanned.torn > 0
    }
}

/// The end of the blocks if synced blocks are missing: the log, at the height `logged`, is further
/// above them than it may be. Nothing else notices this, since a file that ends too early looks
/// like a torn tail.
pub(crate) fn lost_from(
    context: &Context,
    found: Option<&FoundBlocks>,
    logged: u64,
) -> Option<u64> {
    let height = found.map_or(0, |found| found.offsets.len() as u64);
    let end = found.map_or(0, |found| found.scanned.end);

    // The log may be somewhat above the blocks, but not further.
    let highest = height.saturating_add(context.config().log_lead);
    (logged > highest).then_some(end)
}

/// Reads through the file of the blocks; `None` if there is none.
pub(crate) fn scan_blocks(context: &Context) -> Result<Option<FoundBlocks>, StoreError> {
    let opened = match open_log(context, &BLOCKS, BLOCKS_NAME) {
        Err(StoreError::Disk { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
            return Ok(None);
        }
        opened => opened?,
    };

    let mut offsets = Vec::new();
    let start = ScanPosition::at(1, 0);
    let scanned = scan_log(context, BLOCKS_NAME, &opened, start, |at, _| {
        offsets.push(at)
    })?;

    Ok(Some(FoundBlocks {
        opened,
        scanned,
        offsets,
    }))
}

/// The block and the proof in a payload.
fn split(payload: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut fields = Fields(payload);
    let length = fields.u32()?;
    let block = fields.slice(length as usize)?;
    Some((block, fields.0))
}
