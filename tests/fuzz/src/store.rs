//! Targets for the files of a node's folder, with any bytes in them. A file is read, cut or
//! refused; if a byte decays, nothing false is read (N-31).
//!
//! If the first byte of an input is below 128, it chooses a file, and the rest is the content of
//! the file. From 128 on it chooses a file that decays: the next four bytes say where one byte
//! changes (two bytes), how it changes, and how many bytes of the end are missing. A checksum finds
//! accidents, not forgeries. So the check that nothing false is read is made only for decay.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use quorate_store::{
    CrashPoints, GuardError, MemoryDisk, Record, SigningGuard, Slot, Store, StoreConfig,
    StoreError, WalRecord, repair,
};

use crate::choices::Choices;

const SWARM: [u8; 32] = [7; 32];
const KEY: [u8; 32] = [9; 32];
const SEGMENTS: [&str; 3] = ["wal/000001.log", "wal/000002.log", "wal/000003.log"];
const BLOCKS: &[&str] = &["blocks.log"];
const GUARD: &[&str] = &["guard"];
const META: &[&str] = &["meta/genesis"];
/// The height of the last statement that the guard of [`recorded`] permitted.
const SIGNED: u64 = 6;

/// A configuration with small segments, so that a short run has several of them.
fn config() -> StoreConfig {
    StoreConfig {
        segment_bytes: 300,
        ..StoreConfig::new(SWARM, 0x1234_5678)
    }
}

fn open(disk: &MemoryDisk) -> Result<Store, StoreError> {
    let opened = Store::open(Arc::new(disk.clone()), config(), CrashPoints::default());
    opened.map(|(store, _)| store)
}

/// Makes the disk of a run: six heights of the log in three segments, five blocks, a guard, and a
/// named value.
fn recorded() -> MemoryDisk {
    let disk = MemoryDisk::new();
    SigningGuard::create(&disk, &KEY, &SWARM).unwrap();
    let mut store = open(&disk).unwrap();
    let mut guard = SigningGuard::open(&store, &KEY).unwrap();
    for height in 1..=6 {
        for payload in [&[height as u8; 20][..], &[0x55; 30]] {
            store
                .wal
                .append(Record {
                    kind: 1,
                    height,
                    payload,
                })
                .unwrap();
        }
        store.wal.sync().unwrap();
        let _ = guard.intend(slot(height), &[height as u8; 40]).unwrap();
    }
    for height in 1..=5 {
        store
            .blocks
            .append(height, &block(height), b"proof")
            .unwrap();
        store.blocks.sync().unwrap();
    }
    store.meta.put("genesis", b"the first block").unwrap();
    disk
}

/// Makes the slot of the statement of a height; the ordering's own bytes are always the same.
fn slot(height: u64) -> Slot {
    let bytes = (u128::from(height) << 64) | 2;
    Slot::from(bytes.to_be_bytes())
}

fn block(height: u64) -> Vec<u8> {
    vec![height as u8; 25]
}

/// The files of [`recorded`], and the records of its log.
struct Recorded {
    files: BTreeMap<&'static str, Vec<u8>>,
    records: Vec<WalRecord>,
}

static RECORDED: LazyLock<Recorded> = LazyLock::new(|| {
    let disk = recorded();
    let names = SEGMENTS.iter().chain(BLOCKS).chain(GUARD).chain(META);
    let files = names
        .map(|name| (*name, disk.contents(name).unwrap()))
        .collect();
    Recorded {
        files,
        records: replayed(&open(&disk).unwrap()),
    }
});

/// A disk on which one file was spoiled.
struct Spoiled {
    disk: MemoryDisk,
    /// Whether a byte changed or the end is missing; otherwise the file holds arbitrary bytes.
    decayed: bool,
}

