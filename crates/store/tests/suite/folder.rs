//! The folder on a real file system: names, modes, lock, crash points.
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "helpers of tests fail by panicking"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};

use crate::common::{SWARM, append, config, replayed, slot};
use quorate_store::{
    CRASH_POINTS, CrashPoints, Disk, FileDisk, MAX_META_BYTES, Permission, Recovery, SigningGuard,
    Store, StoreError, repair,
};
use tempfile::TempDir;

const KEY: [u8; 32] = [3; 32];

fn disk(folder: &TempDir) -> Arc<FileDisk> {
    Arc::new(FileDisk::new(folder.path().join("node")).unwrap())
}

fn open(folder: &TempDir) -> Result<(Store, Recovery), StoreError> {
    Store::open(disk(folder), config(), CrashPoints::default())
}

/// A folder with a guard, three segments, two blocks and a value.
fn written() -> TempDir {
    let folder = TempDir::new().unwrap();
    SigningGuard::create(&*disk(&folder), &KEY, &SWARM).unwrap();
    let (mut store, _) = open(&folder).unwrap();
    for height in 1..=2 {
        append(&mut store.wal, height, &[height as u8; 300]).unwrap();
        store.wal.sync().unwrap();
        store.blocks.append(height, b"block", b"proof").unwrap();
        store.blocks.sync().unwrap();
    }
    store.meta.put("genesis", b"genesis").unwrap();
    folder
}

#[test]
fn everything_comes_back_from_files() {
    let folder = written();
    let (mut store, recovery) = open(&folder).unwrap();
    assert!(recovery.cuts.is_empty());
    assert_eq!(replayed(&store.wal).len(), 2);
    let stored = store.blocks.get(2).unwrap().unwrap();
    assert_eq!(
        (stored.block, stored.proof),
        (b"block".to_vec(), b"proof".to_vec())
    );
    assert!(store.blocks.get(0).unwrap().is_none() && store.blocks.get(3).unwrap().is_none());
    assert_eq!(store.meta.get("genesis").unwrap().unwrap(), b"genesis");
    store.wal.truncate_below(2).unwrap();
    let mut guard = SigningGuard::open(&store, &KEY).unwrap();
    let slot = slot(1, 0, 1);
    assert_eq!(guard.intend(slot, b"vote").unwrap(), Permission::Fresh);
    drop((store, guard));
    let (store, _) = open(&folder).unwrap();
    assert_eq!(SigningGuard::open(&store, &KEY).unwrap().last(), slot);
    assert_eq!(replayed(&store.wal)[0].sequence, 2);
}

#[test]
fn the_names_are_those_documented() {
    let folder = written();
    let disk = disk(&folder);
    assert_eq!(disk.list("").unwrap(), ["blocks.log", "guard", "lock"]);
    assert_eq!(
        disk.list("wal").unwrap(),
        ["000001.log", "000002.log", "000003.log"]
    );
    assert_eq!(disk.list("meta").unwrap(), ["genesis"]);
    assert_eq!(disk.list("absent").unwrap(), [""; 0]);
}

#[cfg(unix)]
#[test]
fn only_the_owner_can_read() {
    use std::os::unix::fs::PermissionsExt;
    fn check(path: &Path) {
        let mode = fs::metadata(path).unwrap().permissions().mode() & 0o777;
        if path.is_dir() {
            assert_eq!(mode, 0o700, "{}", path.display());
            fs::read_dir(path)
                .unwrap()
                .for_each(|entry| check(&entry.unwrap().path()));
        } else {
            assert_eq!(mode, 0o600, "{}", path.display());
        }
    }
    check(&written().path().join("node"));
}

#[test]
fn a_folder_is_open_once() {
    let folder = written();
    let first = open(&folder).unwrap();
    assert!(matches!(open(&folder), Err(StoreError::Locked { .. })));
    assert!(matches!(
        repair(disk(&folder), config()),
        Err(StoreError::Locked { .. })
    ));
    drop(first);
    assert!(open(&folder).is_ok());
}

