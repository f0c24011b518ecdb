//! What belongs to a height, asked before a signature is checked.

use quorate_types::{Kind, QuorumCertificate, SignedStatement, Statement};

use super::Driver;

impl Driver {
    /// Whether a statement is worth checking its signature: of this swarm, height and validator
    /// set, by a member (a proposal: by the proposer of its round), well formed, within the bounds
    /// of [`crate::tally`], and not held. Once decided, only what convicts its signer is wanted.
    /// What is not wanted may be dropped and counted (N-22).
    pub fn wants(&self, signed: &SignedStatement) -> bool {
        let said = &signed.statement;
        let convicts = || {
            self.tally
                .statement_of(&signed.signer, said.round, said.kind)
                .is_some()
        };
        self.belongs(signed)
            && self.tally.has_room(self.state.round, signed)
            && (!self.is_decided() || convicts())
    }

    /// Whether a certificate is worth checking its signatures: a polka or commit certificate of
    /// this swarm, height and validator set that is not held, while the height is undecided.
    pub fn wants_certificate(&self, certificate: &QuorumCertificate) -> bool {
        let said = &certificate.statement;
        self.certifies(certificate)
            && !self.is_decided()
            && self
                .tally
                .certificate(said.round, said.kind, said.block)
                .is_none()
    }

    /// Whether this very statement with this very signature is held, so that its signature need
    /// not be checked again.
    pub fn verified(&self, signed: &SignedStatement) -> bool {
        self.tally.holds(signed)
    }

    /// Whether a statement is of this height and its signer may make it.
    pub(super) fn belongs(&self, signed: &SignedStatement) -> bool {
        let said = &signed.statement;
        let may = match said.kind {
            Kind::Proposal => signed.signer == self.proposer(said.round),
            Kind::Prevote | Kind::Precommit => true,
        };
        may && self.config.validators.get(&signed.signer).is_some()
            && self.is_of_this_height(said)
            && is_well_formed(said)
    }

    /// Whether a certificate is of this height and of a kind that means anything.
    pub(super) fn certifies(&self, certificate: &QuorumCertificate) -> bool {
        let said = &certificate.statement;
        said.kind != Kind::Proposal && self.is_of_this_height(said) && is_well_formed(said)
    }

    fn is_of_this_height(&self, said: &Statement) -> bool {
        said.swarm == self.config.swarm
            && said.height == self.config.height
            && said.validators == self.validators_hash
    }
}

/// A proposal names a block, and a POL round before its own if any (line 28, N-3); a vote has none.
fn is_well_formed(said: &Statement) -> bool {
    match said.kind {
        Kind::Proposal => {
            said.block.is_some()
                && said
                    .pol_round
                    .is_none_or(|pol_round| pol_round < said.round)
        }
        Kind::Prevote | Kind::Precommit => said.pol_round.is_none(),
    }
}
