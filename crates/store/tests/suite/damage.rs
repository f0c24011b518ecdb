//! N-31: decayed data is refused or cut, and never read as something else.
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "helpers of tests fail by panicking"
)]

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use crate::common;
use crate::common::{config, open, replayed, soaking};
use quorate_store::{
    CrashPoints, Disk, Fault, MemoryDisk, Record, Store, StoreConfig, StoreError, StoredBlock,
    Tear, WalRecord, repair,
};

const LAST: &str = "wal/000004.log";

/// The number of bytes before the records of a file; `FRAME` bytes stand before each payload.
const HEADER: usize = 60;
const FRAME: usize = 37;

/// How a recorded run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// Everything was synced.
    Synced,
    /// Power went off after the last batch of each was written, and before it was synced.
    Unsynced,
}

/// A recorded run: its disk, its records and blocks, and their places.
struct Run {
    disk: MemoryDisk,
    records: Vec<WalRecord>,
    blocks: Vec<StoredBlock>,
    /// The places of the records and of the blocks, in order.
    places: [Vec<Placed>; 2],
}

/// The place of a record or a block.
struct Placed {
    file: String,
    bytes: Range<usize>,
    /// The index of the first one of its batch.
    batch: usize,
    synced: bool,
}

/// The log: for each batch, kind, height and length of its records. They stand for proposals,
/// verdicts, votes of a height, and timeouts that fired.
const BATCHES: [&[(u8, u64, usize)]; 6] = [
    &[(1, 1, 120), (2, 1, 9), (1, 1, 45)],
    &[(1, 1, 45)],
    &[(3, 2, 0), (1, 2, 110), (2, 2, 9)],
    &[(1, 3, 45), (1, 3, 46)],
    &[(1, 4, 130)],
    &[(1, 4, 44), (3, 5, 1), (1, 5, 45)],
];

/// Lengths of the blocks, by batch.
const BLOCK_BATCHES: [&[usize]; 3] = [&[60], &[0, 31], &[25, 26]];

impl Run {
    fn record(end: End) -> Self {
        let disk = MemoryDisk::new();
        let (mut store, _) = open(&disk).unwrap();
        let (records, blocks, places) = Default::default();
        let mut run = Self {
            disk,
            records,
            blocks,
            places,
        };
        store.meta.put("genesis", b"the first block").unwrap();
        for (index, batch) in BLOCK_BATCHES.iter().enumerate() {
            let synced = end == End::Synced || index + 1 < BLOCK_BATCHES.len();
            run.block_batch(&mut store, batch, synced);
        }
        for (index, batch) in BATCHES.iter().enumerate() {
            let synced = end == End::Synced || index + 1 < BATCHES.len();
            run.batch(&mut store, batch, synced);
        }
        drop(store);
        run.disk.crash(Tear::Everything);
        run
    }

    fn batch(&mut self, store: &mut Store, batch: &[(u8, u64, usize)], synced: bool) {
        let first = self.records.len();
        let segments = self
            .disk
            .names()
            .into_iter()
            .filter(|name| name.starts_with("wal/"));
        let file = segments.max().unwrap();
        let mut start = self.disk.contents(&file).unwrap().len();
        for &(kind, height, length) in batch {
            let payload = vec![0x30 + self.records.len() as u8; length];
            let sequence = store
                .wal
                .append(Record {
                    kind,
                    height,
                    payload: &payload,
                })
                .unwrap();
            let bytes = start..start + FRAME + length;
            start = bytes.end;
            self.records.push(WalRecord {
                sequence,
                kind,
                height,
                payload,
            });
            self.places[0].push(Placed {
                file: file.clone(),
                bytes,
                batch: first,
                synced,
            });
        }
        if !synced {
            self.disk
                .fail_at(self.disk.operations() + 1, Fault::PowerOff);
        }
        assert_eq!(store.wal.sync().is_ok(), synced);
    }

    fn block_batch(&mut self, store: &mut Store, batch: &[usize], synced: bool) {
        let first = self.blocks.len();
        for &length in batch {
            let start = self.disk.contents("blocks.log").unwrap().len();
            let height = self.blocks.len() as u64 + 1;
            let (block, proof) = (vec![0x60 + height as u8; length], vec![height as u8; 9]);
            store.blocks.append(height, &block, &proof).unwrap();
            let bytes = start..start + FRAME + 4 + length + 9;
            self.blocks.push(StoredBlock {
                height,
                block,
                proof,
            });
            let file = "blocks.log".to_owned();
            self.places[1].push(Placed {
                file,
                bytes,
                batch: first,
                synced,
            });
        }
        if synced {
            store.blocks.sync().unwrap();
        }
    }

