//! A validator stands still.

use serde::{Deserialize, Serialize};

use super::draw::{Draw, Part, Share, share};
use super::entry::Entry;
use super::ground::Ground;
use super::kind::{Begun, FaultKind};

/// A validator does nothing until the fault ends, and then finds everything waiting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    /// The validator that pauses.
    pub validator: usize,
}

impl FaultKind for Pause {
    const NEEDS: &'static [&'static str] = &["validators"];
    const SHARES: &'static [Share] = &[share(Part::Process, 3..4)];

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

    fn begin(&self, ground: &mut dyn Ground, begun: Begun) {
        // Frames and timers wait until then.
        for host in ground.hosts(self.validator) {
            ground.pause(host, begun.lasts);
        }
    }

    fn end(&self, _: &mut dyn Ground, _: usize) {
        // A pause ends by its time.
    }
}
