//! Catch-up: the messages that a peer which is stuck in a round needs to go on (N-23). Tendermint's
//! liveness needs everyone to see what one correct node saw, and messages get lost.

use quorate_crypto::Verified;
use quorate_types::{QuorumCertificate, Round, SignedStatement};

use super::{CatchUp, Driver};

impl Driver {
    /// The messages that a peer which is in `peer_round` of this height may lack.
    ///
    /// If there is a commit, the commit alone. Otherwise: the latest polka, the polka that the
    /// current proposal rests on, the certificates of the peer's round, and the proposals and votes
    /// of the peer's round and of this node's round. The two polkas matter because a lock that one
    /// node holds must not stay hidden. The messages of the peer's round let the peer finish it;
    /// those of this node's round let the peer skip to it.
    pub fn catch_up(&self, peer_round: Round) -> CatchUp {
        // A commit makes everything else of the height superfluous.
        if let Some(commit) = self.known_commit() {
            return CatchUp {
                certificates: vec![(**commit).clone()],
                statements: Vec::new(),
            };
        }

        let certificates = self.polkas_that_matter(peer_round);
        let own = (self.state.round != peer_round).then_some(self.state.round);

        // A vote that a certificate of the list carries need not be sent a second time.
        let statements = std::iter::once(peer_round)
            .chain(own)
            .flat_map(|round| self.tally.statements(round))
            .filter(|signed| !certificates.iter().any(|held| has_vote(held, signed)))
            .map(|signed| (**signed).clone())
            .collect();

        CatchUp {
            certificates,
            statements,
        }
    }

    /// The decision, or a commit that arrived and is not decided yet.
    fn known_commit(&self) -> Option<&Verified<QuorumCertificate>> {
        let decision = self.decision.as_ref();
        decision.or_else(|| self.tally.commits().next())
    }

    /// The polkas that a peer in `peer_round` may need, in the order of rounds, none twice.
    fn polkas_that_matter(&self, peer_round: Round) -> Vec<QuorumCertificate> {
        // A proposal with a POL round is of no use to a peer that lacks the polka (N-11).
        let proposal = self
            .tally
            .proposal(self.state.round)
            .map(|signed| &signed.statement);
        let pol_round = proposal.and_then(|said| said.pol_round);

        let latest = self
            .tally
            .polkas()
            .next_back()
            .map(|polka| polka.statement.round);

        let matters = |polka: &&Verified<QuorumCertificate>| {
            let round = Some(polka.statement.round);
            round == latest || round == pol_round || round == Some(peer_round)
        };

        self.tally
            .polkas()
            .filter(matters)
            .map(|polka| (**polka).clone())
            .collect()
    }
}

fn has_vote(certificate: &QuorumCertificate, signed: &SignedStatement) -> bool {
    certificate.statement == signed.statement
        && certificate
            .votes
            .iter()
            .any(|vote| vote.signer == signed.signer)
}
