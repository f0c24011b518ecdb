//! The file of the guard, cut and damaged at every byte, alone and together with the log: no key is
//! ever permitted a second thing in one slot (N-21, invariant 4 of the simulator).
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "helpers of tests fail by panicking"
)]

use crate::common::{SWARM, open, replayed, slot, soaking};
use quorate_store::{
    GuardError, MemoryDisk, Permission, Record, SigningGuard, Slot, Store, Witness,
};

const KEY: [u8; 32] = [3; 32];
const PAGE: usize = 4096;
const FILE: usize = 5 * PAGE;
/// Length of the header, in which every byte matters.
const HEADER: usize = 80;
/// The bytes of a page that are in use, and some behind them.
const USED: usize = 29 + 50;

/// The slots in which the key signs, in order: two rounds of a height, and later heights.
const SLOTS: [(u64, u32, u8); 6] = [
    (1, 0, 0),
    (1, 0, 1),
    (1, 0, 2),
    (1, 3, 1),
    (2, 0, 1),
    (7, 0, 2),
];

/// A key's guard after each of its intents, and the log that holds the votes.
struct Signed {
    disk: MemoryDisk,
    store: Store,
    /// The file of the guard before the first intent and after each.
    images: Vec<Vec<u8>>,
}

fn slot_of(index: usize) -> Slot {
    let (height, round, step) = SLOTS[index];
    slot(height, round, step)
}

/// One of two statements of the same length that may be signed in a slot.
fn statement(index: usize, choice: u8) -> Vec<u8> {
    vec![0x20 + choice; 30 + 3 * index]
}

/// A key that signs: each intent in the guard, and then the vote in the log.
fn signed() -> Signed {
    let disk = MemoryDisk::new();
    SigningGuard::create(&disk, &KEY, &SWARM).unwrap();
    let (mut store, _) = open(&disk).unwrap();
    let mut guard = SigningGuard::open(&store, &KEY).unwrap();
    let mut images = vec![disk.contents("guard").unwrap()];
    for (index, &(height, ..)) in SLOTS.iter().enumerate() {
        let permission = guard.intend(slot_of(index), &statement(index, 1));
        assert_eq!(permission.unwrap(), Permission::Fresh);
        images.push(disk.contents("guard").unwrap());
        let payload = [&[index as u8][..], &statement(index, 1)].concat();
        store
            .wal
            .append(Record {
                kind: 1,
                height,
                payload: &payload,
            })
            .unwrap();
        store.wal.sync().unwrap();
    }
    Signed {
        disk,
        store,
        images,
    }
}

impl Signed {
    /// Opens the guard with this content, in the folder that is open.
    fn guard(&self, bytes: &[u8]) -> Option<SigningGuard> {
        self.disk.overwrite("guard", bytes);
        opened(&self.store)
    }

    /// Checks that with this content the guard is refused or knows of the first `signed` intents.
    /// Returns whether it opened.
    fn check(&self, bytes: &[u8], signed: usize) -> bool {
        let Some(mut guard) = self.guard(bytes) else {
            return false;
        };
        refuses_others(&mut guard, signed);
        true
    }
}

/// The guard; `None` if it is refused, with an error that names the file and what to do.
fn opened(store: &Store) -> Option<SigningGuard> {
    match SigningGuard::open(store, &KEY) {
        Ok(guard) => Some(guard),
        Err(error @ GuardError::Damaged { .. }) => {
            let text = error.to_string();
            assert!(text.starts_with("memory/guard is damaged"), "{text}");
            assert!(text.contains("quorate node DIR --rejoin"), "{text}");
            None
        }
        Err(error) => panic!("{error}"),
    }
}

/// Checks that in a slot in which something was signed, nothing else is permitted.
fn refuses_others(guard: &mut SigningGuard, signed: usize) {
    for index in 0..signed {
        let asked = guard.intend(slot_of(index), &statement(index, 2));
        assert!(
            matches!(asked, Err(GuardError::Refused { .. })),
            "{}",
            slot_of(index)
        );
    }
    if let Some(last) = signed.checked_sub(1) {
        match guard.intend(slot_of(last), &statement(last, 1)) {
            Ok(permission) => assert_eq!(permission, Permission::AlreadySigned),
            Err(error) => assert!(matches!(error, GuardError::Refused { .. })),
        }
    }
}

