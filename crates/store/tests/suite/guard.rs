//! N-21 and N-27: one key never permits two things in one slot.
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "helpers of tests fail by panicking"
)]

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::common::{SWARM, open, slot as at, soaking, tears};
use proptest::prelude::*;
use quorate_store::{
    CrashPoints, Fault, GuardError, MAX_INTENT_BYTES, MemoryDisk, Permission, SigningGuard, Slot,
    Store, StoreConfig, StoreError, Tear, Witness,
};

const KEY: [u8; 32] = [3; 32];
const PAGE: usize = 4096;

fn created() -> MemoryDisk {
    let disk = MemoryDisk::new();
    SigningGuard::create(&disk, &KEY, &SWARM).unwrap();
    disk
}

fn guard(disk: &MemoryDisk) -> Result<SigningGuard, GuardError> {
    SigningGuard::open(&open(disk)?.0, &KEY)
}

#[test]
fn slots_rise_and_the_same_bytes_are_permitted_again() {
    let disk = created();
    let mut guard = guard(&disk).unwrap();
    assert_eq!(guard.intend(at(1, 0, 1), b"a").unwrap(), Permission::Fresh);
    assert_eq!(
        guard.intend(at(1, 0, 1), b"a").unwrap(),
        Permission::AlreadySigned
    );
    for (slot, bytes) in [
        (at(1, 0, 1), &b"b"[..]),
        (at(1, 0, 1), b""),
        (at(1, 0, 0), b"a"),
        (at(0, 9, 9), b"a"),
        (at(0, 0, 0), b"a"),
    ] {
        let refused = guard.intend(slot, bytes);
        assert!(matches!(refused, Err(GuardError::Refused { last, .. }) if last == at(1, 0, 1)));
    }
    for slot in [
        at(1, 0, 2),
        at(1, 1, 0),
        at(2, 0, 0),
        at(2, u32::MAX, u8::MAX),
    ] {
        assert_eq!(guard.intend(slot, b"a").unwrap(), Permission::Fresh);
    }
}

#[test]
fn the_last_intent_survives_a_power_cut() {
    let disk = created();
    for height in 1..6 {
        let mut guard = guard(&disk).unwrap();
        assert_eq!(
            guard.intend(at(height, 0, 1), b"a").unwrap(),
            Permission::Fresh
        );
        drop(guard);
        disk.crash(Tear::Nothing);
        let mut guard = self::guard(&disk).unwrap();
        assert_eq!(guard.last(), at(height, 0, 1));
        assert!(guard.intend(at(height, 0, 1), b"b").is_err());
        assert_eq!(
            guard.intend(at(height, 0, 1), b"a").unwrap(),
            Permission::AlreadySigned
        );
    }
}

#[test]
fn a_signature_costs_two_writes_and_one_sync() {
    let disk = created();
    let mut guard = guard(&disk).unwrap();
    let before = disk.operations();
    assert_eq!(guard.intend(at(1, 0, 1), b"a").unwrap(), Permission::Fresh);
    assert_eq!(disk.operations() - before, 3);
    assert_eq!(
        guard.intend(at(1, 0, 1), b"a").unwrap(),
        Permission::AlreadySigned
    );
    assert_eq!(disk.operations() - before, 3);
}

#[test]
fn a_key_without_its_guard_never_signs_and_a_guard_is_never_made_anew() {
    let disk = MemoryDisk::new();
    assert!(matches!(guard(&disk), Err(GuardError::Missing { .. })));
    SigningGuard::create(&disk, &KEY, &SWARM).unwrap();
    let again = SigningGuard::create(&disk, &KEY, &SWARM);
    assert!(matches!(again, Err(GuardError::Exists { .. })));
    // A damaged guard is not replaced either.
    disk.overwrite("guard", b"");
    assert!(matches!(guard(&disk), Err(GuardError::Damaged { .. })));
    let again = SigningGuard::create(&disk, &KEY, &SWARM);
    assert!(matches!(again, Err(GuardError::Exists { .. })));
}

/// A guard of an earlier form is not damaged: the error tells its form, and nothing is signed.
#[test]
fn a_guard_of_another_form_is_refused_by_its_version() {
    let disk = created();
    let mut file = disk.contents("guard").unwrap();
    file[8..12].copy_from_slice(&2u32.to_le_bytes());
    let crc = crc32c::crc32c(&file[..76]).to_le_bytes();
    file[76..80].copy_from_slice(&crc);
    disk.overwrite("guard", &file);
    assert!(matches!(
        guard(&disk),
        Err(GuardError::Store(StoreError::Unsupported {
            found: 2,
            supported: 3,
            ..
        }))
    ));
}

