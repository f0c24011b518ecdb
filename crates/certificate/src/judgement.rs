//! The judgement on a certificate, in one word.

use std::fmt;

/// A verdict in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Judgement {
    /// The certificate is authentic under the trust root, and the policy holds.
    Verified,
    /// As far as these bytes show, no quorum of the swarm decided this.
    NotAuthentic,
    /// The certificate is authentic, but the auditor's policy asks for more.
    PolicyFailed,
    /// This program cannot judge: there is a version or rule that it does not know.
    CannotEvaluate,
}

impl Judgement {
    /// Returns the stable name, such as `not_authentic`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Verified => "verified",
            Self::NotAuthentic => "not_authentic",
            Self::PolicyFailed => "policy_failed",
            Self::CannotEvaluate => "cannot_evaluate",
        }
    }
}

impl fmt::Display for Judgement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
