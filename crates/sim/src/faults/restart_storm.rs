//! A validator crashes again and again.

use serde::{Deserialize, Serialize};

use super::draw::{Draw, Part, Share, share};
use super::entry::Entry;
use super::ground::Ground;
use super::kind::{Begun, FaultKind};

/// A validator crashes and starts several times, evenly over the duration of the fault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestartStorm {
    /// The validator that crashes.
    pub validator: usize,
    /// The number of crashes.
    pub times: u64,
}

impl FaultKind for RestartStorm {
    const NEEDS: &'static [&'static str] = &["validators", "times"];
    const SHARES: &'static [Share] = &[share(Part::Process, 2..3)];

    fn read(entry: &Entry) -> Vec<Self> {
        entry.each_validator(|validator| Self {
            validator,
            times: entry.times,
        })
    }

    fn draw(draw: &mut Draw<'_>) -> Vec<Self> {
        vec![Self {
            validator: draw.place,
            times: draw.dice.between(2, 6),
        }]
    }

    fn validators(&self) -> Vec<usize> {
        vec![self.validator]
    }

    fn begin(&self, ground: &mut dyn Ground, begun: Begun) {
        let times = self.times.max(1);
        ground.storm(self.validator, times, begun.lasts / times);
    }

    fn end(&self, ground: &mut dyn Ground, _: usize) {
        for host in ground.hosts(self.validator) {
            ground.start(host);
        }
    }
}
