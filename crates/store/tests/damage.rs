//! Rule 10 of consensus.md: decay is refused or cut, never read as something else.
#![allow(clippy::panic, clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

mod common;

use std::sync::Arc;

use common::{append, config, open, replayed};
use quorate_store::{MemoryDisk, Store, StoreError, WalRecord, repair};

const FILES: [&str; 4] = ["wal/000001.log", "wal/000002.log", "wal/000003.log", "blocks.log"];

/// A recorded run: batches of two records, three segments, five blocks in three batches.
fn recorded() -> (MemoryDisk, Vec<WalRecord>) {
    let disk = MemoryDisk::new();
    let (mut store, _) = open(&disk).unwrap();
    for height in 1..=6 {
        append(&mut store.wal, height, &[height as u8; 20]).unwrap();
        append(&mut store.wal, height, &[0x55; 30]).unwrap();
        store.wal.sync().unwrap();
    }
    for height in 1..=5 {
        store.blocks.append(height, &[height as u8; 25], b"proof").unwrap();
        if height % 2 == 1 {
            store.blocks.sync().unwrap();
        }
    }
    store.meta.put("genesis", b"the first block").unwrap();
    let records = replayed(&store.wal);
    assert!(disk.contents("wal/000003.log").is_some() && records.len() == 12);
    (disk, records)
}

/// The same files in a new folder, `name` with other content.
fn spoiled(disk: &MemoryDisk, name: &str, bytes: &[u8]) -> MemoryDisk {
    let copy = MemoryDisk::new();
    for file in FILES.iter().chain(&["meta/genesis"]) {
        copy.overwrite(file, &disk.contents(file).unwrap());
    }
    copy.overwrite(name, bytes);
    copy
}

/// Whether records and blocks are what was recorded, up to some end; how many there are.
fn check_prefix(store: &Store, records: &[WalRecord]) -> (usize, u64) {
    let replayed = replayed(&store.wal);
    assert_eq!(replayed, records[..replayed.len()]);
    for height in 1..=store.blocks.last_height() {
        let stored = store.blocks.get(height).unwrap().unwrap();
        assert_eq!((stored.block, stored.proof), (vec![height as u8; 25], b"proof".to_vec()));
    }
    (replayed.len(), store.blocks.last_height())
}

/// After `repair` the folder opens with a prefix, and the file is kept as it was.
fn check_repair(disk: &MemoryDisk, name: &str, bytes: &[u8], records: &[WalRecord]) {
    let repaired = repair(Arc::new(disk.clone()), config()).unwrap();
    assert!(!repaired.is_empty());
    // A segment that ends too early, at a record, stays as it is; those behind it go.
    let mut kept = repaired.iter().map(|repaired| repaired.kept.strip_prefix("memory/").unwrap());
    let as_it_was = |kept| disk.contents(kept).is_some_and(|kept| kept == bytes);
    assert!(kept.any(as_it_was) || as_it_was(name), "{name}");
    let (store, _) = open(disk).unwrap();
    let counts = replayed(&store.wal).len();
    // A first segment that is gone whole leaves an empty log that starts anew.
    assert!(counts == 0 || replayed(&store.wal)[..] == records[..counts]);
    // A log that stands beyond blocks that were cut could not be gone on with.
    assert!(counts == 0 || name != "blocks.log");
    drop(store);
    assert_eq!(repair(Arc::new(disk.clone()), config()).unwrap(), []);
}

#[test]
fn every_flipped_byte_is_refused_or_cut() {
    let (disk, records) = recorded();
    for name in FILES {
        let good = disk.contents(name).unwrap();
        for (at, flip) in (0..good.len()).flat_map(|at| [(at, 0x01), (at, 0xff)]) {
            let mut bytes = good.clone();
            bytes[at] ^= flip;
            let disk = spoiled(&disk, name, &bytes);
            match open(&disk) {
                // Only the last batch may pass for a torn tail.
                Ok((store, recovery)) => {
                    assert_eq!(recovery.cuts.len(), 1, "{name} byte {at}");
                    let (records, blocks) = check_prefix(&store, &records);
                    assert!(records >= 10 && blocks >= 3, "{name} byte {at}: {records} {blocks}");
                    assert!(name != FILES[0] && name != FILES[1]);
                }
                Err(StoreError::Damaged { path, offset, folder }) => {
                    assert_eq!((path, folder.as_str()), (format!("memory/{name}"), "memory"));
                    assert!(offset <= at as u64);
                    check_repair(&disk, name, &bytes, &records);
                }
                Err(StoreError::Unsupported { found, .. }) => {
                    assert!((8..12).contains(&at) && found != 1);
                }
                Err(error) => panic!("{name} byte {at}: {error}"),
            }
        }
    }
}