/// The two pages of a generation, by their pages. They are not neighbours.
fn pages_of(generation: usize) -> [usize; 2] {
    if generation.is_multiple_of(2) {
        [1, 3]
    } else {
        [2, 4]
    }
}

/// The pair of pages that holds the newest of `signed` intents. A new guard is at generation 1.
fn newest_pair(signed: usize) -> [usize; 2] {
    pages_of(signed + 1)
}

/// Every byte that means something, and a sample of the padding, or all of it if there is time.
fn bytes_of_file() -> impl Iterator<Item = usize> {
    let stride = if soaking() { 1 } else { 61 };
    (0..FILE).filter(move |at| at % PAGE < USED.max(HEADER) || at % stride == 0)
}

/// Contents of a page after damage: zeros, ones, noise, and all that any page held before.
fn fillings(images: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let noise = (0..PAGE).map(|at| (at * 151 + 7) as u8).collect();
    let pages = images
        .iter()
        .flat_map(|image| image[PAGE..].chunks(PAGE).map(<[u8]>::to_vec));
    let mut all: Vec<Vec<u8>> = pages
        .chain([vec![0; PAGE], vec![0xff; PAGE], noise])
        .collect();
    all.sort();
    all.dedup();
    all
}

fn with_page(image: &[u8], page: usize, content: &[u8]) -> Vec<u8> {
    let mut bytes = image.to_vec();
    bytes[page * PAGE..page * PAGE + content.len()].copy_from_slice(content);
    bytes
}

#[test]
fn no_damaged_byte_makes_the_guard_forget() {
    let run = signed();
    let flips: &[u8] = if soaking() {
        &[1, 2, 4, 8, 16, 32, 64, 128, 255]
    } else {
        &[1, 255]
    };
    for (signed, image) in run.images.iter().enumerate() {
        for at in bytes_of_file() {
            for flip in flips {
                let mut bytes = image.clone();
                bytes[at] ^= flip;
                assert_eq!(run.check(&bytes, signed), at >= HEADER, "byte {at}");
            }
        }
    }
}

#[test]
fn no_cut_guard_opens() {
    let run = signed();
    let images = if soaking() {
        &run.images[..]
    } else {
        &run.images[6..]
    };
    for image in images {
        for length in 0..FILE {
            assert!(!run.check(&image[..length], 0), "cut to {length}");
        }
        assert!(!run.check(&[&image[..], &[0]].concat(), 0));
    }
}

/// A page that is gone, is garbled, or holds earlier content of this or another page: in full, and
/// torn at every byte.
#[test]
fn no_damaged_page_makes_the_guard_forget() {
    let run = signed();
    for (signed, image) in run.images.iter().enumerate() {
        for content in fillings(&run.images[..=signed]) {
            for page in 1..5 {
                run.check(&with_page(image, page, &content), signed);
                for end in (0..USED).step_by(if soaking() { 1 } else { 5 }) {
                    run.check(&with_page(image, page, &content[..end]), signed);
                }
            }
        }
    }
}

/// A write of any length over the guard by mistake, from any byte on.
#[test]
fn no_misplaced_write_over_the_guard_makes_it_forget() {
    let run = signed();
    let noise: Vec<u8> = (0..FILE).map(|at| (at * 151 + 7) as u8).collect();
    let stride = if soaking() { 1 } else { 13 };
    for (signed, image) in run.images.iter().enumerate() {
        for at in bytes_of_file().step_by(stride) {
            for length in [
                9,
                512,
                PAGE,
                PAGE + 1,
                2 * PAGE,
                2 * PAGE + 9,
                3 * PAGE,
                FILE,
            ] {
                let end = FILE.min(at + length);
                let mut bytes = image.clone();
                bytes[at..end].copy_from_slice(&noise[at..end]);
                run.check(&bytes, signed);
            }
        }
    }
}

