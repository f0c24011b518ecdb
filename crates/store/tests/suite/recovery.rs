//! Invariant 23 of the simulator: recovery gives the synced prefix, whatever the crash.
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "helpers of tests fail by panicking"
)]

use std::collections::BTreeMap;

use crate::common;
use crate::common::model::{Model, Step, steps};
use crate::common::{open, replayed, tears};
use proptest::prelude::*;
use quorate_store::{Fault, MemoryDisk, Tear};

/// Runs `steps` with a power cut at the disk operation `cut`, then recovers, with a second power
/// cut at operation `second` of the recovery if there is one. Returns `false` if the run ended
/// before the cut.
fn crash_and_recover(steps: &[Step], cut: u64, tear: Tear, second: Option<u64>) -> bool {
    let disk = MemoryDisk::new();
    disk.fail_at(cut, Fault::PowerOff);
    let mut model = Model::default();
    let ran = open(&disk).and_then(|(mut store, _)| model.run(&mut store, steps));
    if cut.is_multiple_of(2) {
        // Only the process ends: the data that its successor goes on from must be durable.
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
    while tears().fold(false, |failed, tear| {
        crash_and_recover(&steps(), cut, tear, None) | failed
    }) {
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
    assert_eq!(
        survivors,
        BTreeMap::from([(1, 87), (2, 87), (3, 87), (4, 1)])
    );
}

/// The hard case of N-31: in one unsynced batch an early record may be lost and a later one whole,
/// which is a torn tail and not a damaged middle.
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