#[test]
fn every_cut_is_refused_or_gives_a_prefix() {
    let (disk, records) = recorded();
    for name in FILES {
        let good = disk.contents(name).unwrap();
        for length in 0..good.len() {
            let disk = spoiled(&disk, name, &good[..length]);
            match open(&disk) {
                Ok((store, _)) => {
                    check_prefix(&store, &records);
                    assert!(length >= 60 && name != FILES[0] && name != FILES[1], "{name}");
                }
                Err(StoreError::Damaged { .. }) => {
                    check_repair(&disk, name, &good[..length], &records);
                }
                Err(error) => panic!("{name} cut to {length}: {error}"),
            }
        }
    }
}

#[test]
fn a_segment_missing_in_the_middle_is_refused_and_repaired() {
    let (disk, records) = recorded();
    let copy = MemoryDisk::new();
    for name in ["wal/000001.log", "wal/000003.log", "blocks.log"] {
        copy.overwrite(name, &disk.contents(name).unwrap());
    }
    assert!(matches!(open(&copy), Err(StoreError::Damaged { .. })));
    let repaired = repair(Arc::new(copy.clone()), config()).unwrap();
    assert_eq!(repaired[0].kept, "memory/wal/000003.log.damaged.1");
    let (store, _) = open(&copy).unwrap();
    let (kept, _) = check_prefix(&store, &records);
    assert!(kept > 0);
}

#[test]
fn swapped_segments_and_what_does_not_belong_are_refused() {
    let (disk, _) = recorded();
    let second = disk.contents("wal/000002.log").unwrap();
    let swapped = spoiled(&disk, "wal/000001.log", &second);
    assert!(matches!(open(&swapped), Err(StoreError::Damaged { .. })));
    let garbage = [&disk.contents("wal/000001.log").unwrap()[..], &[0; 50]].concat();
    let garbage = spoiled(&disk, "wal/000001.log", &garbage);
    assert!(matches!(open(&garbage), Err(StoreError::Damaged { .. })), "nothing follows a seal");
    let mut repeated = disk.contents("wal/000003.log").unwrap();
    repeated.extend_from_slice(&repeated.clone()[60..]);
    let repeated = spoiled(&disk, "wal/000003.log", &repeated);
    assert!(matches!(open(&repeated), Err(StoreError::Damaged { .. })));
}

#[test]
fn the_error_names_file_offset_and_command() {
    let (disk, _) = recorded();
    let mut bytes = disk.contents("wal/000001.log").unwrap();
    bytes[60 + 40] ^= 1;
    let error = open(&spoiled(&disk, "wal/000001.log", &bytes)).map(|_| ()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "memory/wal/000001.log is damaged at byte 60, in what had been synced; \
         to cut it there and keep a copy, run `quorate node repair memory`"
    );
}

#[test]
fn a_block_that_decays_while_the_node_runs_is_not_handed_out() {
    let (disk, _) = recorded();
    let (store, _) = open(&disk).unwrap();
    let mut bytes = disk.contents("blocks.log").unwrap();
    bytes[60 + 37 + 10] ^= 1;
    disk.overwrite("blocks.log", &bytes);
    assert!(matches!(store.blocks.get(1), Err(StoreError::Damaged { offset: 60, .. })));
    assert!(store.blocks.get(2).unwrap().is_some());
}

#[test]
fn a_damaged_value_is_refused_and_set_aside() {
    let (disk, _) = recorded();
    let good = disk.contents("meta/genesis").unwrap();
    for at in 0..good.len() {
        let mut bytes = good.clone();
        bytes[at] ^= 0x10;
        let disk = spoiled(&disk, "meta/genesis", &bytes);
        let (store, _) = open(&disk).unwrap();
        assert!(matches!(store.meta.get("genesis"), Err(StoreError::Damaged { .. })));
        drop(store);
        assert_eq!(repair(Arc::new(disk.clone()), config()).unwrap().len(), 1);
        assert_eq!(open(&disk).unwrap().0.meta.get("genesis").unwrap(), None);
    }
}