#[test]
fn another_key_and_another_swarm_are_refused() {
    let disk = created();
    let store = open(&disk).unwrap().0;
    let other = SigningGuard::open(&store, &[4; 32]);
    assert!(matches!(
        other,
        Err(GuardError::WrongKey { found: KEY, .. })
    ));
    drop(store);
    let foreign = MemoryDisk::new();
    foreign.overwrite("guard", &disk.contents("guard").unwrap());
    let config = StoreConfig::new([9; 32], 1);
    let store = Store::open(Arc::new(foreign), config, CrashPoints::default())
        .unwrap()
        .0;
    let other = SigningGuard::open(&store, &KEY);
    assert!(matches!(
        other,
        Err(GuardError::Store(StoreError::WrongSwarm {
            found: SWARM,
            ..
        }))
    ));
}

#[test]
fn the_guard_keeps_the_folder_locked_without_its_store() {
    let disk = created();
    let guard = guard(&disk).unwrap();
    assert!(matches!(open(&disk), Err(StoreError::Locked { .. })));
    let made = SigningGuard::create(&disk, &KEY, &SWARM);
    assert!(matches!(
        made,
        Err(GuardError::Store(StoreError::Locked { .. }))
    ));
    drop(guard);
    assert!(open(&disk).is_ok());
}

#[test]
fn raise_to_permits_from_the_height_on() {
    let disk = created();
    let mut guard = guard(&disk).unwrap();
    assert_eq!(guard.intend(at(3, 1, 2), b"a").unwrap(), Permission::Fresh);
    guard.raise_to(0).unwrap();
    guard.raise_to(3).unwrap();
    assert_eq!(
        guard.last(),
        at(3, 1, 2),
        "a guard that stands higher stays"
    );
    guard.raise_to(10).unwrap();
    drop(guard);
    disk.crash(Tear::Nothing);
    let mut guard = self::guard(&disk).unwrap();
    assert!(guard.intend(at(9, u32::MAX, u8::MAX), b"a").is_err());
    assert!(guard.intend(at(9, u32::MAX, u8::MAX), b"").is_err());
    assert_eq!(guard.intend(at(10, 0, 0), b"a").unwrap(), Permission::Fresh);
}

#[test]
fn check_against_raises_a_guard_that_forgot() {
    let disk = created();
    let mut guard = guard(&disk).unwrap();
    assert_eq!(guard.intend(at(5, 0, 1), b"a").unwrap(), Permission::Fresh);
    assert_eq!(guard.check_against(at(5, 0, 1)).unwrap(), Witness::Covered);
    assert_eq!(
        guard.intend(at(5, 0, 1), b"a").unwrap(),
        Permission::AlreadySigned
    );
    assert_eq!(guard.check_against(at(5, 0, 2)).unwrap(), Witness::Raised);
    drop(guard);
    let mut guard = self::guard(&disk).unwrap();
    assert!(guard.intend(at(5, 0, 2), b"b").is_err());
    assert_eq!(guard.intend(at(5, 1, 0), b"b").unwrap(), Permission::Fresh);
}

#[test]
fn an_intent_too_long_is_refused_and_the_longest_is_kept() {
    let disk = created();
    let mut guard = guard(&disk).unwrap();
    let long = guard.intend(at(1, 0, 0), &[1; MAX_INTENT_BYTES + 1]);
    assert!(matches!(
        long,
        Err(GuardError::Store(StoreError::TooLarge { .. }))
    ));
    assert_eq!(
        guard.intend(at(1, 0, 1), &[1; MAX_INTENT_BYTES]).unwrap(),
        Permission::Fresh
    );
    drop(guard);
    let mut guard = self::guard(&disk).unwrap();
    let again = guard.intend(at(1, 0, 1), &[1; MAX_INTENT_BYTES]);
    assert_eq!(again.unwrap(), Permission::AlreadySigned);
}

#[test]
fn a_failed_write_or_sync_poisons_the_guard() {
    for operation in 0..3 {
        let disk = created();
        let mut guard = guard(&disk).unwrap();
        disk.fail_at(disk.operations() + operation, Fault::Error);
        let failed = guard.intend(at(1, 0, 1), b"a");
        assert!(matches!(
            failed,
            Err(GuardError::Store(StoreError::Disk { .. }))
        ));
        let later = guard.intend(at(2, 0, 1), b"a");
        assert!(matches!(
            later,
            Err(GuardError::Store(StoreError::Poisoned { .. }))
        ));
        assert!(guard.raise_to(9).is_err() && guard.check_against(at(9, 0, 0)).is_err());
    }
}

