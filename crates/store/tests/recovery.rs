//! Invariant 23 of reliability.md: recovery gives the synced prefix, whatever the crash.
#![allow(clippy::panic, clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

mod common;

use std::collections::BTreeMap;

use common::{open, replayed, tears};
use proptest::prelude::*;
use quorate_store::{Fault, MemoryDisk, Record, Store, StoreError, Tear, WalRecord};

/// What a node may do with a store.
#[derive(Debug, Clone)]
enum Step {
    Append { rise: u64, length: usize },
    Sync,
    TruncateBelow { back: u64 },
    Block { length: usize },
    SyncBlocks,
    Put { value: u8 },
}

/// What was asked of the store and what it reported done.
#[derive(Debug, Default)]
struct Model {
    appended: Vec<WalRecord>,
    synced: usize,
    truncated_below: u64,
    blocks: Vec<Vec<u8>>,
    synced_blocks: usize,
    put: Vec<u8>,
    put_done: Option<u8>,
}

impl Model {
    fn run(&mut self, store: &mut Store, steps: &[Step]) -> Result<(), StoreError> {
        steps.iter().try_for_each(|step| self.step(store, step))
    }

    fn step(&mut self, store: &mut Store, step: &Step) -> Result<(), StoreError> {
        match step {
            Step::Append { rise, length } => self.append(store, *rise, *length)?,
            Step::Sync => {
                store.wal.sync()?;
                self.synced = self.appended.len();
            }
            Step::TruncateBelow { back } => {
                let height = store.wal.last_height().saturating_sub(*back);
                self.truncated_below = self.truncated_below.max(height);
                store.wal.truncate_below(height)?;
            }
            Step::Block { length } => {
                let block = vec![self.blocks.len() as u8; *length];
                self.blocks.push(block.clone());
                store.blocks.append(self.blocks.len() as u64, &block, &block[..length / 2])?;
            }
            Step::SyncBlocks => {
                store.blocks.sync()?;
                self.synced_blocks = self.blocks.len();
            }
            Step::Put { value } => {
                self.put.push(*value);
                store.meta.put("value", &[*value; 30])?;
                self.put_done = Some(*value);
            }
        }
        Ok(())
    }

    fn append(&mut self, store: &mut Store, rise: u64, length: usize) -> Result<(), StoreError> {
        let sequence = store.wal.next_sequence();
        let height = store.wal.last_height() + rise;
        let payload = vec![sequence as u8; length];
        self.appended.push(WalRecord { sequence, kind: 3, height, payload: payload.clone() });
        assert_eq!(store.wal.append(Record { kind: 3, height, payload: &payload })?, sequence);
        Ok(())
    }

    /// The law: at least what was synced, at most what was written, nothing altered.
    fn check(&self, store: &Store) {
        let records = replayed(&store.wal);
        let first = records.first().map_or(self.appended.len(), |first| {
            self.appended.iter().position(|record| record.sequence == first.sequence).unwrap()
        });
        let end = if records.is_empty() { first } else { first + records.len() };
        assert_eq!(records, self.appended[first.min(end)..end]);
        let needed = self.appended[..self.synced].iter();
        let needed: Vec<_> =
            needed.filter(|record| record.height >= self.truncated_below).collect();
        for record in &needed {
            assert!(records.contains(record), "synced {record:?} is gone");
        }
        let last = store.blocks.last_height() as usize;
        assert!((self.synced_blocks..=self.blocks.len()).contains(&last));
        for (height, block) in (1..=last as u64).zip(&self.blocks) {
            let stored = store.blocks.get(height).unwrap().unwrap();
            assert_eq!((stored.height, &stored.block), (height, block));
            assert_eq!(stored.proof, block[..block.len() / 2]);
        }
        let value = store.meta.get("value").unwrap();
        let since = self
            .put_done
            .map_or(0, |done| self.put.iter().rposition(|value| *value == done).unwrap());
        let allowed = value.is_none() && self.put_done.is_none()
            || self.put[since..].iter().any(|put| value.as_deref() == Some(&[*put; 30]));
        assert!(allowed, "{value:?} was not the last value put");
    }

    /// What recovery gave is the truth from now on.
    fn adopt(&mut self, store: &Store) {
        self.appended = replayed(&store.wal);
        self.synced = self.appended.len();
        self.blocks.truncate(store.blocks.last_height() as usize);
        self.synced_blocks = self.blocks.len();
        self.put_done = store.meta.get("value").unwrap().map(|value| value[0]);
    }
}

fn steps() -> Vec<Step> {
    let append = |rise, length| Step::Append { rise, length };
    vec![
        append(1, 10),
        append(0, 0),
        append(1, 40),
        Step::Sync,
        Step::Block { length: 30 },
        Step::SyncBlocks,
        Step::Put { value: 1 },
        append(1, 90),
        append(0, 25),
        append(2, 33),
        Step::Block { length: 0 },
        Step::Sync,
        append(1, 5),
        Step::Put { value: 2 },
        append(1, 70),
        Step::Sync,
        append(0, 120),
        Step::Block { length: 70 },
        Step::Block { length: 11 },
        Step::Sync,
        Step::TruncateBelow { back: 1 },
        Step::SyncBlocks,
        append(1, 1),
        append(1, 200),
        Step::Sync,
        append(1, 64),
        append(0, 64),
        append(0, 64),
    ]
}

