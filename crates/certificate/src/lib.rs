//! Certificates: assembled from a committed block, verified offline by anyone, and explained. The
//! auctions behind them can be run again.
//!
//! [`verify`] takes the bytes, a [`TrustRoot`] that came another way than the bytes, and a
//! [`Policy`]; it returns a [`Verdict`]. `protocols/certificate.md` says what a verdict proves and
//! what it leaves open. [`VerifiedCertificate`] is a certificate that this verifier accepted, as a
//! value. Every refusal has a stable name ([`Refused`], registry in
//! `protocols/reason-codes.md`). [`Replay`] takes the dossier of a clearing that a verified
//! certificate names, runs the auction again, and compares each certified assignment. [`Auctions`]
//! does so for a whole folder of certificates and dossiers.
//!
//! **Absent here:** networks, files, clocks, consensus, and success on empty input.

mod auctions;
mod certificate;
mod diagnose;
mod dossier;
mod example;
mod explain;
mod format;
mod judgement;
mod outcome;
mod refused;
mod replay;
mod trust;
mod verdict;
mod verified;
mod verify;

pub use auctions::{AuctionFacts, AuctionFault, Auctions, AuditedAuction, WrongAward};
pub use certificate::{Certificate, Handover};
pub use dossier::{DOSSIER_EXTENSION, Dossier, DossierError};
pub use example::example;
pub use explain::explain;
pub use format::{MAX_BYTES, MAX_HANDOVERS, VERSION};
pub use judgement::Judgement;
pub use refused::{Refused, VerifyError};
pub use replay::{Amount, Mismatch, NOT_REPLAYED, Replay, ReplayError};
pub use trust::{TrustRoot, TrustRootError};
pub use verdict::{Policy, Summary, Verdict};
pub use verified::VerifiedCertificate;
pub use verify::{ANSWERED_BY_REPLAY, verify};
