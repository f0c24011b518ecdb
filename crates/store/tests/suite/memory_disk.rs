//! Checks that the disk in memory keeps its promises, on which the other tests rest.
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "helpers of tests fail by panicking"
)]

use std::collections::BTreeMap;
use std::io::ErrorKind;

use quorate_store::{Disk, DiskFile, Fault, FaultKind, MemoryDisk, OpenMode, Syncs, Tear};

/// A durable file `a` with content `old`, overwritten with `new!` and not synced.
fn overwritten() -> MemoryDisk {
    let disk = MemoryDisk::new();
    let mut file = disk.open("a", OpenMode::New).unwrap();
    file.write_at(0, b"old").unwrap();
    file.sync().unwrap();
    disk.sync_dir("").unwrap();
    file.write_at(0, b"new!").unwrap();
    disk
}

#[test]
fn a_power_cut_keeps_what_was_synced_and_what_the_tear_says() {
    for (tear, content) in [
        (Tear::Nothing, &b"old"[..]),
        (Tear::Prefix(0), b"old"),
        (Tear::Prefix(2), b"ned"),
        (Tear::Prefix(4), b"new!"),
        (Tear::Everything, b"new!"),
    ] {
        let disk = overwritten();
        assert_eq!(disk.contents("a").unwrap(), b"new!");
        disk.crash(tear);
        assert_eq!(disk.contents("a").unwrap(), content, "{tear:?}");
    }
}

#[test]
fn a_kill_loses_nothing_and_makes_nothing_durable() {
    let disk = overwritten();
    disk.kill();
    assert_eq!(disk.contents("a").unwrap(), b"new!");
    disk.crash(Tear::Nothing);
    assert_eq!(disk.contents("a").unwrap(), b"old");
}

#[test]
fn names_are_durable_after_their_folder_was_synced() {
    let disk = overwritten();
    disk.rename("a", "b").unwrap();
    disk.crash(Tear::Nothing);
    assert!(disk.contents("a").is_some() && disk.contents("b").is_none());
    disk.rename("a", "b").unwrap();
    disk.sync_dir("").unwrap();
    disk.crash(Tear::Nothing);
    assert!(disk.contents("a").is_none() && disk.contents("b").is_some());
}

/// As on Linux: the next sync reports success, and the bytes are lost.
#[test]
fn a_failed_sync_loses_what_it_was_to_keep() {
    let disk = overwritten();
    let mut file = disk.open("a", OpenMode::Existing).unwrap();
    disk.fail_at(disk.operations(), Fault::Error);
    file.sync().unwrap_err();
    file.sync().unwrap();
    assert_eq!(disk.contents("a").unwrap(), b"new!");
    disk.crash(Tear::Nothing);
    assert_eq!(disk.contents("a").unwrap(), b"old");
}

#[test]
fn without_power_everything_fails_until_the_next_start() {
    let disk = overwritten();
    let mut file = disk.open("a", OpenMode::Existing).unwrap();
    disk.fail_at(disk.operations(), Fault::PowerOff);
    file.write_at(0, b"x").unwrap_err();
    file.write_at(0, b"y").unwrap_err();
    assert!(file.length().is_err() && disk.lock().is_err() && disk.list("").is_err());
    disk.crash(Tear::Everything);
    assert!(
        file.length().is_err(),
        "a handle does not outlive its process"
    );
    assert_eq!(disk.contents("a").unwrap(), b"xew!");
}

/// A disk with durable files of these contents.
fn written(files: &[(&str, &[u8])]) -> MemoryDisk {
    let disk = MemoryDisk::new();
    for (name, bytes) in files {
        made(&disk, name, bytes).unwrap().sync().unwrap();
    }
    disk.sync_dir("").unwrap();
    disk
}

fn made(disk: &MemoryDisk, name: &str, bytes: &[u8]) -> std::io::Result<Box<dyn DiskFile>> {
    let mut file = disk.open(name, OpenMode::New)?;
    file.write_at(0, bytes)?;
    Ok(file)
}

