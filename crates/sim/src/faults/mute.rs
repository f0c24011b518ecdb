//! Validators are not heard.

use serde::{Deserialize, Serialize};

use super::draw::{Draw, Part, Share, share};
use super::entry::Entry;
use super::ground::Ground;
use super::kind::{Begun, FaultKind};

/// Frames from these validators are lost; they hear everyone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mute {
    /// The validators that are not heard.
    pub validators: Vec<usize>,
}

impl FaultKind for Mute {
    const NEEDS: &'static [&'static str] = &["validators"];
    const SHARES: &'static [Share] = &[share(Part::Network, 1..2)];

    fn read(entry: &Entry) -> Vec<Self> {
        let validators = entry.validators.clone();
        vec![Self { validators }]
    }

    fn draw(draw: &mut Draw<'_>) -> Vec<Self> {
        vec![Self {
            validators: draw.few(),
        }]
    }

    fn validators(&self) -> Vec<usize> {
        self.validators.clone()
    }

    fn begin(&self, ground: &mut dyn Ground, begun: Begun) {
        // A twin is cut off like its original.
        ground.cut(begun.fault, &|from, _| {
            let index = from.validator();
            index.is_some_and(|at| self.validators.contains(&at))
        });
    }

    fn end(&self, ground: &mut dyn Ground, fault: usize) {
        ground.mend(fault);
    }
}