    /// The files of records and blocks.
    fn files(&self) -> Vec<String> {
        let files: BTreeSet<_> = self
            .places
            .iter()
            .flatten()
            .map(|it| it.file.clone())
            .collect();
        assert_eq!(files.len(), 5);
        files.into_iter().collect()
    }

    /// The same files in a new folder, but `name` has other content.
    fn spoiled(&self, name: &str, bytes: &[u8]) -> MemoryDisk {
        let copy = MemoryDisk::new();
        for file in self.disk.names() {
            copy.overwrite(&file, &self.disk.contents(&file).unwrap());
        }
        copy.overwrite(name, bytes);
        copy
    }

    /// The numbers of whole records and blocks before byte `at` of `name` and in earlier files.
    fn whole_before(&self, name: &str, at: usize) -> [usize; 2] {
        let spared = |placed: &&Placed| {
            let other = (placed.file == "blocks.log") != (name == "blocks.log");
            let earlier = placed.file.as_str() < name;
            other || earlier || placed.file == name && placed.bytes.end <= at
        };
        self.places
            .each_ref()
            .map(|places| places.iter().take_while(spared).count())
    }

    /// Whether there is proof that byte `at` of `name` had been synced: it is in the header, or a
    /// later segment is there, or `bytes` holds the frame of a record of a later batch.
    fn proves_synced(&self, name: &str, at: usize, bytes: &[u8]) -> bool {
        let good = self.disk.contents(name).unwrap();
        let places = &self.places[usize::from(name == "blocks.log")];
        let later_file = places.iter().any(|placed| placed.file.as_str() > name);
        let damaged = places
            .iter()
            .position(|it| it.file == name && it.bytes.contains(&at));
        let Some(damaged) = damaged else { return true };
        let later_frame = |placed: &Placed| {
            let frame = placed.bytes.start..placed.bytes.start + FRAME;
            placed.batch > damaged && bytes[frame.clone()] == good[frame]
        };
        later_file || places[damaged..].iter().any(later_frame)
    }

    /// Checks that the records and blocks in the store were written. Returns their numbers.
    fn check_prefix(&self, store: &Store) -> [usize; 2] {
        let records = replayed(&store.wal);
        assert_eq!(records, self.records[..records.len()]);
        let last = store.blocks.last_height();
        for height in 1..=last {
            let stored = store.blocks.get(height).unwrap().unwrap();
            assert_eq!(stored, self.blocks[height as usize - 1]);
        }
        [records.len(), last as usize]
    }

    /// Checks that the refusal names file and command. After the command the folder opens with all
    /// that stands before `at`, a copy of everything is kept, and nothing is left to repair.
    fn check_refusal(&self, disk: &MemoryDisk, error: &StoreError, (name, at): (&str, usize)) {
        let bytes = disk.contents(name).unwrap();
        let StoreError::Damaged { .. } = error else {
            panic!("{name} byte {at}: {error}")
        };
        let text = error.to_string();
        assert!(
            text.contains("memory/") && text.contains("`quorate node repair memory`"),
            "{text}"
        );
        let repaired = repair(Arc::new(disk.clone()), config()).unwrap();
        let mut kept = repaired
            .iter()
            .map(|repaired| repaired.kept.strip_prefix("memory/").unwrap());
        let as_it_was = |kept| disk.contents(kept).is_some_and(|kept| kept == bytes);
        // A segment that ends too early, but at a record, stays as it is. The segments behind it
        // are set aside.
        assert!(kept.any(as_it_was) || as_it_was(name), "{name}");
        let [records, blocks] = self.whole_before(name, at);
        // If blocks are cut, the log stands beyond them and is set aside too.
        let records = if name == "blocks.log" { 0 } else { records };
        let (store, _) = open(disk).unwrap();
        assert_eq!(
            self.check_prefix(&store),
            [records, blocks],
            "{name} byte {at}"
        );
        drop(store);
        assert_eq!(repair(Arc::new(disk.clone()), config()).unwrap(), []);
    }

