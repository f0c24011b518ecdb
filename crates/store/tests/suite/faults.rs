//! Every fault of [`quorate_store::MemoryDisk`] under a node. Synced data survives an honest disk
//! that is full or fails. On a disk that lies or misplaces writes, all that comes back was written,
//! or it is refused.
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "helpers of tests fail by panicking"
)]

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::common::model::{Model, steps};
use crate::common::{SWARM, config, open, replayed, slot, soaking, tears};
use quorate_store::{
    Fault, FaultKind, GuardError, MemoryDisk, Record, SigningGuard, Slot, Store, StoreError, Syncs,
    Tear, repair,
};

const KEY: [u8; 32] = [3; 32];

/// Writes that miss by some distance, a byte, a record, a sector or a page, or go to another file.
fn misdirections() -> Vec<Fault> {
    let by = [1, 37, 60, 97, 512, 4096, 8192, 12_288];
    let shifted = by.iter().flat_map(|&by| [by, -by]).map(Fault::ShiftedWrite);
    shifted.chain((0..8).map(Fault::StrayWrite)).collect()
}

/// Opens the folder. If it is refused, the refusal must ask for a repair, which is then done.
fn opened(disk: &MemoryDisk) -> Store {
    match open(disk) {
        Ok((store, _)) => store,
        Err(error @ StoreError::Damaged { .. }) => {
            assert!(
                error.to_string().contains("`quorate node repair memory`"),
                "{error}"
            );
            assert_ne!(repair(Arc::new(disk.clone()), config()).unwrap(), []);
            open(disk).unwrap().0
        }
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn a_full_disk_keeps_what_was_synced_and_goes_on_when_there_is_room() {
    let mut full = 0;
    for capacity in (0..).step_by(13) {
        for tear in [
            None,
            Some(Tear::Nothing),
            Some(Tear::Sectors { seed: 5, bytes: 16 }),
        ] {
            let disk = MemoryDisk::new();
            disk.set_capacity(capacity);
            let mut model = Model::default();
            let ran = open(&disk).and_then(|(mut store, _)| model.run(&mut store, &steps()));
            tear.map_or_else(|| disk.kill(), |tear| disk.crash(tear));
            match open(&disk) {
                Ok((store, _)) => model.check(&store),
                Err(error) => assert!(matches!(error, StoreError::Disk { .. }), "{error}"),
            }
            disk.set_capacity(u64::MAX);
            let (mut store, _) = open(&disk).unwrap();
            model.check(&store);
            model.adopt(&store);
            model.run(&mut store, &steps()).unwrap();
            model.check(&store);
            full += u64::from(ran.is_err());
            assert_eq!(ran.is_err(), disk.fired().contains_key(&FaultKind::Full));
        }
        if full < 3 * (1 + capacity / 13) {
            break;
        }
    }
    assert!(full > 150, "{full}");
}

#[test]
fn a_failed_read_alters_nothing_and_a_flipped_one_no_more_than_decay() {
    let recorded = || {
        let (disk, mut model) = (MemoryDisk::new(), Model::default());
        model.run(&mut open(&disk).unwrap().0, &steps()).unwrap();
        disk.crash(Tear::Nothing);
        (disk, model)
    };
    let faults = (0..60)
        .map(|step| Fault::FlippedRead(step * 91))
        .chain([Fault::ReadError]);
    for fault in faults {
        for read in 0.. {
            let (disk, model) = recorded();
            let before = disk.fired();
            disk.fail_at(disk.reads() + read, fault);
            let opened = open(&disk);
            if disk.fired() == before {
                break;
            }
            match opened {
                Ok((store, _)) => drop(model.check_unaltered(&store)),
                Err(StoreError::Damaged { .. }) => {}
                Err(error) => assert_eq!(fault, Fault::ReadError, "{error}"),
            }
            disk.kill();
            let (store, _) = open(&disk).unwrap();
            model.check_unaltered(&store);
            if fault == Fault::ReadError {
                model.check(&store);
            }
        }
    }
}

/// A write that went elsewhere is found when the folder is opened: all that comes back was written,
/// and the repair gives a prefix.
#[test]
fn a_misdirected_write_alters_no_record_and_no_block() {
    let mut fired = 0;
    for fault in misdirections() {
        for operation in 0.. {
            let (disk, mut model) = (MemoryDisk::new(), Model::default());
            disk.fail_at(operation, fault);
            let (mut store, _) = open(&disk).unwrap();
            model.run(&mut store, &steps()).unwrap();
            drop(store);
            if disk.fired().is_empty() {
                break;
            }
            disk.crash(Tear::Nothing);
            model.check_unaltered(&opened(&disk));
            fired += 1;
        }
    }
    assert!(fired > 500, "{fired}");
}

#[test]
fn syncs_that_lie_alter_no_record_and_no_block() {
    for tear in tears() {
        for (from, until) in (0..60).flat_map(|from| [(from, from + 1), (from, from + 9)]) {
            let (disk, mut model) = (MemoryDisk::new(), Model::default());
            let (mut store, _) = open(&disk).unwrap();
            for (index, step) in steps().iter().enumerate() {
                let lying = (from..until).contains(&index);
                disk.set_syncs(if lying { Syncs::Lying } else { Syncs::Honest });
                model.run(&mut store, std::slice::from_ref(step)).unwrap();
                if index + 1 == until {
                    break;
                }
            }
            disk.crash(tear);
            model.check_unaltered(&opened(&disk));
        }
    }
}

fn slot_of(index: u64) -> Slot {
    slot(1 + index / 3, 0, (index % 3) as u8)
}

/// The kind of a record of the inputs that led to a vote.
const INPUT: u8 = 1;
/// The kind of a record of a vote.
const VOTE: u8 = 2;

fn log(store: &mut Store, kind: u8, index: u64) -> Result<u64, StoreError> {
    let height = slot_of(index).height();
    store.wal.append(Record {
        kind,
        height,
        payload: &index.to_le_bytes(),
    })
}

/// Signs as a node does: the inputs that led to the vote are durable in the log, then the intent is
/// durable in the guard, then it sends. The vote becomes durable in the log with the inputs to the
/// next one. Returns how many votes it sent.
fn sign(disk: &MemoryDisk) -> u64 {
    let Ok((mut store, _)) = open(disk) else {
        return 0;
    };
    let Ok(mut guard) = SigningGuard::open(&store, &KEY) else {
        return 0;
    };
    for index in 0..7 {
        let logged = log(&mut store, INPUT, index).is_ok() && store.wal.sync().is_ok();
        if !logged || guard.intend(slot_of(index), b"one thing").is_err() {
            return index;
        }
        log(&mut store, VOTE, index).unwrap();
    }
    7
}

/// After a restart nothing else is signed where something was sent: the guard refuses it, or the
/// inputs that led to it are in the log and lead there again. A guard that is refused permits
/// nothing at all.
fn check_never_twice(disk: &MemoryDisk, sent: u64) {
    let store = opened(disk);
    let mut guard = match SigningGuard::open(&store, &KEY) {
        Ok(guard) => guard,
        Err(GuardError::Damaged { .. } | GuardError::Missing { .. }) => return,
        Err(error) => panic!("{error}"),
    };
    let records = replayed(&store.wal);
    let of_kind = |kind| {
        let records = records.iter().filter(move |record| record.kind == kind);
        records.map(|record| u64::from_le_bytes(record.payload[..].try_into().unwrap()))
    };
    for index in of_kind(VOTE) {
        let _ = guard.check_against(slot_of(index)).unwrap();
    }
    let led_to: BTreeSet<u64> = of_kind(INPUT).collect();
    for index in (0..sent).filter(|index| !led_to.contains(index)) {
        let asked = guard.intend(slot_of(index), b"another thing");
        assert!(
            matches!(asked, Err(GuardError::Refused { .. })),
            "{}",
            slot_of(index)
        );
    }
}

fn with_guard() -> MemoryDisk {
    let disk = MemoryDisk::new();
    SigningGuard::create(&disk, &KEY, &SWARM).unwrap();
    disk
}

#[test]
fn one_misdirected_write_makes_no_key_sign_twice() {
    for fault in misdirections() {
        for operation in 0.. {
            let disk = with_guard();
            disk.fail_at(disk.operations() + operation, fault);
            let sent = sign(&disk);
            if disk.fired().is_empty() {
                assert_eq!(sent, 7);
                break;
            }
            disk.crash(Tear::Nothing);
            check_never_twice(&disk, sent);
        }
    }
}

/// One lie hits either the guard or the log, and the other of the two still knows.
#[test]
fn one_lying_sync_makes_no_key_sign_twice() {
    // A later honest sync makes good for the lie, so the power must go off soon after it.
    let (stride, lasting) = if soaking() { (2, 30) } else { (5, 7) };
    for tear in tears().step_by(stride) {
        for (lie, cut) in (0..60).flat_map(|lie| (lie..lie + lasting).map(move |cut| (lie, cut))) {
            let disk = with_guard();
            disk.fail_at(disk.operations() + lie, Fault::SyncLie);
            disk.fail_at(disk.operations() + cut, Fault::PowerOff);
            let sent = sign(&disk);
            disk.crash(tear);
            check_never_twice(&disk, sent);
        }
    }
}

/// Nothing on this disk can notice this, as the documentation of the crate says: guard and log
/// forget together. A validator with such a disk counts among the faulty.
#[test]
fn a_disk_that_lies_to_guard_and_log_makes_a_key_forget() {
    let disk = with_guard();
    assert_eq!(open(&disk).unwrap().0.wal.next_sequence(), 1);
    disk.set_syncs(Syncs::Lying);
    assert_eq!(sign(&disk), 7);
    disk.crash(Tear::Nothing);
    let store = opened(&disk);
    let guard = SigningGuard::open(&store, &KEY).unwrap();
    assert_eq!(
        (guard.last(), replayed(&store.wal)),
        (Slot::default(), vec![])
    );
}
