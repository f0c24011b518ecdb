//! A sync fails.

use serde::{Deserialize, Serialize};

use quorate_store::Fault as DiskFault;

use super::draw::{Draw, Part, Share, share};
use super::entry::Entry;
use super::ground::Ground;
use super::kind::{Begun, FaultKind};

/// The next sync of a disk fails.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncError {
    /// The validator whose disk fails.
    pub validator: usize,
}

impl FaultKind for SyncError {
    const NEEDS: &'static [&'static str] = &["validators"];
    const SHARES: &'static [Share] = &[share(Part::Disk, 4..5)];

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

            // The fault waits for the next sync.
            disk.fail_at(disk.operations(), DiskFault::SyncError);
        }
    }

    fn end(&self, _: &mut dyn Ground, _: usize) {
        // A failed sync happens once.
    }
}
