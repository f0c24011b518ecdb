//! Two halves hear each other only through one validator.

use serde::{Deserialize, Serialize};

use super::draw::{Draw, Part, Share, share};
use super::entry::Entry;
use super::ground::Ground;
use super::kind::{Begun, FaultKind};

/// The other validators are split into two halves that do not hear each other; both hear this
/// one and are heard by it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bridge {
    /// The validator between the halves.
    pub validator: usize,
}

impl FaultKind for Bridge {
    const NEEDS: &'static [&'static str] = &["validators"];
    const SHARES: &'static [Share] = &[share(Part::Network, 3..4)];

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
        ground.cut(
            begun.fault,
            &|from, to| match (from.validator(), to.validator()) {
                (Some(a), Some(b)) => self.are_across(a, b),
                _ => false,
            },
        );
    }

    fn end(&self, ground: &mut dyn Ground, fault: usize) {
        ground.mend(fault);
    }
}

impl Bridge {
    /// Whether two validators are on different sides of the bridge, which has the even indices on
    /// one side and the odd ones on the other.
    fn are_across(&self, a: usize, b: usize) -> bool {
        let bridge = self.validator;
        a != bridge && b != bridge && a % 2 != b % 2
    }
}