fn opened(disk: &MemoryDisk, name: &str) -> Box<dyn DiskFile> {
    disk.open(name, OpenMode::Existing).unwrap()
}

fn fired<const N: usize>(counts: [(FaultKind, u64); N]) -> BTreeMap<FaultKind, u64> {
    BTreeMap::from(counts)
}

#[test]
fn what_a_tear_takes_is_counted() {
    for (tear, kind) in [
        (Tear::Nothing, Some(FaultKind::Lost)),
        (Tear::Prefix(0), Some(FaultKind::Lost)),
        (Tear::Prefix(3), Some(FaultKind::TornPrefix)),
        (Tear::Prefix(4), None),
        (Tear::Everything, None),
        (
            Tear::Sectors { seed: 1, bytes: 1 },
            Some(FaultKind::TornSubset),
        ),
    ] {
        let disk = overwritten();
        disk.crash(tear);
        assert_eq!(
            disk.fired(),
            kind.map(|kind| (kind, 1)).into_iter().collect(),
            "{tear:?}"
        );
    }
}

#[test]
fn a_lying_sync_reports_success_and_keeps_nothing() {
    let period = |disk: &MemoryDisk| disk.set_syncs(Syncs::Lying);
    let once = |disk: &MemoryDisk| disk.fail_at(disk.operations(), Fault::SyncLie);
    for lie in [&period as &dyn Fn(&MemoryDisk), &once] {
        let disk = overwritten();
        lie(&disk);
        opened(&disk, "a").sync().unwrap();
        disk.set_syncs(Syncs::Honest);
        disk.crash(Tear::Nothing);
        assert_eq!(disk.contents("a").unwrap(), b"old");
        assert_eq!(
            disk.fired(),
            fired([(FaultKind::Lost, 1), (FaultKind::SyncLie, 1)])
        );
    }
}

#[test]
fn a_lying_sync_of_a_folder_keeps_no_name() {
    for (syncs, keeps) in [(Syncs::Lying, false), (Syncs::Honest, true)] {
        let disk = written(&[("a", b"old")]);
        disk.rename("a", "b").unwrap();
        disk.set_syncs(syncs);
        disk.sync_dir("").unwrap();
        disk.crash(Tear::Nothing);
        assert_eq!(disk.contents("b").is_some(), keeps);
        assert_eq!(disk.contents("a").is_none(), keeps);
    }
}

#[test]
fn an_honest_sync_after_a_lie_keeps_all() {
    let disk = overwritten();
    let mut file = opened(&disk, "a");
    disk.fail_at(disk.operations(), Fault::SyncLie);
    file.sync().unwrap();
    file.sync().unwrap();
    disk.crash(Tear::Nothing);
    assert_eq!(disk.contents("a").unwrap(), b"new!");
}

#[test]
fn a_misdirected_write_shows_as_meant_until_the_power_cut() {
    // `XYZ` is written at offset 2 of `a`. Beside it are `0`, which is empty, and the short `b`.
    for (fault, a, b) in [
        (Fault::ShiftedWrite(0), "abXYZfgh", "1234"),
        (Fault::ShiftedWrite(3), "abcdeXYZ", "1234"),
        (Fault::ShiftedWrite(5), "abcdefgX", "1234"),
        (Fault::ShiftedWrite(6), "abcdefgh", "1234"),
        (Fault::ShiftedWrite(-1), "aXYZefgh", "1234"),
        (Fault::ShiftedWrite(-9), "XYZdefgh", "1234"),
        (Fault::ShiftedWrite(i64::MAX), "abcdefgh", "1234"),
        (Fault::ShiftedWrite(i64::MIN), "XYZdefgh", "1234"),
        (Fault::StrayWrite(0), "abcdefgh", "1234"),
        (Fault::StrayWrite(1), "abcdefgh", "12XY"),
        (Fault::StrayWrite(3), "abcdefgh", "12XY"),
    ] {
        let disk = written(&[("0", b""), ("a", b"abcdefgh"), ("b", b"1234")]);
        let mut file = opened(&disk, "a");
        disk.fail_at(disk.operations(), fault);
        file.write_at(2, b"XYZ").unwrap();
        file.sync().unwrap();
        disk.kill();
        assert_eq!(disk.contents("a").unwrap(), b"abXYZfgh", "{fault:?}");
        assert_eq!(disk.contents("b").unwrap(), b"1234", "{fault:?}");
        disk.crash(Tear::Nothing);
        assert_eq!(disk.contents("a").unwrap(), a.as_bytes(), "{fault:?}");
        assert_eq!(disk.contents("b").unwrap(), b.as_bytes(), "{fault:?}");
        assert_eq!(disk.contents("0").unwrap(), b"", "{fault:?}");
        assert_eq!(disk.fired(), fired([(FaultKind::MisdirectedWrite, 1)]));
    }
}

