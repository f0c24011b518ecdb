//! Power fails at a validator.

use serde::{Deserialize, Serialize};

use super::draw::{Draw, Part, Share, share};
use super::entry::Entry;
use super::ground::Ground;
use super::kind::{Begun, FaultKind};
use super::tear::TearPlan;

/// Power fails at a validator. It starts again when the fault ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Crash {
    /// The validator that crashes.
    pub validator: usize,
    /// The part of the unsynced bytes that survives.
    pub tear: TearPlan,
}

impl FaultKind for Crash {
    const NEEDS: &'static [&'static str] = &["validators"];
    const TAKES: &'static [&'static str] = &["tear"];
    const SHARES: &'static [Share] = &[share(Part::Process, 0..1)];

    fn read(entry: &Entry) -> Vec<Self> {
        entry.each_validator(|validator| Self {
            validator,
            tear: entry.tear,
        })
    }

    fn draw(draw: &mut Draw<'_>) -> Vec<Self> {
        vec![Self {
            validator: draw.place,
            tear: draw.tear(),
        }]
    }

    fn validators(&self) -> Vec<usize> {
        vec![self.validator]
    }

    fn begin(&self, ground: &mut dyn Ground, _: Begun) {
        ground.crash(self.validator, self.tear, "power failed");
    }

    fn end(&self, ground: &mut dyn Ground, _: usize) {
        // Nothing happens to a process that runs again already.
        for host in ground.hosts(self.validator) {
            ground.start(host);
        }
    }
}
