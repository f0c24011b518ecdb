//! The clock of a validator jumps.

use serde::{Deserialize, Serialize};

use super::draw::{Draw, Part, Share, share};
use super::entry::Entry;
use super::ground::Ground;
use super::kind::{Begun, FaultKind};

/// The Unix time of a validator jumps; its monotonic clock does not. It is set right when the
/// fault ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClockJump {
    /// The validator whose clock jumps.
    pub validator: usize,
    /// Milliseconds by which it jumps; negative if it jumps back.
    pub by_ms: i64,
}

impl FaultKind for ClockJump {
    const NEEDS: &'static [&'static str] = &["validators", "by_ms"];
    const SHARES: &'static [Share] = &[share(Part::Process, 4..5)];

    fn read(entry: &Entry) -> Vec<Self> {
        entry.each_validator(|validator| Self {
            validator,
            by_ms: entry.by_ms,
        })
    }

    fn draw(draw: &mut Draw<'_>) -> Vec<Self> {
        vec![Self {
            validator: draw.place,
            by_ms: draw.dice.below(8_000) as i64 - 4_000,
        }]
    }

    fn validators(&self) -> Vec<usize> {
        vec![self.validator]
    }

    fn begin(&self, ground: &mut dyn Ground, _: Begun) {
        for host in ground.hosts(self.validator) {
            ground.jump_clock(host, self.by_ms);
        }
    }

    fn end(&self, ground: &mut dyn Ground, _: usize) {
        for host in ground.hosts(self.validator) {
            ground.set_clock(host);
        }
    }
}
