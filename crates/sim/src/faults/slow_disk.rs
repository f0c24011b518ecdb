//! A disk is slow.

use serde::{Deserialize, Serialize};

use quorate_types::Millis;

use super::draw::{Draw, Part, Share, share};
use super::entry::Entry;
use super::ground::Ground;
use super::kind::{Begun, FaultKind};

/// Each sync of a disk takes a while.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlowDisk {
    /// The validator whose disk is slow.
    pub validator: usize,
    /// Milliseconds that a sync takes.
    pub sync_ms: Millis,
}

impl FaultKind for SlowDisk {
    const NEEDS: &'static [&'static str] = &["validators", "sync"];
    const SHARES: &'static [Share] = &[share(Part::Disk, 2..3)];

    fn read(entry: &Entry) -> Vec<Self> {
        entry.each_validator(|validator| Self {
            validator,
            sync_ms: entry.sync_ms,
        })
    }

    fn draw(draw: &mut Draw<'_>) -> Vec<Self> {
        vec![Self {
            validator: draw.place,
            sync_ms: draw.dice.between(1, 40),
        }]
    }

    fn validators(&self) -> Vec<usize> {
        vec![self.validator]
    }

    fn begin(&self, ground: &mut dyn Ground, _: Begun) {
        for host in ground.hosts(self.validator) {
            ground.set_sync_ms(host, self.sync_ms);
        }
    }

    fn end(&self, ground: &mut dyn Ground, _: usize) {
        for host in ground.hosts(self.validator) {
            ground.set_sync_ms(host, 0);
        }
    }
}
