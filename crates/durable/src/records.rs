//! The bytes on disk of log records and of decided blocks. Only this file encodes and decodes them:
//! the store keeps bytes, and the replica takes values.

use quorate_replica::LogRecord;
use quorate_store::{Blocks, Record, StoreError, Wal};
use quorate_types::{Block, Height, QuorumCertificate, cbor, limits};

use crate::DurableError;

/// The kind of the records in the log, which are all of one kind.
const LOG_RECORD: u8 = 1;

/// Appends a record of a height to the log. It is durable with the next sync.
pub(crate) fn append_record(
    wal: &mut Wal,
    height: Height,
    record: &LogRecord,
) -> Result<(), StoreError> {
    wal.append(Record {
        kind: LOG_RECORD,
        height,
        payload: &cbor::encode(record),
    })?;
    Ok(())
}

/// Reads the log records of a height, in the order in which they were appended.
pub(crate) fn read_records(wal: &Wal, height: Height) -> Result<Vec<LogRecord>, DurableError> {
    let mut records = Vec::new();
    for record in wal.replay()? {
        let record = record?;

        if record.kind == LOG_RECORD && record.height == height {
            let decoded = cbor::decode(&record.payload, limits::BULK_FRAME_BYTES);
            records.push(decoded.map_err(|source| DurableError::Decode {
                file: "wal",
                height,
                source,
            })?);
        }
    }

    Ok(records)
}

/// Appends a decided block and its commit. They are durable with the next sync.
pub(crate) fn append_block(
    blocks: &mut Blocks,
    block: &Block,
    commit: &QuorumCertificate,
) -> Result<(), StoreError> {
    let height = block.header.height;
    blocks.append(height, &cbor::encode(block), &cbor::encode(commit))
}

/// Reads the decided block of a height and its commit; `None` if there is none.
pub(crate) fn read_block(
    blocks: &Blocks,
    height: Height,
) -> Result<Option<(Block, QuorumCertificate)>, DurableError> {
    let Some(stored) = blocks.get(height)? else {
        return Ok(None);
    };

    let bad = |source| DurableError::Decode {
        file: "blocks.log",
        height,
        source,
    };

    let block = cbor::decode(&stored.block, limits::BLOCK_BYTES).map_err(bad)?;
    let commit = cbor::decode(&stored.proof, limits::CERTIFICATE_BYTES).map_err(bad)?;
    Ok(Some((block, commit)))
}
