//! The arguments of an audit that say what to trust, and how much.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use quorate_certificate::{Policy, TrustRoot};

/// The trust root and the policy of an audit.
#[derive(Debug, clap::Args)]
pub(super) struct TrustArgs {
    /// Genesis file of the swarm. It must come to you another way than the certificates.
    #[arg(long, value_name = "GENESIS")]
    trust: PathBuf,
    /// Least number of distinct operators among the signers of each commit.
    #[arg(long, value_name = "N", default_value_t = 1)]
    min_operators: usize,
}

impl TrustArgs {
    /// Reads the trust root.
    ///
    /// # Errors
    /// If the file cannot be read or is not a valid genesis. The error names the flag and the file.
    pub(super) fn root(&self) -> Result<TrustRoot> {
        read_trust_root(&self.trust).context("--trust")
    }

    pub(super) fn policy(&self) -> Policy {
        Policy {
            min_operators: self.min_operators,
            ..Policy::default()
        }
    }
}

/// Reads a trust root, which is a genesis file.
///
/// # Errors
/// If the file cannot be read or is not a valid genesis. The error names it.
pub(super) fn read_trust_root(path: &Path) -> Result<TrustRoot> {
    let name = || path.display().to_string();
    let text = std::fs::read_to_string(path).with_context(name)?;
    TrustRoot::parse(&text).with_context(name)
}
