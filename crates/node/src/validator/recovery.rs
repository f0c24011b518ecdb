//! Coming back: decided blocks into the ledger, then the log of the height that was under way.

use std::path::Path;
use std::sync::Arc;

use quorate_ledger::Ledger;
use quorate_replica::{Config, LogRecord, Now, Replica};
use quorate_store::{CrashPoints, FileDisk, Position, SigningGuard, Store, StoreConfig, Witness};
use quorate_types::{Block, Genesis, PublicKey, QuorumCertificate, SwarmId, cbor, limits};

use crate::config::{ConfigError, NodeConfig};
use crate::home::HomeError;
use crate::validator::ValidatorError;

/// Kind of the one sort of record in the log.
pub(super) const LOG_RECORD: u8 = 1;

/// A replica with its disk, as it stood when the process last ended.
pub(super) struct Recovered {
    pub(super) replica: Replica,
    pub(super) store: Store,
    pub(super) guard: SigningGuard,
}

pub(super) struct From<'a> {
    pub(super) data: &'a Path,
    pub(super) genesis: Genesis,
    pub(super) me: PublicKey,
    pub(super) config: &'a NodeConfig,
    pub(super) points: CrashPoints,
    pub(super) now: Now,
}

pub(super) fn recover(from: From<'_>) -> Result<Recovered, ValidatorError> {
    let swarm = from.genesis.swarm_id();
    let disk = FileDisk::new(from.data)
        .map_err(|source| HomeError::Io { path: from.data.to_owned(), source })?;
    let settings = settings(swarm)?;
    let (store, recovery) = Store::open(Arc::new(disk), settings, from.points)?;
    for cut in &recovery.cuts {
        tracing::warn!(file = %cut.path, bytes = cut.bytes, "cut a torn tail, never synced");
    }
    let mut guard = SigningGuard::open(&store, from.me.as_bytes())?;
    let replica_config = Config { me: from.me, pace: from.config.pace.into() };
    let mut replica = Replica::new(replica_config, Ledger::genesis(from.genesis)?, from.now);
    restore_blocks(&mut replica, &store)?;
    let records = read_log(&replica, &store)?;
    check_guard(&mut guard, &records, &from.me)?;
    tracing::info!(height = replica.ledger().height(), records = records.len(), "recovered");
    replica.recover(records)?;
    Ok(Recovered { replica, store, guard })
}

/// The usual layout; tests of recovery make the log's segments small with
/// `QUORATE_WAL_SEGMENT_BYTES`, so that it rotates and is truncated before their eyes.
fn settings(swarm: SwarmId) -> Result<StoreConfig, HomeError> {
    let usual = StoreConfig::new(swarm.0, salt()?);
    let name = "QUORATE_WAL_SEGMENT_BYTES";
    let Ok(value) = std::env::var(name) else { return Ok(usual) };
    match value.parse() {
        Ok(segment_bytes) => Ok(StoreConfig { segment_bytes, ..usual }),
        Err(_) => Err(ConfigError::Variable { name, value, wanted: "a number of bytes" }.into()),
    }
}

fn restore_blocks(replica: &mut Replica, store: &Store) -> Result<(), ValidatorError> {
    for height in 1..=store.blocks.last_height() {
        let Some(stored) = store.blocks.get(height)? else { break };
        let bad = |source| ValidatorError::Decode { file: "blocks.log", height, source };
        let block: Block = cbor::decode(&stored.block, limits::BLOCK_BYTES).map_err(bad)?;
        let commit: QuorumCertificate =
            cbor::decode(&stored.proof, limits::CERTIFICATE_BYTES).map_err(bad)?;
        replica.restore(block, commit)?;
    }
    Ok(())
}

fn read_log(replica: &Replica, store: &Store) -> Result<Vec<LogRecord>, ValidatorError> {
    let mut records = Vec::new();
    for record in store.wal.replay()? {
        let record = record?;
        if record.kind == LOG_RECORD && record.height == replica.height() {
            let decoded = cbor::decode(&record.payload, limits::BULK_FRAME_BYTES);
            records.push(decoded.map_err(|source| ValidatorError::Decode {
                file: "wal",
                height: record.height,
                source,
            })?);
        }
    }
    Ok(records)
}

/// The log is the second witness of what was signed: the guard must not stand below it.
fn check_guard(
    guard: &mut SigningGuard,
    records: &[LogRecord],
    me: &PublicKey,
) -> Result<(), ValidatorError> {
    for record in records {
        if let LogRecord::Statement(signed) = record
            && signed.signer == *me
        {
            let statement = &signed.statement;
            let position = Position {
                height: statement.height,
                round: statement.round,
                step: statement.kind as u8,
            };
            if guard.check_against(position)? == Witness::Raised {
                tracing::warn!(?position, "the signing guard had forgotten a signature");
            }
        }
    }
    Ok(())
}

/// Peers cannot know it, which is all it has to be; see [`StoreConfig::salt`].
fn salt() -> Result<u32, HomeError> {
    let mut bytes = [0; 4];
    getrandom::fill(&mut bytes).map_err(|error| HomeError::Random(error.to_string()))?;
    Ok(u32::from_le_bytes(bytes))
}
