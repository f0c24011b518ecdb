//! Power fails at a certain operation of a disk.

use serde::{Deserialize, Serialize};

use quorate_store::Fault as DiskFault;

use super::draw::{Draw, Part, Share, share};
use super::entry::Entry;
use super::ground::Ground;
use super::kind::{Begun, FaultKind};
use super::tear::TearPlan;

/// As [`super::Crash`], but at a certain operation of its disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CrashAtWrite {
    /// The validator that crashes.
    pub validator: usize,
    /// The number of operations of its disk, from the beginning of the fault, before power
    /// fails.
    pub after: u64,
    /// The part of the unsynced bytes that survives.
    pub tear: TearPlan,
}

impl FaultKind for CrashAtWrite {
    const NEEDS: &'static [&'static str] = &["validators"];
    const TAKES: &'static [&'static str] = &["after_writes", "tear"];
    const SHARES: &'static [Share] = &[share(Part::Process, 1..2), share(Part::Disk, 0..2)];

    fn read(entry: &Entry) -> Vec<Self> {
        entry.each_validator(|validator| Self {
            validator,
            after: entry.after_writes,
            tear: entry.tear,
        })
    }

    fn draw(draw: &mut Draw<'_>) -> Vec<Self> {
        vec![Self {
            validator: draw.place,
            after: draw.dice.below(60),
            tear: draw.tear(),
        }]
    }

    fn validators(&self) -> Vec<usize> {
        vec![self.validator]
    }

    fn begin(&self, ground: &mut dyn Ground, _: Begun) {
        for host in ground.hosts(self.validator) {
            let disk = ground.disk(host);
            let failing = disk.operations() + self.after;
            disk.fail_at(failing, DiskFault::PowerOff);

            // The disk fails later, so the tear is kept until then.
            ground.set_tear(host, self.tear);
        }
    }

    fn end(&self, ground: &mut dyn Ground, _: usize) {
        for host in ground.hosts(self.validator) {
            ground.start(host);
        }
    }
}