/// A guard whose predecessor was killed may read data that is only in the cache of the system. It
/// must make that durable before it permits anything.
#[test]
fn what_a_killed_process_left_unsynced_is_made_durable_when_opened() {
    let disk = created();
    let mut guard = guard(&disk).unwrap();
    disk.fail_at(disk.operations() + 2, Fault::PowerOff);
    guard.intend(at(1, 0, 1), b"a").unwrap_err();
    disk.kill();
    let mut guard = self::guard(&disk).unwrap();
    assert_eq!(
        guard.intend(at(1, 0, 1), b"a").unwrap(),
        Permission::AlreadySigned
    );
    disk.crash(Tear::Nothing);
    assert_eq!(self::guard(&disk).unwrap().last(), at(1, 0, 1));
}

/// Opening the guard writes spoiled pages again, so that it survives one fault after another.
#[test]
fn a_spoiled_page_is_healed_when_opened() {
    let disk = created();
    let mut guard = guard(&disk).unwrap();
    assert_eq!(
        guard.intend(at(4, 0, 1), b"vote").unwrap(),
        Permission::Fresh
    );
    drop(guard);
    for round in 0..20 {
        let mut bytes = disk.contents("guard").unwrap();
        bytes[PAGE * (1 + round % 4) + 8] ^= 1;
        disk.overwrite("guard", &bytes);
        assert_eq!(self::guard(&disk).unwrap().last(), at(4, 0, 1));
        disk.crash(Tear::Nothing);
    }
}

#[test]
fn old_content_that_comes_back_is_refused() {
    let disk = created();
    let mut guard = guard(&disk).unwrap();
    assert_eq!(guard.intend(at(1, 0, 1), b"a").unwrap(), Permission::Fresh);
    let old = disk.contents("guard").unwrap();
    for height in 2..=4 {
        assert_eq!(
            guard.intend(at(height, 0, 1), b"a").unwrap(),
            Permission::Fresh
        );
    }
    drop(guard);
    // Generation 5 is in the second pair of pages, generation 4 in the first.
    let mut bytes = disk.contents("guard").unwrap();
    bytes[PAGE..2 * PAGE].copy_from_slice(&old[PAGE..2 * PAGE]);
    disk.overwrite("guard", &bytes);
    assert!(matches!(
        self::guard(&disk),
        Err(GuardError::Damaged { .. })
    ));
}

/// The case that the documentation of the guard describes, and that the second witness repairs.
#[test]
fn both_pages_spoiled_after_their_sync_need_the_second_witness() {
    let disk = created();
    let mut guard = guard(&disk).unwrap();
    assert_eq!(guard.intend(at(1, 0, 1), b"a").unwrap(), Permission::Fresh);
    assert_eq!(guard.intend(at(2, 0, 1), b"a").unwrap(), Permission::Fresh);
    drop(guard);
    let mut bytes = disk.contents("guard").unwrap();
    bytes[2 * PAGE] ^= 1;
    bytes[4 * PAGE] ^= 1;
    disk.overwrite("guard", &bytes);
    let mut guard = self::guard(&disk).unwrap();
    assert_eq!(guard.last(), at(1, 0, 1));
    assert_eq!(guard.check_against(at(2, 0, 1)).unwrap(), Witness::Raised);
    assert!(guard.intend(at(2, 0, 1), b"b").is_err());
}

/// A request of a key: a slot, and one of two things to sign there.
type Ask = (u64, u32, u8, bool);

/// Asks until an operation fails, and notes in `signed` what was permitted.
fn sign(disk: &MemoryDisk, asks: &[Ask], signed: &mut BTreeMap<Slot, bool>) -> bool {
    let Ok(mut guard) = guard(disk) else {
        return true;
    };
    if let Some((last, _)) = signed.last_key_value() {
        assert!(
            guard.last() >= *last,
            "the guard went back from {last} to {}",
            guard.last()
        );
    }
    for &(height, round, step, choice) in asks {
        match guard.intend(at(height, round, step), &[u8::from(choice); 40]) {
            Ok(_) => {
                let before = signed.insert(at(height, round, step), choice);
                assert!(
                    before.is_none_or(|before| before == choice),
                    "two things in one slot"
                );
            }
            Err(GuardError::Refused { .. }) => {}
            Err(GuardError::Store(_)) => return true,
            Err(error) => panic!("{error}"),
        }
    }
    false
}

