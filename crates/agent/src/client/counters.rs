//! The counters of a light client.

/// Counters of the certificates, messages and operations of a client, for metrics.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ClientCounters {
    /// Certificates that did not verify.
    pub bad_certificates: u64,
    /// Certificates that verified.
    pub certificates: u64,
    /// Messages from strangers, answers that were not asked for, and dossiers or bids that are not
    /// valid.
    pub unexpected: u64,
    /// Operations that a validator called not authentic.
    pub unauthentic: u64,
    /// Operations that were sent again.
    pub resubmissions: u64,
}
