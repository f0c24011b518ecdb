//! The part of the unsynced bytes that survives a crash.

use serde::{Deserialize, Serialize};

use quorate_store::Tear;

use crate::seed::Dice;

/// The part of the unsynced bytes that survives a crash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TearPlan {
    /// No unsynced byte survives.
    Nothing,
    /// Every unsynced byte survives.
    Everything,
    /// The first bytes survive, as many as dice say.
    Prefix,
    /// Any of the sectors survive, and some of them hold garbage.
    Sectors,
}

impl TearPlan {
    /// The tear of a disk that the plan asks for, with numbers from the dice.
    pub(crate) fn tear(self, dice: &mut Dice) -> Tear {
        match self {
            Self::Nothing => Tear::Nothing,
            Self::Everything => Tear::Everything,
            Self::Prefix => Tear::Prefix(dice.below(4096)),
            Self::Sectors => Tear::Sectors {
                seed: dice.number(),
                bytes: 64,
            },
        }
    }
}
