//! A disk lies about syncs.

use serde::{Deserialize, Serialize};

use quorate_store::Syncs;

use super::draw::{Draw, Part, Share, share};
use super::entry::Entry;
use super::ground::Ground;
use super::kind::{Begun, FaultKind};
use super::tear::TearPlan;

/// Syncs report success and do nothing. When the fault ends, power fails. From the beginning of
/// the fault the validator no longer counts as correct.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncLie {
    /// The validator whose disk lies.
    pub validator: usize,
}

impl FaultKind for SyncLie {
    const NEEDS: &'static [&'static str] = &["validators"];
    const SHARES: &'static [Share] = &[share(Part::Loss, 3..4)];

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
            ground.distrust(host);
            ground.disk(host).set_syncs(Syncs::Lying);
        }
    }

    fn end(&self, ground: &mut dyn Ground, _: usize) {
        let why = "power failed under a lying disk";
        ground.crash(self.validator, TearPlan::Nothing, why);

        for host in ground.hosts(self.validator) {
            ground.disk(host).set_syncs(Syncs::Honest);
            ground.restart_later(host);
        }
    }
}
