//! Certificates: assembled from a committed block, verified offline by anyone, explained; and the
//! auctions behind them run again.
//!
//! [`verify`] needs the bytes, a [`TrustRoot`] that came another way than the bytes, and a
//! [`Policy`]; it says [`Verdict`]. What it proves and what it leaves open is written down in
//! `protocols/certificate.md`; every refusal has a stable name ([`Refused`], registry in
//! `protocols/reason-codes.md`). [`Replay`] takes the dossier of a clearing that a verified
//! certificate names, and compares each certified assignment. **Absent here:** networks, files,
//! clocks, consensus, and success on empty input.

mod certificate;
mod diagnose;
mod dossier;
mod explain;
mod outcome;
mod refused;
mod replay;
mod trust;
mod verdict;
mod verify;

pub use certificate::{Certificate, Handover, MAX_BYTES, MAX_HANDOVERS, VERSION};
pub use dossier::{Dossier, DossierError};
pub use explain::explain;
pub use refused::{Refused, VerifyError};
pub use replay::{Amount, Mismatch, NOT_REPLAYED, Replay, ReplayError};
pub use trust::{TrustRoot, TrustRootError};
pub use verdict::{Judgement, Policy, Summary, Verdict};
pub use verify::{ANSWERED_BY_REPLAY, verify};