    /// Damages bytes of `name` from `at` on: they must be cut or refused.
    fn check_damage(&self, name: &str, at: usize, damage: impl FnOnce(&mut [u8])) {
        let good = self.disk.contents(name).unwrap();
        let mut bytes = good.clone();
        damage(&mut bytes[at..]);
        let Some(at) = (at..good.len()).find(|&at| bytes[at] != good[at]) else {
            return;
        };
        let disk = self.spoiled(name, &bytes);
        match open(&disk) {
            Ok((store, recovery)) => {
                assert!(!self.proves_synced(name, at, &bytes), "{name} byte {at}");
                assert_eq!(recovery.cuts.len(), 1, "{name} byte {at}");
                assert_eq!(
                    self.check_prefix(&store),
                    self.whole_before(name, at),
                    "{name} {at}"
                );
            }
            Err(error) => self.check_refusal(&disk, &error, (name, at)),
        }
    }

    /// Cuts `name` to `length` bytes: a prefix must be left, or the file is refused.
    fn check_cut(&self, name: &str, length: usize) {
        let good = self.disk.contents(name).unwrap();
        let disk = self.spoiled(name, &good[..length]);
        match open(&disk) {
            Ok((store, _)) => {
                assert!(
                    length >= HEADER && (name == LAST || name == "blocks.log"),
                    "{name}"
                );
                assert_eq!(
                    self.check_prefix(&store),
                    self.whole_before(name, length),
                    "{name}"
                );
            }
            Err(error) => self.check_refusal(&disk, &error, (name, length)),
        }
    }

    /// Damages or cuts `name` at every byte behind the synced data, which must survive.
    fn check_synced_survive(&self, name: &str) {
        let of_file = self
            .places
            .iter()
            .flatten()
            .filter(|placed| placed.file == name);
        let unsynced = of_file
            .filter(|placed| !placed.synced)
            .map(|placed| placed.bytes.start);
        let Some(from) = unsynced.min() else { return };
        let synced = self
            .places
            .each_ref()
            .map(|places| places.iter().filter(|placed| placed.synced).count());
        let good = self.disk.contents(name).unwrap();
        for at in from..good.len() {
            let mut flipped = good.clone();
            flipped[at] ^= 0x40;
            for bytes in [&flipped, &good[..at]] {
                let (store, _) = open(&self.spoiled(name, bytes)).unwrap();
                let found = self.check_prefix(&store);
                assert!(
                    found[0] >= synced[0] && found[1] >= synced[1],
                    "{name} byte {at}"
                );
            }
        }
    }
}

/// A recorded run of each end.
fn runs() -> [Run; 2] {
    [Run::record(End::Synced), Run::record(End::Unsynced)]
}

/// The bits in which a decaying byte changes: each of them if there is time.
fn flips() -> Vec<u8> {
    let all = (0..8).map(|bit| 1 << bit).chain([0xff, 0x55]).collect();
    if soaking() { all } else { vec![0x01, 0xff] }
}

#[test]
fn every_flipped_byte_is_refused_or_cut() {
    for run in runs() {
        for name in run.files() {
            for at in 0..run.disk.contents(&name).unwrap().len() {
                for flip in flips() {
                    run.check_damage(&name, at, |bytes| bytes[0] ^= flip);
                }
            }
        }
    }
}

/// Damage as a drive does it to sectors: zeros, ones, bytes from elsewhere.
#[test]
fn every_overwritten_range_is_refused_or_cut() {
    let lengths = if soaking() {
        vec![1, 2, 3, 4, 8, 16, 37, 60, 64, 200]
    } else {
        vec![16]
    };
    let stride = if soaking() { 1 } else { 7 };
    for run in runs() {
        for name in run.files() {
            let good = run.disk.contents(&name).unwrap();
            for at in (0..good.len()).step_by(stride) {
                for length in &lengths {
                    let end = good.len().min(at + length);
                    for fill in [0x00, 0xff] {
                        run.check_damage(&name, at, |bytes| bytes[..end - at].fill(fill));
                    }
                    let elsewhere = &good[HEADER..HEADER + end - at];
                    run.check_damage(&name, at, |bytes| {
                        bytes[..end - at].copy_from_slice(elsewhere);
                    });
                }
            }
        }
    }
}

#[test]
fn every_cut_is_refused_or_gives_a_prefix() {
    for run in runs() {
        for name in run.files() {
            for length in 0..run.disk.contents(&name).unwrap().len() {
                run.check_cut(&name, length);
            }
        }
    }
}

/// Recovery (invariant 23 of the simulator): all synced data is there, whatever became of the rest.
#[test]
fn no_damage_behind_what_was_synced_takes_any_of_it() {
    let run = Run::record(End::Unsynced);
    run.files()
        .iter()
        .for_each(|name| run.check_synced_survive(name));
}

