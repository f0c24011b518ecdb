//! A disk is emptied.

use serde::{Deserialize, Serialize};

use super::draw::{Draw, Part, Share, share};
use super::entry::Entry;
use super::ground::Ground;
use super::kind::{Begun, FaultKind};
use super::tear::TearPlan;

/// The disk of a validator is emptied. It comes back by N-27 to N-30 when the fault ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wipe {
    /// The validator whose disk is emptied.
    pub validator: usize,
}

impl FaultKind for Wipe {
    const NEEDS: &'static [&'static str] = &["validators"];
    const SHARES: &'static [Share] = &[share(Part::Loss, 2..3)];

    fn read(entry: &Entry) -> Vec<Self> {
        entry.each_validator(|validator| Self { validator })
    }

    /// Draws whether several disks are emptied together.
    fn draw(draw: &mut Draw<'_>) -> Vec<Self> {
        // Two validators at once may come back by N-27 if the others are a quorum.
        let all = draw.dice.chance(500);
        let doubtful = draw.doubtful.iter().copied();
        let wiped = doubtful.filter(|at| all || *at == draw.place);

        wiped.map(|validator| Self { validator }).collect()
    }

    fn validators(&self) -> Vec<usize> {
        vec![self.validator]
    }

    fn begin(&self, ground: &mut dyn Ground, _: Begun) {
        ground.crash(self.validator, TearPlan::Nothing, "wiped");

        for host in ground.hosts(self.validator) {
            ground.wipe(host);
        }
    }

    fn end(&self, ground: &mut dyn Ground, _: usize) {
        for host in ground.hosts(self.validator) {
            ground.start(host);
        }
    }
}
