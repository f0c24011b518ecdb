//! A certificate of a swarm that does not exist, for the tests of agents.

use crate::{Policy, TrustRoot, VerifiedCertificate};

/// The genesis of the example's swarm.
const GENESIS: &str = include_str!("example/genesis.toml");
/// An assignment that the validators of this genesis certified.
const ASSIGNMENT: &[u8] = include_bytes!("example/assignment.cbor");

/// Returns the certificate of an assignment, verified under the genesis of an example swarm whose
/// keys are public. An award holds a verified certificate, so the test of an agent needs one. It
/// says nothing about any other swarm. Never `None`, as long as this version of the format is
/// verified.
pub fn example() -> Option<VerifiedCertificate> {
    let root = TrustRoot::parse(GENESIS).ok()?;
    VerifiedCertificate::verify(ASSIGNMENT, &root, &Policy::default()).ok()
}
