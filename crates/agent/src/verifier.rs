//! The verifier, by which the light client believes certificates.

use quorate_certificate::{Policy, TrustRoot, VerifiedCertificate};

/// Decides whether bytes are a certificate of the swarm.
pub trait Verifier: Send {
    /// Returns the certificate with what it proves, or `None` if the bytes prove nothing.
    fn verify(&self, certificate: &[u8]) -> Option<VerifiedCertificate>;
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
    fn verify(&self, certificate: &[u8]) -> Option<VerifiedCertificate> {
        VerifiedCertificate::verify(certificate, &self.root, &self.policy).ok()
    }
}