#[test]
fn a_misdirected_append_leaves_zeros_where_the_file_grew() {
    for (fault, content) in [
        (Fault::ShiftedWrite(-2), "aXYZ\0\0"),
        (Fault::ShiftedWrite(2), "abc\0\0X"),
        (Fault::StrayWrite(7), "abc\0\0\0"),
    ] {
        let disk = written(&[("a", b"abc")]);
        let mut file = opened(&disk, "a");
        disk.fail_at(disk.operations(), fault);
        file.write_at(3, b"XYZ").unwrap();
        file.sync().unwrap();
        disk.crash(Tear::Nothing);
        assert_eq!(disk.contents("a").unwrap(), content.as_bytes(), "{fault:?}");
    }
}

#[test]
fn a_full_disk_takes_what_fits_until_room_is_made() {
    let disk = written(&[("a", b"abc"), ("b", b"12345")]);
    disk.set_capacity(10);
    let mut file = opened(&disk, "a");
    assert_eq!(
        file.write_at(2, b"WXYZ").unwrap_err().kind(),
        ErrorKind::StorageFull
    );
    assert_eq!(
        (disk.contents("a").unwrap(), disk.used()),
        (b"abWXY".to_vec(), 10)
    );
    assert_eq!(
        made(&disk, "c", b"").map(|_| ()).unwrap_err().kind(),
        ErrorKind::StorageFull
    );
    assert!(disk.contents("c").is_none());
    file.write_at(0, b"fits").unwrap();
    file.sync().unwrap();
    disk.rename("b", "d").unwrap();
    assert_eq!(disk.fired(), fired([(FaultKind::Full, 2)]));
    disk.remove("d").unwrap();
    made(&disk, "c", b"67890").unwrap();
    assert!(file.write_at(5, b"!").is_err());
    disk.set_capacity(u64::MAX);
    file.write_at(5, b"!").unwrap();
}

#[test]
fn a_read_fails_or_flips_once() {
    let disk = written(&[("a", b"abc")]);
    let file = opened(&disk, "a");
    let read = || {
        let mut buffer = [0; 8];
        file.read_at(1, &mut buffer)
            .map(|count| buffer[..count].to_vec())
    };
    disk.fail_at(disk.reads() + 1, Fault::ReadError);
    disk.fail_at(disk.reads() + 2, Fault::FlippedRead(16 + 9));
    assert_eq!(read().unwrap(), b"bc");
    assert!(read().is_err());
    assert_eq!(read().unwrap(), b"ba");
    assert_eq!(read().unwrap(), b"bc");
    assert_eq!(disk.contents("a").unwrap(), b"abc");
    assert_eq!(disk.reads(), 4);
    assert_eq!(
        disk.fired(),
        fired([(FaultKind::ReadError, 1), (FaultKind::FlippedRead, 1)])
    );
}

