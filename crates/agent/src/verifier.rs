//! The verifier, by which the light client believes certificates.

use quorate_certificate::{Certificate, Policy, TrustRoot, verify};
use quorate_types::Outcome;

/// Decides whether bytes are a certificate of the swarm.
pub trait Verifier: Send {
    /// Returns the outcome that `certificate` proves, or `None` if it proves nothing.
    fn verify(&self, certificate: &[u8]) -> Option<Outcome>;
}

/// Verifies certificates against a trust root.
#[derive(Debug, Clone)]
pub struct CertificateVerifier {
    root: TrustRoot,
    policy: Policy,
}

impl CertificateVerifier {
    /// Makes a verifier that accepts what [`quorate_certificate::verify`] accepts under this root
    /// and policy.
    pub fn new(root: TrustRoot, policy: Policy) -> Self {
        Self { root, policy }
    }
}

impl Verifier for CertificateVerifier {
    fn verify(&self, certificate: &[u8]) -> Option<Outcome> {
        if !verify(certificate, &self.root, &self.policy).is_verified() {
            return None;
        }
        Certificate::decode(certificate)
            .ok()
            .map(|certificate| certificate.outcome)
    }
}
