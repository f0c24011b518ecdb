//! Recovery: opens the folder of a validator, and logs what was found there.

use std::path::Path;
use std::sync::Arc;

use quorate_crypto::SecretKey;
use quorate_durable::{DurableReplica, Opened, Settings, Start};
use quorate_replica::{Now, describe_slot};
use quorate_store::{CrashPoints, FileDisk, StoreConfig};
use quorate_types::{Genesis, SwarmId};

use super::error::ValidatorError;
use crate::config::{ConfigError, NodeConfig};
use crate::data_dir::DataDirError;

pub(super) struct RecoveryInputs<'a> {
    pub(super) data: &'a Path,
    pub(super) genesis: Genesis,
    pub(super) key: SecretKey,
    pub(super) config: &'a NodeConfig,
    pub(super) points: CrashPoints,
    pub(super) start: Start,
    pub(super) now: Now,
}

pub(super) fn recover(from: RecoveryInputs<'_>) -> Result<DurableReplica, ValidatorError> {
    let disk = FileDisk::new(from.data).map_err(|source| DataDirError::Io {
        path: from.data.to_owned(),
        source,
    })?;

    let settings = Settings {
        store: layout(from.genesis.swarm_id())?,
        genesis: from.genesis,
        pace: from.config.pace.into(),
        points: from.points,
        start: from.start,
    };

    let (durable, opened) = DurableReplica::open(Arc::new(disk), from.key, settings, from.now)?;

    log_repairs(&opened);
    let height = durable.replica().ledger().height();
    tracing::info!(height, records = opened.records, "recovered");
    Ok(durable)
}

/// Logs what the disk had lost.
fn log_repairs(opened: &Opened) {
    for cut in &opened.cuts {
        tracing::warn!(file = %cut.path, bytes = cut.bytes, "cut a torn tail, never synced");
    }
    for slot in &opened.forgotten {
        let slot = describe_slot(slot.bytes());
        tracing::warn!(slot, "the signing guard had forgotten a signature");
    }
    if let Some(height) = opened.log_lost {
        tracing::warn!(
            height,
            "the log of the last signature is lost: following without a vote until this height"
        );
    }
}

/// Returns the usual layout of the store. Tests of recovery make the segments of the log small with
/// `QUORATE_WAL_SEGMENT_BYTES`, so that it is rotated and truncated while they watch.
fn layout(swarm: SwarmId) -> Result<StoreConfig, DataDirError> {
    let usual = StoreConfig::new(swarm.0, u32::from_le_bytes(random()?));

    let name = "QUORATE_WAL_SEGMENT_BYTES";
    let Ok(value) = std::env::var(name) else {
        return Ok(usual);
    };

    match value.parse() {
        Ok(segment_bytes) => Ok(StoreConfig {
            segment_bytes,
            ..usual
        }),
        Err(_) => Err(ConfigError::Variable {
            name,
            value,
            wanted: "a number of bytes",
        }
        .into()),
    }
}

/// Returns bytes that peers cannot know.
pub(super) fn random<const BYTES: usize>() -> Result<[u8; BYTES], DataDirError> {
    let mut bytes = [0; BYTES];
    getrandom::fill(&mut bytes).map_err(|error| DataDirError::Random(error.to_string()))?;
    Ok(bytes)
}