/// Runs `steps` with a power cut at the disk operation `cut`, then recovers, with a second power
/// cut at operation `second` of the recovery if there is one. `false` if the run ended before.
fn crash_and_recover(steps: &[Step], cut: u64, tear: Tear, second: Option<u64>) -> bool {
    let disk = MemoryDisk::new();
    disk.fail_at(cut, Fault::PowerOff);
    let mut model = Model::default();
    let ran = open(&disk).and_then(|(mut store, _)| model.run(&mut store, steps));
    if cut.is_multiple_of(2) {
        // The process alone ends: what its successor reads and goes on from must be durable.
        disk.kill();
        let (store, _) = open(&disk).unwrap();
        model.check(&store);
        model.adopt(&store);
    }
    disk.crash(tear);
    if let Some(second) = second {
        disk.fail_at(disk.operations() + second, Fault::PowerOff);
        drop(open(&disk));
        disk.crash(tear);
    }
    let (mut store, _) = open(&disk).unwrap();
    model.check(&store);
    model.adopt(&store);
    model.run(&mut store, steps).unwrap();
    drop(store);
    disk.crash(Tear::Nothing);
    model.check(&open(&disk).unwrap().0);
    ran.is_err()
}

#[test]
fn a_crash_at_every_operation_with_every_tear_leaves_the_synced_prefix() {
    let mut cut = 0;
    while tears().fold(false, |failed, tear| crash_and_recover(&steps(), cut, tear, None) | failed)
    {
        cut += 1;
    }
    assert!(cut > 50, "only {cut} operations were reached");
}

#[test]
fn a_crash_during_recovery_leaves_the_synced_prefix() {
    for cut in 0..100 {
        for second in 0..8 {
            for seed in 0..2 {
                let tear = Tear::Sectors { seed, bytes: 16 };
                crash_and_recover(&steps(), cut, tear, Some(second));
            }
        }
    }
}

#[test]
fn a_batch_torn_in_every_prefix_is_cut_to_whole_records() {
    let mut survivors = BTreeMap::new();
    for prefix in 0..=3 * (37 + 50) {
        let disk = MemoryDisk::new();
        let (mut store, _) = open(&disk).unwrap();
        common::append(&mut store.wal, 1, b"synced").unwrap();
        store.wal.sync().unwrap();
        for _ in 0..3 {
            common::append(&mut store.wal, 2, &[9; 50]).unwrap();
        }
        disk.fail_at(disk.operations() + 1, Fault::PowerOff);
        store.wal.sync().unwrap_err();
        drop(store);
        disk.crash(Tear::Prefix(prefix));
        let (store, recovery) = open(&disk).unwrap();
        let torn = prefix % (37 + 50);
        let cut: Vec<_> = recovery.cuts.iter().map(|cut| cut.bytes).collect();
        assert_eq!(cut, if torn == 0 { vec![] } else { vec![torn] });
        assert_eq!(replayed(&store.wal).len() as u64, 1 + prefix / (37 + 50));
        *survivors.entry(replayed(&store.wal).len()).or_insert(0) += 1;
    }
    assert_eq!(survivors, BTreeMap::from([(1, 87), (2, 87), (3, 87), (4, 1)]));
}

/// The trap of rule 10: inside one unsynced batch an early record may be lost and a later one
/// whole. That is a torn tail, not a damaged middle.
#[test]
fn a_hole_in_the_last_batch_is_a_torn_tail() {
    let disk = MemoryDisk::new();
    let (mut store, _) = open(&disk).unwrap();
    common::append(&mut store.wal, 1, b"synced").unwrap();
    store.wal.sync().unwrap();
    let hole = disk.contents("wal/000001.log").unwrap().len();
    common::append(&mut store.wal, 2, &[1; 40]).unwrap();
    common::append(&mut store.wal, 2, &[2; 40]).unwrap();
    store.wal.sync().unwrap();
    drop(store);
    let mut bytes = disk.contents("wal/000001.log").unwrap();
    bytes[hole..hole + 77].fill(0);
    disk.overwrite("wal/000001.log", &bytes);
    let (store, recovery) = open(&disk).unwrap();
    assert_eq!(recovery.cuts[0].bytes, 2 * 77);
    assert_eq!(replayed(&store.wal).len(), 1);
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..3u64, 0..130usize).prop_map(|(rise, length)| Step::Append { rise, length }),
        3 => Just(Step::Sync),
        1 => (0..4u64).prop_map(|back| Step::TruncateBelow { back }),
        2 => (0..90usize).prop_map(|length| Step::Block { length }),
        1 => Just(Step::SyncBlocks),
        1 => any::<u8>().prop_map(|value| Step::Put { value }),
    ]
}

fn any_tear() -> impl Strategy<Value = Tear> {
    prop_oneof![
        Just(Tear::Nothing),
        Just(Tear::Everything),
        (0..600u64).prop_map(Tear::Prefix),
        (any::<u64>(), 1..80usize).prop_map(|(seed, bytes)| Tear::Sectors { seed, bytes }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 96,
        failure_persistence: None,
        ..Default::default()
    })]

    #[test]
    fn random_runs_recover_from_a_crash_at_every_operation(
        steps in prop::collection::vec(any_step(), 1..40),
        tear in any_tear(),
        second in prop::option::of(0..6u64),
    ) {
        let mut cut = 0;
        while crash_and_recover(&steps, cut, tear, second) {
            cut += 1;
        }
    }

    #[test]
    fn a_failed_operation_poisons_and_loses_nothing_synced(
        steps in prop::collection::vec(any_step(), 1..30),
        short in prop::option::of(0..60usize),
        tear in any_tear(),
    ) {
        for at in 0.. {
            let disk = MemoryDisk::new();
            disk.fail_at(at, short.map_or(Fault::Error, Fault::ShortWrite));
            let mut model = Model::default();
            let ran = open(&disk).and_then(|(mut store, _)| model.run(&mut store, &steps));
            disk.crash(tear);
            let (store, _) = open(&disk).unwrap();
            model.check(&store);
            if ran.is_ok() {
                break;
            }
        }
    }
}