/// Spoils one of `files` as the input says.
fn spoil(data: &[u8], files: &[&'static str]) -> Spoiled {
    let disk = MemoryDisk::new();
    RECORDED
        .files
        .iter()
        .for_each(|(name, bytes)| disk.overwrite(name, bytes));
    let mut choices = Choices::new(data);
    let choice = choices.byte();
    let name = files[usize::from(choice & 127) % files.len()];
    if choice < 128 {
        disk.overwrite(name, choices.rest());
        return Spoiled {
            disk,
            decayed: false,
        };
    }
    let mut bytes = RECORDED.files[name].clone();
    let (at, mask) = (usize::from(choices.short()) % bytes.len(), choices.byte());
    bytes[at] ^= mask;
    let cut = usize::from(choices.byte()).min(bytes.len());
    bytes.truncate(bytes.len() - cut);
    disk.overwrite(name, &bytes);
    Spoiled {
        disk,
        decayed: true,
    }
}

/// Opens a folder. If it is refused as damaged, it is repaired and then must open. `None` if it is
/// refused for another reason.
fn open_or_repair(disk: &MemoryDisk) -> Option<Store> {
    match open(disk) {
        Ok(store) => Some(store),
        Err(StoreError::Damaged { .. }) => {
            let repaired = repair(Arc::new(disk.clone()), config());
            assert!(
                !repaired.unwrap().is_empty(),
                "damage that repair does not see"
            );
            Some(open(disk).unwrap())
        }
        Err(StoreError::WrongSwarm { .. } | StoreError::Unsupported { .. }) => None,
        Err(other) => panic!("{other}"),
    }
}

fn replayed(store: &Store) -> Vec<WalRecord> {
    store
        .wal
        .replay()
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap()
}

/// Spoils a segment of the log.
pub(crate) fn wal(data: &[u8]) {
    let spoiled = spoil(data, &SEGMENTS);
    let Some(mut store) = open_or_repair(&spoiled.disk) else {
        return;
    };
    let records = replayed(&store);
    assert!(records.is_sorted_by(|a, b| a.sequence + 1 == b.sequence && a.height <= b.height));
    assert!(
        !spoiled.decayed || RECORDED.records.starts_with(&records),
        "a decayed file must not give false records"
    );
    let height = store.wal.last_height();
    let sequence = store
        .wal
        .append(Record {
            kind: 2,
            height,
            payload: b"next",
        })
        .unwrap();
    store.wal.sync().unwrap();
    drop(store);
    let again = replayed(&open(&spoiled.disk).unwrap());
    let (last, before) = again.split_last().unwrap();
    assert_eq!(
        (before, last.sequence),
        (&records[..], sequence),
        "synced records must stay"
    );
}

/// Spoils the file of the decided blocks.
pub(crate) fn blocks(data: &[u8]) {
    let spoiled = spoil(data, BLOCKS);
    let Some(mut store) = open_or_repair(&spoiled.disk) else {
        return;
    };
    let last = store.blocks.last_height();
    for height in 1..=last {
        let stored = store.blocks.get(height).unwrap().unwrap();
        assert!(
            !spoiled.decayed || stored.block == block(height),
            "a decayed file must not give a false block"
        );
    }
    assert_eq!(store.blocks.get(last + 1).unwrap(), None);
    store.blocks.append(last + 1, b"next", b"proof").unwrap();
    store.blocks.sync().unwrap();
    drop(store);
    assert_eq!(open(&spoiled.disk).unwrap().blocks.last_height(), last + 1);
}

/// Spoils the signing guard.
pub(crate) fn guard(data: &[u8]) {
    let spoiled = spoil(data, GUARD);
    let store = open(&spoiled.disk).unwrap();
    let Ok(mut guard) = SigningGuard::open(&store, &KEY) else {
        return;
    };
    let last = guard.last();
    assert!(
        !spoiled.decayed || last == slot(SIGNED),
        "a decayed guard must not forget a signature"
    );
    let another = guard.intend(last, b"another statement");
    assert!(
        matches!(another, Err(GuardError::Refused { .. })),
        "a second statement in one slot must be refused"
    );
    let next = slot(last.height().saturating_add(1));
    let asked = guard.intend(next, b"the next statement");
    assert_eq!(asked.is_ok(), next > last);
    drop(guard);
    let again = SigningGuard::open(&store, &KEY).unwrap();
    assert_eq!(again.last(), next.max(last), "a guard must never go back");
}

/// Spoils a named value.
pub(crate) fn meta(data: &[u8]) {
    let spoiled = spoil(data, META);
    let Some(store) = open_or_repair(&spoiled.disk) else {
        return;
    };
    if let Ok(Some(value)) = store.meta.get("genesis") {
        assert!(
            !spoiled.decayed || value == b"the first block",
            "a decayed file must not give a false value"
        );
        store.meta.put("genesis", &value).unwrap();
        assert_eq!(store.meta.get("genesis").unwrap(), Some(value));
    }
}

pub(crate) fn wal_files() -> Vec<Vec<u8>> {
    seeds(&SEGMENTS)
}

pub(crate) fn blocks_files() -> Vec<Vec<u8>> {
    seeds(BLOCKS)
}

pub(crate) fn guard_files() -> Vec<Vec<u8>> {
    seeds(GUARD)
}

pub(crate) fn meta_files() -> Vec<Vec<u8>> {
    seeds(META)
}

/// Each file as it is, with one bit flipped, and with its end cut off.
fn seeds(files: &[&'static str]) -> Vec<Vec<u8>> {
    let whole = files.iter().zip(0u8..);
    let whole = whole.map(|(name, at)| [&[at][..], &RECORDED.files[name]].concat());
    let decayed = (0..files.len() as u8).map(|at| vec![128 + at, 40, 0, 1, 0]);
    let torn = (0..files.len() as u8).map(|at| vec![128 + at, 0, 0, 0, 7]);
    whole.chain(decayed).chain(torn).collect()
}