/// The disk of a node that decides block after block, with its log always one height above.
fn decided() -> MemoryDisk {
    let disk = MemoryDisk::new();
    let (mut store, _) = open(&disk).unwrap();
    for height in 1..=6 {
        common::append(&mut store.wal, height, &[0x77; 50]).unwrap();
        store.wal.sync().unwrap();
        if height < 6 {
            store
                .blocks
                .append(height, &[height as u8; 25], b"proof")
                .unwrap();
            store.blocks.sync().unwrap();
        }
    }
    disk
}

/// The log is the second witness of the blocks: a record that was logged after a block shows that
/// the block had been synced, so its loss is not a torn tail. A node could not go on, since it
/// would log at a lower height than it logged last.
#[test]
fn blocks_that_end_below_the_log_are_refused_and_the_log_goes_with_them() {
    let config = StoreConfig {
        log_lead: 1,
        ..config()
    };
    let open = |disk: &MemoryDisk| {
        Store::open(
            Arc::new(disk.clone()),
            config.clone(),
            CrashPoints::default(),
        )
    };
    let good = decided().contents("blocks.log").unwrap();
    assert!(open(&decided()).is_ok());
    let last = good.len() - (FRAME + 4 + 25 + 5);
    let flipped = (last..good.len()).map(|at| {
        let mut bytes = good.clone();
        bytes[at] ^= 0x08;
        bytes
    });
    let cut = (HEADER..good.len()).map(|length| good[..length].to_vec());
    for spoiled in flipped.chain(cut).map(Some).chain([None]) {
        let disk = decided();
        match &spoiled {
            Some(bytes) => disk.overwrite("blocks.log", bytes),
            None => disk.remove("blocks.log").unwrap(),
        }
        let logs = disk
            .names()
            .into_iter()
            .filter(|name| name.starts_with("wal/"))
            .count();
        let error = open(&disk).map(|_| ()).unwrap_err();
        let text = error.to_string();
        assert!(
            text.starts_with("memory/blocks.log is damaged at byte "),
            "{text}"
        );
        assert!(text.contains("`quorate node repair memory`"), "{text}");
        let repaired = repair(Arc::new(disk.clone()), config.clone()).unwrap();
        assert!((logs..=logs + 1).contains(&repaired.len()), "{repaired:?}");
        let (mut store, recovery) = open(&disk).unwrap();
        assert_eq!((recovery.cuts, replayed(&store.wal)), (vec![], vec![]));
        let next = store.blocks.last_height() + 1;
        let whole = spoiled.map_or(0, |bytes| (bytes.len() - HEADER) / (FRAME + 34));
        assert_eq!(next as usize, 1 + whole.min(4));
        common::append(&mut store.wal, next, b"again").unwrap();
        drop(store);
        assert_eq!(repair(Arc::new(disk.clone()), config.clone()).unwrap(), []);
    }
}

/// A right checksum tells a file of another version from a damaged one. `repair` leaves it alone.
#[test]
fn another_version_is_refused_and_not_repaired() {
    let run = Run::record(End::Synced);
    for name in run.files() {
        let mut bytes = run.disk.contents(&name).unwrap();
        bytes[8] += 1;
        let crc = crc32c::crc32c(&bytes[..HEADER - 4]);
        bytes[HEADER - 4..HEADER].copy_from_slice(&crc.to_le_bytes());
        let disk = run.spoiled(&name, &bytes);
        for error in [
            open(&disk).map(|_| ()).unwrap_err(),
            repair(Arc::new(disk.clone()), config()).unwrap_err(),
        ] {
            assert!(matches!(
                error,
                StoreError::Unsupported {
                    found: 3,
                    supported: 2,
                    ..
                }
            ));
            assert_eq!(
                error.to_string(),
                format!("memory/{name} has format version 3; this program reads version 2")
            );
        }
    }
}

/// A record is bound to its file: a record of another file is not taken for the one that belongs
/// there, even if it has the right sequence, height and length.
#[test]
fn a_record_of_another_file_is_not_one_of_this() {
    let disk = MemoryDisk::new();
    let (mut store, _) = open(&disk).unwrap();
    store.blocks.append(1, b"block", b"proof").unwrap();
    store.blocks.sync().unwrap();
    common::append(&mut store.wal, 1, b"fourteen bytes").unwrap();
    store.wal.sync().unwrap();
    drop(store);
    let [wal, blocks] = ["wal/000001.log", "blocks.log"].map(|name| disk.contents(name).unwrap());
    assert_eq!(wal.len(), blocks.len());
    for (name, own, other) in [
        ("wal/000001.log", &wal, &blocks),
        ("blocks.log", &blocks, &wal),
    ] {
        disk.overwrite(name, &[&own[..HEADER], &other[HEADER..]].concat());
        let (store, recovery) = open(&disk).unwrap();
        assert_eq!(recovery.cuts.len(), 1, "{name}");
        drop(store);
    }
}

