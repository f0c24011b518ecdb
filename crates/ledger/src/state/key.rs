//! The names of the entries under the state root.

use quorate_types::{Hash, Label, PublicKey, TaskId};
use serde::Serialize;

/// The key of an entry of the state. It is encoded as a map with one entry from its name, or as its
/// name alone; the authenticated map hashes that encoding.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Key {
    /// A member: sequence numbers, committed amounts, and counts of refusals and defaults.
    Account(PublicKey),
    /// An attestation of a member: the subject, and [`quorate_types::Attestation::hash`].
    Attestation(PublicKey, Hash),
    /// The revocation of an attestation: issuer and hash. It is never removed.
    Revocation(PublicKey, Hash),
    /// A task. Stays after its end, so that a late report finds that it ended.
    Task(TaskId),
    /// The bid of a member in the window of a market.
    Reservation(Label, PublicKey),
    /// A solution by a member for the window of a market: pairs of task and winner.
    Solution(Label, PublicKey),
    /// The window of a market.
    Window(Label),
    /// The validator sets, kept as long as evidence may be brought, and the convicted keys.
    Committee,
    /// The validators that missed their turns to propose, and those that are benched.
    Proposers,
}

impl Key {
    /// Returns the keys of all attestations of `subject`.
    pub(crate) fn attestations(subject: PublicKey) -> std::ops::RangeInclusive<Self> {
        Self::Attestation(subject, Hash([0; 32]))..=Self::Attestation(subject, Hash([255; 32]))
    }

    /// Returns the keys of all reservations in `market`.
    pub(crate) fn reservations(market: &Label) -> std::ops::RangeInclusive<Self> {
        let key = |byte| Self::Reservation(market.clone(), PublicKey([byte; 32]));
        key(0)..=key(255)
    }

    /// Returns the keys of all solutions in `market`.
    pub(crate) fn solutions(market: &Label) -> std::ops::RangeInclusive<Self> {
        let key = |byte| Self::Solution(market.clone(), PublicKey([byte; 32]));
        key(0)..=key(255)
    }
}
