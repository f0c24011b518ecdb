//! The last decided height, as far as the current one needs it.

use std::collections::BTreeSet;

use quorate_consensus::{Driver, Input, Output};
use quorate_crypto::{Verified, verify_quorum};
use quorate_types::{Block, PublicKey, QuorumCertificate, Signature, SignedStatement};

use crate::context::Context;
use crate::signal::Signal;

/// The parts of the last decided height that the current one needs.
#[derive(Debug, Default)]
pub(super) struct Previous {
    /// The commit; `None` at height 0.
    commit: Option<Verified<QuorumCertificate>>,
    /// The driver, if this process decided the height. The commit in the next block is compared
    /// with the votes that it counted.
    driver: Option<Driver>,
}

impl Previous {
    /// A height that this process decided, with the driver that counted its votes.
    pub(super) fn decided_here(commit: Verified<QuorumCertificate>, driver: Driver) -> Self {
        Self {
            commit: Some(commit),
            driver: Some(driver),
        }
    }

    /// A height that was decided before a restart of this process. No votes were counted for it.
    pub(super) fn restored(commit: Verified<QuorumCertificate>) -> Self {
        Self {
            commit: Some(commit),
            driver: None,
        }
    }

    /// The commit; `None` at height 0.
    pub(super) fn commit(&self) -> Option<Verified<QuorumCertificate>> {
        self.commit.clone()
    }

    /// Returns the votes that both the commit in a block and this node's last commit carry, with
    /// the same signature.
    pub(super) fn known_votes(&self, block: &Block) -> BTreeSet<(PublicKey, Signature)> {
        let (Some(theirs), Some(ours)) = (&block.previous_commit, &self.commit) else {
            return BTreeSet::new();
        };

        let theirs = theirs.certificate();
        if theirs.statement != ours.statement {
            return BTreeSet::new();
        }

        let mut votes = signatures_of(ours);
        let listed = signatures_of(theirs);
        votes.retain(|vote| listed.contains(vote));
        votes
    }

    /// Compares the commit in a block with the votes that were counted here for the block before. A
    /// validator that shows one vote to some and another to others is found only this way (N-24).
    pub(super) fn compare(&mut self, cx: &mut Context<'_>, block: &Verified<Block>) {
        let last = self.driver.as_mut();
        let (Some(last), Some(commit)) = (last, &block.previous_commit) else {
            return;
        };

        // These votes were verified together with the block.
        let checked = |_: &SignedStatement| true;
        let set = cx.ledger().previous_validators();
        let Ok(commit) = verify_quorum(commit.certificate().clone(), set, &checked) else {
            return;
        };

        for output in last.handle(Input::Certificate(commit)) {
            if let Output::Evidence(evidence) = output {
                cx.tell(Signal::Convicted(evidence));
            }
        }
    }
}

/// Returns the votes of a certificate, as signers and their signatures.
fn signatures_of(certificate: &QuorumCertificate) -> BTreeSet<(PublicKey, Signature)> {
    let votes = certificate.votes.iter();
    votes.map(|vote| (vote.signer, vote.signature)).collect()
}