#[test]
fn a_segment_missing_in_the_middle_is_refused_and_repaired() {
    let run = Run::record(End::Synced);
    let copy = MemoryDisk::new();
    for name in ["wal/000001.log", "wal/000003.log", "blocks.log"] {
        copy.overwrite(name, &run.disk.contents(name).unwrap());
    }
    assert!(matches!(open(&copy), Err(StoreError::Damaged { .. })));
    let repaired = repair(Arc::new(copy.clone()), config()).unwrap();
    assert_eq!(repaired[0].kept, "memory/wal/000003.log.damaged.1");
    let (store, _) = open(&copy).unwrap();
    assert!(run.check_prefix(&store)[0] > 0);
}

#[test]
fn swapped_segments_and_what_does_not_belong_are_refused() {
    let run = Run::record(End::Synced);
    let disk = &run.disk;
    let second = disk.contents("wal/000002.log").unwrap();
    let swapped = run.spoiled("wal/000001.log", &second);
    assert!(matches!(open(&swapped), Err(StoreError::Damaged { .. })));
    let garbage = [&disk.contents("wal/000001.log").unwrap()[..], &[0; 50]].concat();
    let garbage = run.spoiled("wal/000001.log", &garbage);
    assert!(
        matches!(open(&garbage), Err(StoreError::Damaged { .. })),
        "nothing follows a seal"
    );
    let mut repeated = disk.contents("wal/000003.log").unwrap();
    repeated.extend_from_slice(&repeated.clone()[60..]);
    let repeated = run.spoiled("wal/000003.log", &repeated);
    assert!(matches!(open(&repeated), Err(StoreError::Damaged { .. })));
}

#[test]
fn the_error_names_file_offset_and_command() {
    let run = Run::record(End::Synced);
    let disk = &run.disk;
    let mut bytes = disk.contents("wal/000001.log").unwrap();
    bytes[60 + 40] ^= 1;
    let error = open(&run.spoiled("wal/000001.log", &bytes))
        .map(|_| ())
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "memory/wal/000001.log is damaged at byte 60, in what had been synced; \
         to cut it there and keep a copy, run `quorate node repair memory`"
    );
}

#[test]
fn a_block_that_decays_while_the_node_runs_is_not_handed_out() {
    let run = Run::record(End::Synced);
    let disk = &run.disk;
    let (store, _) = open(disk).unwrap();
    let mut bytes = disk.contents("blocks.log").unwrap();
    bytes[60 + 37 + 10] ^= 1;
    disk.overwrite("blocks.log", &bytes);
    assert!(matches!(
        store.blocks.get(1),
        Err(StoreError::Damaged { offset: 60, .. })
    ));
    assert!(store.blocks.get(2).unwrap().is_some());
}

#[test]
fn a_damaged_value_is_refused_and_set_aside() {
    let run = Run::record(End::Synced);
    let good = run.disk.contents("meta/genesis").unwrap();
    let flipped = (0..good.len()).flat_map(|at| flips().into_iter().map(move |flip| (at, flip)));
    let flipped = flipped.map(|(at, flip)| {
        let mut bytes = good.clone();
        bytes[at] ^= flip;
        bytes
    });
    let cut = (0..good.len()).map(|length| good[..length].to_vec());
    for bytes in flipped.chain(cut) {
        let disk = run.spoiled("meta/genesis", &bytes);
        let (store, _) = open(&disk).unwrap();
        let error = store.meta.get("genesis").unwrap_err();
        assert!(matches!(error, StoreError::Damaged { .. }));
        assert!(
            error
                .to_string()
                .starts_with("memory/meta/genesis is damaged"),
            "{error}"
        );
        assert!(
            error.to_string().contains("`quorate node repair memory`"),
            "{error}"
        );
        drop(store);
        let repaired = repair(Arc::new(disk.clone()), config()).unwrap();
        assert_eq!(repaired[0].kept, "memory/meta/genesis.damaged.1");
        assert_eq!(disk.contents("meta/genesis.damaged.1").unwrap(), bytes);
        assert_eq!(open(&disk).unwrap().0.meta.get("genesis").unwrap(), None);
    }
}
