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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use quorate_consensus::Config;
    use quorate_types::{CommitProof, Evidence, Kind};

    use super::*;
    use crate::testing::{Bench, Past};

    /// The first height as this process decided it, with the votes of all four for its block.
    fn decided_here() -> (Bench, Previous, Past) {
        let mut bench = Bench::new();
        let ledger = Arc::clone(bench.ledger());
        let mut driver = Driver::new(Config {
            swarm: ledger.swarm(),
            height: 1,
            validators: Arc::clone(ledger.validators()),
            proposers: (**ledger.proposers()).clone(),
            me: None,
        });
        driver.handle(Input::Start);
        let forks = bench.statement(1, Kind::Precommit, None);
        driver.handle(Input::Statement(forks));
        let past = bench.commit(Vec::new());
        let previous = Previous::decided_here(past.commit.clone(), driver);
        (bench, previous, past)
    }

    fn convicted(bench: &mut Bench) -> Vec<PublicKey> {
        let signals = bench.take().signals.into_iter();
        let culprits = signals.filter_map(|signal| match signal {
            Signal::Convicted(evidence) => Some(Evidence::culprit(&evidence)),
            _ => None,
        });
        culprits.collect()
    }

    #[test]
    fn n24_who_shows_another_vote_in_the_next_block_is_convicted() {
        let (mut bench, mut previous, _) = decided_here();
        let block = bench.next_block();
        previous.compare(&mut bench.cx(), &block);
        assert_eq!(convicted(&mut bench), [crate::testing::public(1)]);
    }

    #[test]
    fn after_a_restart_there_are_no_votes_to_compare_with() {
        let (mut bench, _, past) = decided_here();
        let block = bench.next_block();
        let mut restored = Previous::restored(past.commit);
        restored.compare(&mut bench.cx(), &block);
        assert!(bench.take().is_empty());
    }

    #[test]
    fn only_votes_with_the_very_same_signature_are_known() {
        let (bench, previous, past) = decided_here();
        let mut block = bench.next_block().into_inner();
        let votes = |block: &Block| previous.known_votes(block).len();
        assert_eq!(votes(&block), past.commit.votes.len());
        let mut commit = block.previous_commit.take().unwrap().into_certificate();
        assert_eq!(votes(&block), 0);
        commit.votes[0].signature.0[0] ^= 1;
        block.previous_commit = Some(CommitProof::from(commit.clone()));
        assert_eq!(votes(&block), past.commit.votes.len() - 1);
        commit.statement.round += 1;
        block.previous_commit = Some(CommitProof::from(commit));
        assert_eq!(votes(&block), 0, "the signatures are on another statement");
        assert!(Previous::default().known_votes(&block).is_empty());
    }
}