#[test]
fn a_lost_file_is_gone_for_good_and_the_others_stay() {
    let disk = written(&[("a", b"abc"), ("b", b"def")]);
    disk.lose("a");
    disk.lose("none");
    assert_eq!(disk.names(), ["b"]);
    disk.crash(Tear::Nothing);
    assert_eq!(
        (disk.names(), disk.contents("b")),
        (vec!["b".to_owned()], Some(b"def".to_vec()))
    );
}

#[test]
fn the_checksum_tells_what_was_written_where_and_when_it_was_synced() {
    let written = |bytes: &[u8], offset, synced| {
        let disk = written(&[("a", b"abc")]);
        let mut file = opened(&disk, "a");
        file.write_at(offset, bytes).unwrap();
        if synced {
            file.sync().unwrap();
        }
        disk.checksum()
    };
    let one = written(b"x", 0, false);
    assert_eq!(one, written(b"x", 0, false));
    let others = [
        written(b"y", 0, false),
        written(b"x", 1, false),
        written(b"x", 0, true),
    ];
    assert!(!others.contains(&one));
}

#[test]
fn a_wiped_disk_is_empty_for_good() {
    let disk = written(&[("a", b"abc")]);
    let file = opened(&disk, "a");
    let lock = disk.lock().unwrap();
    disk.wipe();
    assert!(file.length().is_err() && disk.names().is_empty() && disk.used() == 0);
    disk.lock().unwrap();
    drop(lock);
    disk.crash(Tear::Everything);
    assert!(disk.names().is_empty());
    made(&disk, "a", b"new").unwrap();
    assert_eq!(disk.fired(), fired([(FaultKind::Wiped, 1)]));
}

#[test]
fn faults_wait_for_an_operation_they_can_befall() {
    let disk = written(&[("a", b"abc")]);
    let mut file = opened(&disk, "a");
    let next = disk.operations();
    disk.fail_at(next + 1, Fault::SyncLie);
    disk.fail_at(next, Fault::ShiftedWrite(1));
    disk.fail_at(next + 3, Fault::Error);
    file.sync().unwrap();
    file.write_at(0, b"X").unwrap();
    file.sync().unwrap();
    assert_eq!(
        disk.fired(),
        fired([(FaultKind::SyncLie, 1), (FaultKind::MisdirectedWrite, 1)])
    );
    file.sync().unwrap_err();
    assert_eq!((disk.syncs(), disk.operations()), (2 + 3, next + 4));
    assert_eq!(disk.fired()[&FaultKind::FailedSync], 1);
    disk.fail_at(disk.operations() + 1, Fault::Error);
    disk.kill();
    let mut file = opened(&disk, "a");
    file.sync().unwrap();
    file.sync().unwrap();
}

#[test]
fn ordered_failures_are_counted_by_what_failed() {
    let disk = overwritten();
    disk.fail_at(disk.operations(), Fault::SyncError);
    let mut file = opened(&disk, "a");
    file.write_at(0, b"X").unwrap();
    file.sync().unwrap_err();
    assert_eq!(disk.fired(), fired([(FaultKind::FailedSync, 1)]));
    for (fault, write, sync) in [
        (
            Fault::Error,
            FaultKind::FailedOperation,
            FaultKind::FailedSync,
        ),
        (
            Fault::ShortWrite(1),
            FaultKind::ShortWrite,
            FaultKind::FailedSync,
        ),
        (Fault::PowerOff, FaultKind::PowerOff, FaultKind::PowerOff),
    ] {
        let [written_at, synced_at] = [0, 1].map(|operation| {
            let disk = written(&[("a", b"abc")]);
            let mut file = opened(&disk, "a");
            disk.fail_at(disk.operations() + operation, fault);
            assert!(file.write_at(0, b"XY").and_then(|()| file.sync()).is_err());
            disk.fired()
        });
        assert_eq!(
            (written_at, synced_at),
            (fired([(write, 1)]), fired([(sync, 1)]))
        );
    }
}
