//! A model of the steps of a node with a store, and of the data that must come back.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use quorate_store::{Record, Store, StoreError, WalRecord};

use super::replayed;

/// A step that a node may take with a store.
#[derive(Debug, Clone)]
pub enum Step {
    Append { rise: u64, length: usize },
    Sync,
    TruncateBelow { back: u64 },
    Block { length: usize },
    SyncBlocks,
    Put { value: u8 },
}

/// The steps that were asked of the store, and those that it reported as done.
#[derive(Debug, Default)]
pub struct Model {
    appended: Vec<WalRecord>,
    synced: usize,
    truncated_below: u64,
    blocks: Vec<Vec<u8>>,
    synced_blocks: usize,
    put: Vec<u8>,
    put_done: Option<u8>,
}

impl Model {
    pub fn run(&mut self, store: &mut Store, steps: &[Step]) -> Result<(), StoreError> {
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
                store
                    .blocks
                    .append(self.blocks.len() as u64, &block, &block[..length / 2])?;
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
        self.appended.push(WalRecord {
            sequence,
            kind: 3,
            height,
            payload: payload.clone(),
        });
        assert_eq!(
            store.wal.append(Record {
                kind: 3,
                height,
                payload: &payload
            })?,
            sequence
        );
        Ok(())
    }

    /// The law: all that was synced is there, nothing that was not written, and nothing is altered.
    pub fn check(&self, store: &Store) {
        let records = self.check_unaltered(store);
        let needed = self.appended[..self.synced].iter();
        let needed: Vec<_> = needed
            .filter(|record| record.height >= self.truncated_below)
            .collect();
        for record in &needed {
            assert!(records.contains(record), "synced {record:?} is gone");
        }
        assert!(store.blocks.last_height() as usize >= self.synced_blocks);
        let value = store.meta.get("value").unwrap();
        let since = self.put_done.map_or(0, |done| {
            self.put.iter().rposition(|value| *value == done).unwrap()
        });
        let allowed = value.is_none() && self.put_done.is_none()
            || self.put[since..]
                .iter()
                .any(|put| value.as_deref() == Some(&[*put; 30]));
        assert!(allowed, "{value:?} was not the last value put");
    }

    /// The half of the law that also holds on a disk that lies: all that is there was written, in
    /// its order and without gaps. Returns the records.
    pub fn check_unaltered(&self, store: &Store) -> Vec<WalRecord> {
        let records = replayed(&store.wal);
        let first = records.first().map_or(self.appended.len(), |first| {
            self.appended
                .iter()
                .position(|record| record.sequence == first.sequence)
                .unwrap()
        });
        let end = if records.is_empty() {
            first
        } else {
            first + records.len()
        };
        assert_eq!(records, self.appended[first.min(end)..end]);
        let last = store.blocks.last_height();
        assert!(last as usize <= self.blocks.len());
        for (height, block) in (1..=last).zip(&self.blocks) {
            let stored = store.blocks.get(height).unwrap().unwrap();
            assert_eq!((stored.height, &stored.block), (height, block));
            assert_eq!(stored.proof, block[..block.len() / 2]);
        }
        if let Ok(Some(value)) = store.meta.get("value") {
            assert!(
                self.put.iter().any(|put| value == [*put; 30]),
                "{value:?} was never put"
            );
        }
        records
    }

    /// Takes the data that recovery gave as the truth from now on.
    pub fn adopt(&mut self, store: &Store) {
        self.appended = replayed(&store.wal);
        self.synced = self.appended.len();
        self.blocks.truncate(store.blocks.last_height() as usize);
        self.synced_blocks = self.blocks.len();
        self.put_done = store.meta.get("value").unwrap().map(|value| value[0]);
    }
}

pub fn steps() -> Vec<Step> {
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
