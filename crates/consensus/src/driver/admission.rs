//! Admission: whether a message belongs to this height, decided before its signature is checked.

use quorate_types::{Kind, QuorumCertificate, SignedStatement, Statement};

use super::Driver;

impl Driver {
    /// Whether it is worth checking the signature of a statement.
    ///
    /// It is if the statement is of this swarm, height and validator set, is well formed, is signed
    /// by a member (a proposal: by the proposer of its round), is within the bounds of
    /// [`crate::tally`], and is not held already. Once the height is decided, or the prevotes of
    /// its round have a quorum, only a statement that may convict its signer is wanted. The caller
    /// may drop and count a statement that is not wanted (N-22).
    pub fn wants(&self, signed: &SignedStatement) -> bool {
        let said = &signed.statement;

        let convicts = || {
            self.tally
                .statement_of(&signed.signer, said.round, said.kind)
                .is_some()
        };

        self.belongs(signed)
            && self.tally.has_room(self.state.round, signed)
            && (!self.is_settled(said) || convicts())
    }

    /// Whether no rule waits for a further statement like this one: the height is decided, or it is
    /// a prevote of a round whose prevotes agree already. A round has one quorum of prevotes, and
    /// all rules that count prevotes are satisfied by it.
    fn is_settled(&self, said: &Statement) -> bool {
        let has_quorum = |round| {
            self.tally
                .certificates(round, Kind::Prevote)
                .next()
                .is_some()
        };

        self.is_decided() || (said.kind == Kind::Prevote && has_quorum(said.round))
    }

    /// Whether it is worth checking the signatures of a certificate: it is a polka or commit
    /// certificate of this swarm, height and validator set that is not held, and the height is
    /// undecided.
    pub fn wants_certificate(&self, certificate: &QuorumCertificate) -> bool {
        let said = &certificate.statement;
        self.certifies(certificate)
            && !self.is_decided()
            && self
                .tally
                .certificate(said.round, said.kind, said.block)
                .is_none()
    }

    /// Whether exactly this statement with exactly this signature is held, so that the signature
    /// need not be checked again.
    pub fn verified(&self, signed: &SignedStatement) -> bool {
        self.tally.holds(signed)
    }

    /// Whether a statement is of this height, well formed, and made by a validator that may make
    /// it.
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

    /// Whether a certificate is of this height, well formed, and of prevotes or precommits.
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

/// Whether the fields fit the kind: a proposal names a block and, if it has a POL round, one before
/// its own round (line 28, N-3); a vote has no POL round.
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