/// Only damage to both pages of the newest pair may be taken for a torn write. Then the guard
/// stands one intent lower, never more, and the second witness raises it.
#[test]
fn no_damaged_pair_of_pages_makes_the_guard_forget_what_the_log_knows() {
    let run = signed();
    let (mut opened, mut forgot) = (0, 0);
    for (signed, image) in run.images.iter().enumerate() {
        let fillings = fillings(&run.images[..=signed]);
        for (first, second) in (1..5).flat_map(|one| (one + 1..5).map(move |two| (one, two))) {
            for (one, two) in fillings
                .iter()
                .flat_map(|a| fillings.iter().map(move |b| (a, b)))
            {
                let bytes = with_page(&with_page(image, first, one), second, two);
                let Some(mut guard) = run.guard(&bytes) else {
                    continue;
                };
                opened += 1;
                if signed > 0 && guard.last() < slot_of(signed - 1) {
                    assert_eq!([first, second], newest_pair(signed));
                    refuses_others(&mut guard, signed - 1);
                    let witness = guard.check_against(slot_of(signed - 1));
                    assert_eq!(witness.unwrap(), Witness::Raised);
                    forgot += 1;
                }
                refuses_others(&mut guard, signed);
            }
        }
    }
    assert!(opened > 1000 && forgot > 100, "{opened} {forgot}");
}

/// The write of an intent is torn at every byte of both its pages. The intents before it still
/// hold, and the guard opens.
#[test]
fn no_torn_write_makes_the_guard_forget_or_unreadable() {
    let run = signed();
    for (signed, images) in run.images.windows(2).enumerate() {
        let [first, second] = newest_pair(signed + 1);
        for torn in 0..USED * USED {
            let written = |page: usize, length| &images[1][page * PAGE..page * PAGE + length];
            let bytes = with_page(&images[0], first, written(first, torn / USED));
            let bytes = with_page(&bytes, second, written(second, torn % USED));
            assert!(run.check(&bytes, signed), "{torn}");
        }
    }
}

/// Both are hit: the guard at any byte or in a whole page, and the log is cut at any byte. One
/// damaged place in the guard loses nothing, whatever happens to the log. With the newest pair
/// gone, all that the rest of the log knows holds, and at most the last intent is forgotten.
#[test]
fn guard_and_log_together_forget_at_most_what_both_have_lost() {
    let run = signed();
    let all = SLOTS.len();
    let image = &run.images[all];
    let [first, second] = newest_pair(all);
    let pages = (1..5).map(|page| with_page(image, page, &[0; PAGE]));
    let stride = if soaking() { 1 } else { 11 };
    let flipped = bytes_of_file()
        .filter(|at| at % PAGE < USED && at % stride == 0)
        .map(|at| {
            let mut bytes = image.clone();
            bytes[at] ^= 0x10;
            bytes
        });
    let single: Vec<Vec<u8>> = pages.chain(flipped).collect();
    let pair = with_page(&with_page(image, first, &[0; PAGE]), second, &[0xff; PAGE]);
    let cut_guard = [0, 1, HEADER, PAGE + 30, FILE - 1].map(|length| &image[..length]);

    let names: Vec<_> = run
        .disk
        .names()
        .into_iter()
        .filter(|name| name.starts_with("wal/"))
        .collect();
    let last = names.last().unwrap();
    let log = run.disk.contents(last).unwrap();
    for length in 60..=log.len() {
        let copy = MemoryDisk::new();
        for name in &names {
            copy.overwrite(name, &run.disk.contents(name).unwrap());
        }
        copy.overwrite(last, &log[..length]);
        let (store, _) = open(&copy).unwrap();
        let sent = replayed(&store.wal).len();
        assert!(length < log.len() || sent == all);
        let recover = |bytes: &[u8]| {
            copy.overwrite("guard", bytes);
            let mut guard = opened(&store)?;
            for index in 0..sent {
                let _ = guard.check_against(slot_of(index)).unwrap();
            }
            Some(guard)
        };
        for bytes in &single {
            recover(bytes)
                .iter_mut()
                .for_each(|guard| refuses_others(guard, all));
        }
        refuses_others(&mut recover(&pair).unwrap(), sent.max(all - 1));
        assert!(cut_guard.iter().all(|bytes| recover(bytes).is_none()));
    }
}
