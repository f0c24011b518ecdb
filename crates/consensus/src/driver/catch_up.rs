//! What a peer needs that hangs (N-23): Tendermint's liveness rests on everyone seeing what one
//! correct node saw, and messages get lost.

use quorate_crypto::Verified;
use quorate_types::{QuorumCertificate, Round, SignedStatement};

use super::{CatchUp, Driver};

impl Driver {
    /// What a peer that stands in `peer_round` of this height may lack.
    ///
    /// The commit, where there is one. Else: the latest polka and the one the current proposal
    /// rests on (a lock that one node holds must not stay hidden), the certificates of the peer's
    /// round, and the proposals and votes of the peer's round and of this node's. The former let
    /// the peer finish its round, the latter let it skip to this one.
    pub fn catch_up(&self, peer_round: Round) -> CatchUp {
        if let Some(commit) = self
            .decision
            .as_ref()
            .or_else(|| self.tally.commits().next())
        {
            return CatchUp {
                certificates: vec![(**commit).clone()],
                statements: Vec::new(),
            };
        }
        let certificates = self.polkas_that_matter(peer_round);
        let own = (self.state.round != peer_round).then_some(self.state.round);
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

    /// In the order of rounds, none twice.
    fn polkas_that_matter(&self, peer_round: Round) -> Vec<QuorumCertificate> {
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
