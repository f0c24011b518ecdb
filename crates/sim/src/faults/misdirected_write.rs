//! A write lands in a wrong place.

use serde::{Deserialize, Serialize};

use quorate_store::Fault as DiskFault;

use super::draw::{Draw, Part, Share, share};
use super::entry::Entry;
use super::ground::Ground;
use super::kind::{Begun, FaultKind};
use super::tear::TearPlan;
use crate::seed::Dice;

/// A write lands in a wrong place. When the fault ends, the validator restarts. From the
/// beginning of the fault it no longer counts as correct.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MisdirectedWrite {
    /// The validator whose disk misdirects a write.
    pub validator: usize,
}

impl FaultKind for MisdirectedWrite {
    const NEEDS: &'static [&'static str] = &["validators"];
    const SHARES: &'static [Share] = &[share(Part::Loss, 4..5)];

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

    fn makes_faulty(&self) -> bool {
        true
    }

    fn begin(&self, ground: &mut dyn Ground, _: Begun) {
        for host in ground.hosts(self.validator) {
            let fault = misdirection(ground.dice());

            ground.distrust(host);

            let disk = ground.disk(host);
            disk.fail_at(disk.operations(), fault);
        }
    }

    fn end(&self, ground: &mut dyn Ground, _: usize) {
        // Everything survives, the misdirected write too.
        ground.crash(self.validator, TearPlan::Everything, "restarted");

        for host in ground.hosts(self.validator) {
            ground.restart_later(host);
        }
    }
}

/// Draws the place that the next write lands in.
fn misdirection(dice: &mut Dice) -> DiskFault {
    let by = dice.between(1, 4096);
    let which = dice.number();

    match which % 3 {
        0 => DiskFault::StrayWrite(which),
        1 => DiskFault::ShiftedWrite(-(by as i64)),
        _ => DiskFault::ShiftedWrite(by as i64),
    }
}