/// Two lives with a power cut in each, and a third that asks for the opposite everywhere.
fn three_lives(asks: &[Ask], cuts: [u64; 2], tear: Tear) -> bool {
    let disk = created();
    let mut signed = BTreeMap::new();
    let opposite: Vec<Ask> = asks
        .iter()
        .map(|&(h, r, s, choice)| (h, r, s, !choice))
        .collect();
    disk.fail_at(disk.operations() + cuts[0], Fault::PowerOff);
    let reached = sign(&disk, asks, &mut signed);
    disk.crash(tear);
    disk.fail_at(disk.operations() + cuts[1], Fault::PowerOff);
    sign(&disk, &opposite, &mut signed);
    if cuts[0].is_multiple_of(2) {
        // Only the process ends: what its successor is permitted must survive a power cut.
        disk.kill();
        sign(&disk, asks, &mut signed);
    }
    disk.crash(tear);
    assert!(guard(&disk).is_ok(), "no crash makes a guard unreadable");
    assert!(!sign(&disk, asks, &mut signed));
    assert!(!sign(&disk, &opposite, &mut signed));
    reached
}

#[test]
fn no_crash_schedule_makes_a_key_sign_two_things() {
    let asks = [
        (1, 0, 0, true),
        (1, 0, 1, false),
        (1, 1, 1, true),
        (2, 0, 0, true),
    ];
    let stride = if soaking() { 1 } else { 5 };
    for tear in tears() {
        for second in (0..26).step_by(stride) {
            let mut first = 0;
            while three_lives(&asks, [first, second], tear) {
                first += 1;
            }
            assert!(first > 12);
        }
    }
}

#[test]
fn a_crash_while_the_guard_is_made_leaves_none_or_a_whole_one() {
    for tear in tears() {
        for cut in 0..6 {
            let disk = MemoryDisk::new();
            disk.fail_at(cut, Fault::PowerOff);
            let made = SigningGuard::create(&disk, &KEY, &SWARM);
            disk.crash(tear);
            match guard(&disk) {
                Ok(guard) => assert_eq!(guard.last(), Slot::default()),
                Err(error) => {
                    assert!(matches!(error, GuardError::Missing { .. }), "{error}");
                    assert!(made.is_err());
                    SigningGuard::create(&disk, &KEY, &SWARM).unwrap();
                }
            }
        }
    }
}

#[test]
fn permits_from_is_the_height_where_it_stands_or_the_one_it_was_raised_to() {
    let mut guard = guard(&created()).unwrap();
    assert_eq!(guard.permits_from(), 0);
    assert_eq!(guard.intend(at(3, 1, 2), b"a").unwrap(), Permission::Fresh);
    assert_eq!(guard.permits_from(), 3);
    guard.raise_to(10).unwrap();
    assert_eq!(guard.permits_from(), 10);
}

#[test]
fn a_crash_while_a_lost_guard_is_made_anew_leaves_none_or_a_raised_one() {
    let mut made = 0;
    for tear in tears() {
        for cut in 0..10 {
            let disk = MemoryDisk::new();
            let (store, _) = open(&disk).unwrap();
            disk.fail_at(disk.operations() + cut, Fault::PowerOff);
            let _ = SigningGuard::create_raised(&store, &KEY, 10);
            drop(store);
            disk.crash(tear);
            match guard(&disk) {
                Ok(guard) => assert_eq!(guard.permits_from(), 10),
                Err(error) => {
                    assert!(matches!(error, GuardError::Missing { .. }), "{error}");
                    continue;
                }
            }
            let store = open(&disk).unwrap().0;
            let again = SigningGuard::create_raised(&store, &KEY, 20).map(|_| ());
            assert!(matches!(again, Err(GuardError::Exists { .. })), "{again:?}");
            made += 1;
        }
    }
    assert!(made > 10);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

    #[test]
    fn random_crash_schedules_never_permit_two_things(
        asks in prop::collection::vec((1..4u64, 0..3u32, 0..3u8, any::<bool>()), 1..20),
        cuts in [0..60u64, 0..60u64],
        seed in any::<u64>(),
        bytes in 1..100usize,
    ) {
        three_lives(&asks, cuts, Tear::Sectors { seed, bytes });
    }
}
