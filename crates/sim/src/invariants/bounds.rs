//! 24, bounds: pools have room for so many and no more, and a disk holds the blocks, and besides
//! them what does not grow.

use std::collections::BTreeMap;

use quorate_types::{BlockId, cbor, limits};

use super::Invariant;
use crate::seen::Seen;
use crate::world::World;

/// Bytes on disk beside blocks: guard, statements and proposals of the height in progress, and log
/// segments that are not full.
const BESIDE: u64 = 256 * 1024;
/// How many times a block may be on disk: as decided, and what it takes to find it again.
const TIMES: u64 = 2;

/// See the module.
#[derive(Debug)]
pub(super) struct Bounds {
    beside: u64,
    times: u64,
    sizes: BTreeMap<BlockId, u64>,
    /// By validator: bytes of what it decided.
    decided: BTreeMap<usize, u64>,
}

impl Default for Bounds {
    fn default() -> Self {
        Self::new(BESIDE, TIMES)
    }
}

impl Bounds {
    /// So many bytes on disk, and so many times those of the blocks.
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
        let measure = || (cbor::encode(&***block).len() + cbor::encode(&**commit).len()) as u64;
        let size = *self.sizes.entry(block.header.id()).or_insert_with(measure);
        let decided = self.decided.entry(*validator).or_insert(0);
        *decided += size;
        let host = &world.validators()[*validator];
        let (used, most) = (host.disk_used(), self.beside + self.times * *decided);
        if used > most {
            return Err(format!(
                "validator {validator} has {used} bytes on disk, not {most}"
            ));
        }
        let pool = host.replica().map_or(0, |replica| replica.pool_len());
        let members = world.clients().len() + world.validators().len();
        let most = limits::POOL.min(limits::POOL_PER_AGENT * members);
        match pool > most {
            true => Err(format!(
                "validator {validator} has {pool} operations in its pool"
            )),
            false => Ok(()),
        }
    }
}