#[test]
fn a_torn_tail_is_cut_and_leftovers_go() {
    let folder = written();
    let wal = folder.path().join("node/wal");
    fs::write(wal.join("000004.log.tmp"), b"half").unwrap();
    let last = wal.join("000003.log");
    let mut bytes = fs::read(&last).unwrap();
    bytes.extend_from_slice(&[0; 100]);
    fs::write(&last, bytes).unwrap();
    let (store, recovery) = open(&folder).unwrap();
    assert_eq!(recovery.cuts.len(), 1);
    assert_eq!(recovery.cuts[0].bytes, 100);
    assert_eq!(recovery.cuts[0].path, last.display().to_string());
    assert_eq!(replayed(&store.wal).len(), 2);
    assert!(!wal.join("000004.log.tmp").exists());
}

#[test]
fn repair_cuts_a_damaged_segment_and_keeps_it() {
    let folder = written();
    let path = folder.path().join("node/wal/000001.log");
    let mut bytes = fs::read(&path).unwrap();
    bytes[200] ^= 1;
    fs::write(&path, &bytes).unwrap();
    let error = open(&folder).map(|_| ()).unwrap_err();
    assert!(
        matches!(&error, StoreError::Damaged { offset: 60, .. }),
        "{error}"
    );
    assert!(error.to_string().contains("quorate node repair"));
    let repaired = repair(disk(&folder), config()).unwrap();
    assert_eq!(repaired.len(), 3);
    assert_eq!(repaired[0].length, 60);
    assert_eq!(fs::read(&repaired[0].kept).unwrap(), bytes);
    let (store, _) = open(&folder).unwrap();
    assert!(replayed(&store.wal).is_empty());
    assert_eq!(store.blocks.last_height(), 2, "the blocks were not touched");
}

#[test]
fn values_have_plain_names_and_a_limit() {
    let folder = written();
    let (store, _) = open(&folder).unwrap();
    for name in ["", "../guard", "a.b", "Upper", "a/b", &"x".repeat(65)] {
        let bad = store.meta.put(name, b"x");
        assert!(matches!(bad, Err(StoreError::BadName { .. })), "{name}");
        assert!(
            matches!(store.meta.get(name), Err(StoreError::BadName { .. })),
            "{name}"
        );
    }
    let long = store.meta.put("long", &vec![0; MAX_META_BYTES + 1]);
    assert!(matches!(long, Err(StoreError::TooLarge { .. })));
    assert_eq!(store.meta.get("long").unwrap(), None);
    store.meta.put("empty", b"").unwrap();
    assert_eq!(store.meta.get("empty").unwrap().unwrap(), b"");
}

#[test]
fn every_listed_crash_point_is_passed() {
    let folder = TempDir::new().unwrap();
    SigningGuard::create(&*disk(&folder), &KEY, &SWARM).unwrap();
    let passed = Arc::new(Mutex::new(BTreeSet::new()));
    let hook = passed.clone();
    let points = CrashPoints::new(move |name| {
        hook.lock().unwrap().insert(name);
    });
    let (mut store, _) = Store::open(disk(&folder), config(), points).unwrap();
    let mut guard = SigningGuard::open(&store, &KEY).unwrap();
    let slot = slot(1, 0, 1);
    assert_eq!(guard.intend(slot, b"vote").unwrap(), Permission::Fresh);
    append(&mut store.wal, 1, &[0; 300]).unwrap();
    store.wal.sync().unwrap();
    store.wal.truncate_below(2).unwrap();
    store.blocks.append(1, b"block", b"proof").unwrap();
    store.blocks.sync().unwrap();
    store.meta.put("genesis", b"genesis").unwrap();
    assert_eq!(
        *passed.lock().unwrap(),
        CRASH_POINTS.iter().copied().collect()
    );
}
