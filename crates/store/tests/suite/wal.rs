//! The log: order, limits, segments, poison (N-21 and N-31).
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "helpers of tests fail by panicking"
)]

use crate::common::{SWARM, append, config, open, replayed};
use quorate_store::{Fault, MAX_PAYLOAD_BYTES, MemoryDisk, StoreError, repair};
use std::sync::Arc;

#[test]
fn records_come_back_in_order_over_segments_and_restarts() {
    let disk = MemoryDisk::new();
    for start in 0..4 {
        let (mut store, recovery) = open(&disk).unwrap();
        assert!(recovery.cuts.is_empty());
        for offset in 0..5 {
            let height = start * 5 + offset + 1;
            assert_eq!(
                append(&mut store.wal, height, &[height as u8; 60]).unwrap(),
                height
            );
            assert_eq!(store.wal.sync().unwrap(), height + 1);
        }
    }
    let (store, _) = open(&disk).unwrap();
    let heights: Vec<_> = replayed(&store.wal)
        .iter()
        .map(|record| record.height)
        .collect();
    assert_eq!(heights, (1..=20).collect::<Vec<_>>());
    assert!(
        disk.contents("wal/000005.log").is_some(),
        "segments were rotated"
    );
}

#[test]
fn one_sync_serves_a_batch_and_none_is_done_without_records() {
    let disk = MemoryDisk::new();
    let (mut store, _) = open(&disk).unwrap();
    let before = disk.operations();
    for _ in 0..5 {
        append(&mut store.wal, 1, b"vote").unwrap();
    }
    store.wal.sync().unwrap();
    assert_eq!(disk.operations() - before, 2, "one write and one sync");
    store.wal.sync().unwrap();
    assert_eq!(disk.operations() - before, 2, "nothing new, nothing done");
}

#[test]
fn a_lower_height_and_a_record_too_long_change_nothing() {
    let disk = MemoryDisk::new();
    let (mut store, _) = open(&disk).unwrap();
    append(&mut store.wal, 5, b"five").unwrap();
    let back = append(&mut store.wal, 4, b"four");
    assert!(matches!(
        back,
        Err(StoreError::WrongHeight {
            expected: 5,
            found: 4
        })
    ));
    let long = append(&mut store.wal, 5, &vec![0; MAX_PAYLOAD_BYTES + 1]);
    assert!(matches!(long, Err(StoreError::TooLarge { .. })));
    assert_eq!(append(&mut store.wal, 5, b"more").unwrap(), 2);
    store.wal.sync().unwrap();
    assert_eq!(replayed(&store.wal).len(), 2);
}

#[test]
fn the_longest_record_is_kept() {
    let disk = MemoryDisk::new();
    let (mut store, _) = open(&disk).unwrap();
    let payload = vec![0xab; MAX_PAYLOAD_BYTES];
    append(&mut store.wal, 1, &payload).unwrap();
    store.wal.sync().unwrap();
    drop(store);
    let (store, _) = open(&disk).unwrap();
    assert!(replayed(&store.wal)[0].payload == payload);
}

#[test]
fn truncate_below_keeps_every_record_of_the_height_and_above() {
    let disk = MemoryDisk::new();
    let (mut store, _) = open(&disk).unwrap();
    for height in 1..=12 {
        append(&mut store.wal, height, &[0; 100]).unwrap();
        store.wal.sync().unwrap();
    }
    store.wal.truncate_below(7).unwrap();
    assert!(disk.contents("wal/000001.log").is_none());
    drop(store);
    let (store, _) = open(&disk).unwrap();
    let heights: Vec<_> = replayed(&store.wal)
        .iter()
        .map(|record| record.height)
        .collect();
    assert!(heights[0] > 1 && heights[0] <= 7, "{heights:?}");
    assert_eq!(heights.last(), Some(&12));
    assert_eq!(store.wal.next_sequence(), 13, "sequences go on");
}

#[test]
fn a_failed_sync_poisons_the_log_for_good() {
    let disk = MemoryDisk::new();
    let (mut store, _) = open(&disk).unwrap();
    append(&mut store.wal, 1, b"vote").unwrap();
    disk.fail_at(disk.operations() + 1, Fault::Error);
    assert!(matches!(store.wal.sync(), Err(StoreError::Disk { .. })));
    assert!(matches!(store.wal.sync(), Err(StoreError::Poisoned { .. })));
    assert!(matches!(
        append(&mut store.wal, 1, b"x"),
        Err(StoreError::Poisoned { .. })
    ));
    assert!(matches!(
        store.wal.truncate_below(1),
        Err(StoreError::Poisoned { .. })
    ));
    assert!(matches!(
        store.wal.replay().map(|_| ()),
        Err(StoreError::Poisoned { .. })
    ));
}

#[test]
fn a_failed_write_poisons_the_log_for_good() {
    let disk = MemoryDisk::new();
    let (mut store, _) = open(&disk).unwrap();
    append(&mut store.wal, 1, b"vote").unwrap();
    disk.fail_at(disk.operations(), Fault::ShortWrite(10));
    assert!(matches!(store.wal.sync(), Err(StoreError::Disk { .. })));
    assert!(matches!(store.wal.sync(), Err(StoreError::Poisoned { .. })));
}

#[test]
fn another_swarm_is_refused_by_open_and_repair() {
    let disk = MemoryDisk::new();
    drop(open(&disk).unwrap());
    let mut other = config();
    other.swarm = [8; 32];
    let opened = quorate_store::Store::open(
        Arc::new(disk.clone()),
        other.clone(),
        quorate_store::CrashPoints::default(),
    );
    assert!(matches!(
        opened.map(|_| ()),
        Err(StoreError::WrongSwarm { expected, found, .. })
            if expected == [8; 32] && found == SWARM
    ));
    let repaired = repair(Arc::new(disk), other);
    assert!(matches!(repaired, Err(StoreError::WrongSwarm { .. })));
}

/// A payload of a peer that contains records of a later batch must not turn a torn tail into a
/// refusal. The peer does not know the salt.
#[test]
fn records_inside_a_payload_prove_nothing() {
    let stranger = MemoryDisk::new();
    let other_salt = quorate_store::StoreConfig {
        salt: 99,
        ..config()
    };
    let opened =
        quorate_store::Store::open(Arc::new(stranger.clone()), other_salt, Default::default());
    let (mut store, _) = opened.unwrap();
    for _ in 0..4 {
        append(&mut store.wal, 1, b"bait").unwrap();
        store.wal.sync().unwrap();
    }
    let bait = stranger.contents("wal/000001.log").unwrap();

    let disk = MemoryDisk::new();
    let (mut store, _) = open(&disk).unwrap();
    let start = disk.contents("wal/000001.log").unwrap().len();
    append(&mut store.wal, 1, &bait[60..]).unwrap();
    store.wal.sync().unwrap();
    drop(store);
    let mut bytes = disk.contents("wal/000001.log").unwrap();
    bytes[start] ^= 1;
    disk.overwrite("wal/000001.log", &bytes);
    let (store, recovery) = open(&disk).unwrap();
    assert_eq!(recovery.cuts.len(), 1);
    assert!(replayed(&store.wal).is_empty());
}
