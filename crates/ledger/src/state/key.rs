//! Names of what stands under the state root.

use quorate_types::{Hash, Label, PublicKey, TaskId};
use serde::Serialize;

/// Key of an entry of the state. Written as a map of one entry from its name, or as its name alone;
/// the authenticated map hashes that.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Key {
    /// A member: sequence numbers, what it has committed, how often it was refused.
    Account(PublicKey),
    /// An attestation of a member: subject, [`quorate_types::Attestation::hash`].
    Attestation(PublicKey, Hash),
    /// That an issuer has revoked an attestation: issuer, hash. Stays for ever.
    Revocation(PublicKey, Hash),
    /// A task. Stays after its end, so that a late report finds that it ended.
    Task(TaskId),
    /// What a member has bid in the window of a market.
    Reservation(Label, PublicKey),
    /// Who should win what in the window of a market, by a member.
    Solution(Label, PublicKey),
    /// The window of a market.
    Window(Label),
    /// The validator sets, kept as long as evidence may be brought.
    Committee,
    /// Who missed his turn to propose, and who is benched.
    Proposers,
}

impl Key {
    /// All attestations of `subject`.
    pub(crate) fn attestations(subject: PublicKey) -> std::ops::RangeInclusive<Self> {
        Self::Attestation(subject, Hash([0; 32]))..=Self::Attestation(subject, Hash([255; 32]))
    }

    /// All reservations in `market`.
    pub(crate) fn reservations(market: &Label) -> std::ops::RangeInclusive<Self> {
        let key = |byte| Self::Reservation(market.clone(), PublicKey([byte; 32]));
        key(0)..=key(255)
    }

    /// All solutions in `market`.
    pub(crate) fn solutions(market: &Label) -> std::ops::RangeInclusive<Self> {
        let key = |byte| Self::Solution(market.clone(), PublicKey([byte; 32]));
        key(0)..=key(255)
    }
}
