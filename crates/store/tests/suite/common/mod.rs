//! Helpers that the tests of this crate share.
#![allow(dead_code, reason = "each test file uses a part")]

pub mod model;

use std::sync::Arc;

use quorate_store::{
    CrashPoints, MemoryDisk, Record, Recovery, Slot, Store, StoreConfig, StoreError, Tear, Wal,
    WalRecord,
};

/// The swarm of the tests.
pub const SWARM: [u8; 32] = [7; 32];

/// Small segments, so that short runs have several. The log may be at any height above the blocks.
pub fn config() -> StoreConfig {
    let usual = StoreConfig::new(SWARM, 0x1234_5678);
    StoreConfig {
        segment_bytes: 300,
        log_lead: u64::MAX,
        ..usual
    }
}

/// The slot of an ordering whose own bytes are a round and a step, big-endian.
pub fn slot(height: u64, round: u32, step: u8) -> Slot {
    let own = (u64::from(round) << 32) | u64::from(step);
    let bytes = (u128::from(height) << 64) | u128::from(own);
    Slot::from(bytes.to_be_bytes())
}

pub fn open(disk: &MemoryDisk) -> Result<(Store, Recovery), StoreError> {
    Store::open(Arc::new(disk.clone()), config(), CrashPoints::default())
}

pub fn replayed(wal: &Wal) -> Vec<WalRecord> {
    wal.replay().unwrap().collect::<Result<_, _>>().unwrap()
}

pub fn append(wal: &mut Wal, height: u64, payload: &[u8]) -> Result<u64, StoreError> {
    wal.append(Record {
        kind: 1,
        height,
        payload,
    })
}

/// Ways in which a crash treats data that was not synced: all of it is lost or kept, or a prefix of
/// it is kept, or a subset of small or of usual sectors.
pub fn tears() -> impl Iterator<Item = Tear> {
    let prefixes = [1, 3, 20, 37, 38, 60, 100, 150, 400].map(Tear::Prefix);
    let sectors = (0..6).map(|seed| Tear::Sectors { seed, bytes: 16 });
    let large = (0..4).map(|seed| Tear::Sectors { seed, bytes: 512 });
    [Tear::Nothing, Tear::Everything]
        .into_iter()
        .chain(prefixes)
        .chain(sectors)
        .chain(large)
}

/// Whether larger sweeps are asked for, with `QUORATE_SOAK=1`.
pub fn soaking() -> bool {
    std::env::var("QUORATE_SOAK").is_ok_and(|value| value == "1")
}
