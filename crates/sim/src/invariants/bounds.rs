//! Invariant 24 (bounds): a mempool keeps to its limits, and a disk holds the decided blocks and,
//! beside them, a number of bytes that does not grow.

use std::collections::BTreeMap;

use quorate_types::{BlockId, cbor, limits};

use super::invariant::Invariant;
use crate::seen::Seen;
use crate::world::World;

/// Bytes on disk beside the blocks: the guard, the statements and proposals of the height in
/// progress, and log segments that are not full.
const BESIDE: u64 = 256 * 1024;
/// How many times the bytes of a block may be on disk: for the block as decided, and for what it
/// takes to find it again.
const TIMES: u64 = 2;

/// Invariant 24, with the bytes of the blocks that each validator decided.
#[derive(Debug)]
pub(super) struct Bounds {
    /// Bytes that may be on disk beside the blocks.
    beside: u64,
    /// How many times the bytes of a block may be on disk.
    times: u64,
    /// By block: the bytes of the block and its commit.
    sizes: BTreeMap<BlockId, u64>,
    /// By validator: the bytes of all blocks that it decided, with their commits.
    decided: BTreeMap<usize, u64>,
}

impl Default for Bounds {
    fn default() -> Self {
        Self::new(BESIDE, TIMES)
    }
}

impl Bounds {
    /// Creates the invariant for `beside` bytes on disk, and `times` the bytes of the blocks.
    pub(super) fn new(beside: u64, times: u64) -> Self {
        Self {
            beside,
            times,
            sizes: BTreeMap::new(),
            decided: BTreeMap::new(),
        }
    }
}

impl Invariant for Bounds {
    fn number(&self) -> u8 {
        24
    }

    fn name(&self) -> &'static str {
        "bounds"
    }

    fn see(&mut self, world: &World, seen: &Seen) -> Result<(), String> {
        let Seen::Committed {
            validator,
            block,
            commit,
            ..
        } = seen
        else {
            return Ok(());
        };

        // Each block is encoded once, not once for each validator.
        let measure = || (cbor::encode(&***block).len() + cbor::encode(&**commit).len()) as u64;
        let size = *self.sizes.entry(block.header.id()).or_insert_with(measure);

        let decided = self.decided.entry(*validator).or_insert(0);
        *decided += size;

        // The bound grows with the blocks that this validator itself decided.
        let most = self.beside + self.times * *decided;
        check_disk(world, *validator, most)?;
        check_pool(world, *validator)
    }
}

/// Checks that a validator has no more than `most` bytes on its disk.
fn check_disk(world: &World, validator: usize, most: u64) -> Result<(), String> {
    let used = world.validators()[validator].disk_used();

    if used > most {
        return Err(format!(
            "validator {validator} has {used} bytes on disk, but may have at most {most}"
        ));
    }

    Ok(())
}

/// Checks that a validator's mempool keeps to its limits.
fn check_pool(world: &World, validator: usize) -> Result<(), String> {
    let replica = world.validators()[validator].replica();
    let pool = replica.map_or(0, |replica| replica.pool_len());

    let members = world.clients().len() + world.validators().len();
    let most = limits::POOL.min(limits::POOL_PER_AGENT * members);

    if pool > most {
        return Err(format!(
            "validator {validator} has {pool} operations in its pool, but may have at most {most}"
        ));
    }

    Ok(())
}
