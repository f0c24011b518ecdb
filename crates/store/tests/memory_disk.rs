//! The disk in memory keeps its promises: the other tests rest on them.
#![allow(clippy::panic, clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use quorate_store::{Disk, Fault, MemoryDisk, OpenMode, Tear};

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

/// As on Linux: the next sync says that all is well, and the bytes are gone.
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
    assert!(file.length().is_err(), "a handle does not outlive its process");
    assert_eq!(disk.contents("a").unwrap(), b"xew!");
}
