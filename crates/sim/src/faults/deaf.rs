//! Validators hear nothing.

use serde::{Deserialize, Serialize};

use super::draw::{Draw, Part, Share, share};
use super::entry::Entry;
use super::ground::Ground;
use super::kind::{Begun, FaultKind};

/// Frames to these validators are lost; everyone hears them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deaf {
    /// The validators that hear nothing.
    pub validators: Vec<usize>,
}

impl FaultKind for Deaf {
    const NEEDS: &'static [&'static str] = &["validators"];
    const SHARES: &'static [Share] = &[share(Part::Network, 2..3)];

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
        ground.cut(begun.fault, &|_, to| {
            let index = to.validator();
            index.is_some_and(|at| self.validators.contains(&at))
        });
    }

    fn end(&self, ground: &mut dyn Ground, fault: usize) {
        ground.mend(fault);
    }
}
