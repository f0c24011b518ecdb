//! A disk is full.

use serde::{Deserialize, Serialize};

use super::draw::{Draw, Part, Share, share};
use super::entry::Entry;
use super::ground::Ground;
use super::kind::{Begun, FaultKind};

/// A disk has room for 512 more bytes only, until the fault ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FullDisk {
    /// The validator whose disk is full.
    pub validator: usize,
}

impl FaultKind for FullDisk {
    const NEEDS: &'static [&'static str] = &["validators"];
    const SHARES: &'static [Share] = &[share(Part::Disk, 3..4)];

    fn read(entry: &Entry) -> Vec<Self> {
        entry.each_validator(|validator| Self { validator })
    }

    fn draw(draw: &mut Draw<'_>) -> Vec<Self> {
        vec![Self {
            validator: draw.place,
        }]
    }

    fn validators(&self) -> Vec<usize> {
        vec![self.validator]
    }

    fn begin(&self, ground: &mut dyn Ground, _: Begun) {
        for host in ground.hosts(self.validator) {
            let disk = ground.disk(host);
            disk.set_capacity(disk.used() + 512);
        }
    }

    fn end(&self, ground: &mut dyn Ground, _: usize) {
        for host in ground.hosts(self.validator) {
            ground.disk(host).set_capacity(u64::MAX);
            ground.start(host);
        }
    }
}
