//! The network falls apart into groups.

use serde::{Deserialize, Serialize};

use super::draw::{Draw, Part, Share, share};
use super::entry::Entry;
use super::ground::{End, Ground};
use super::kind::{Begun, FaultKind};

/// Frames pass only within a group. Agents are in the first group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Partition {
    /// The groups of validators. A validator in no group is in the first.
    pub groups: Vec<Vec<usize>>,
}

impl FaultKind for Partition {
    const NEEDS: &'static [&'static str] = &["groups"];
    const SHARES: &'static [Share] = &[share(Part::Network, 0..1)];

    fn read(entry: &Entry) -> Vec<Self> {
        let groups = entry.groups.clone();
        vec![Self { groups }]
    }

    /// Draws two groups.
    fn draw(draw: &mut Draw<'_>) -> Vec<Self> {
        let all = 0..draw.validators;
        let (left, right) = all.partition(|_| draw.dice.chance(500));

        vec![Self {
            groups: vec![left, right],
        }]
    }

    fn validators(&self) -> Vec<usize> {
        self.groups.concat()
    }

    fn begin(&self, ground: &mut dyn Ground, begun: Begun) {
        ground.cut(begun.fault, &|from, to| self.group(from) != self.group(to));
    }

    fn end(&self, ground: &mut dyn Ground, fault: usize) {
        ground.mend(fault);
    }
}

impl Partition {
    /// The group of a host. Clients, and validators in no group, are in the first. A twin is in the
    /// group after its original's, so that the two are on different sides.
    fn group(&self, end: End) -> usize {
        let End::Validator { index, is_twin } = end else {
            return 0;
        };

        let group = self
            .groups
            .iter()
            .position(|group| group.contains(&index))
            .unwrap_or(0);

        match is_twin {
            true => (group + 1) % self.groups.len().max(1),
            false => group,
        }
    }
}
