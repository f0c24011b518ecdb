//! The statements of one round and kind, with their power.

use std::collections::BTreeMap;

use quorate_crypto::Verified;
use quorate_types::{BlockId, Power, PublicKey, QuorumCertificate, SignedStatement, ValidatorSet};

/// Certificates kept in one ballot. Two certificates for different blocks prove that more than a
/// third of the power is faulty; more of them would prove nothing else.
const CERTIFICATES: usize = 2;

/// The first statement of each validator, with the power that each block has, and the certificates.
#[derive(Debug, Clone, Default)]
pub struct Ballot {
    first: BTreeMap<PublicKey, Verified<SignedStatement>>,
    power: BTreeMap<Option<BlockId>, Power>,
    total: Power,
    certificates: BTreeMap<Option<BlockId>, Verified<QuorumCertificate>>,
}

impl Ballot {
    /// Counts the statement of a validator that has none here; `power` is the power of its signer.
    pub fn count(&mut self, signed: Verified<SignedStatement>, power: Power) {
        let block = signed.statement.block;
        if self.first.insert(signed.signer, signed).is_none() {
            *self.power.entry(block).or_default() += power;
            self.total += power;
        }
    }

    /// Takes back the statement of a validator; see [`super::Tally`] on far rounds.
    pub fn remove(&mut self, signer: &PublicKey, power: Power) {
        if let Some(signed) = self.first.remove(signer) {
            let said = self.power.entry(signed.statement.block).or_default();
            *said = said.saturating_sub(power);
            self.total = self.total.saturating_sub(power);
        }
    }

    /// The first statement of this validator, if it made one.
    pub fn of(&self, signer: &PublicKey) -> Option<&Verified<SignedStatement>> {
        self.first.get(signer)
    }

    /// All statements that count, by signer.
    pub fn statements(&self) -> impl Iterator<Item = &Verified<SignedStatement>> {
        self.first.values()
    }

    /// The power of all validators that made a statement, for anything.
    pub fn total(&self) -> Power {
        self.total
    }

    /// Whether there is neither a statement nor a certificate.
    pub fn is_bare(&self) -> bool {
        self.first.is_empty() && self.certificates.is_empty()
    }

    /// The certificates, by block; the one for nil comes first.
    pub fn certificates(&self) -> impl DoubleEndedIterator<Item = &Verified<QuorumCertificate>> {
        self.certificates.values()
    }

    /// The certificate for this block, or for nil.
    pub fn certificate(&self, block: Option<BlockId>) -> Option<&Verified<QuorumCertificate>> {
        self.certificates.get(&block)
    }

    /// Keeps a certificate that arrived complete. Returns it if it is new.
    pub fn certify(
        &mut self,
        certificate: Verified<QuorumCertificate>,
    ) -> Option<Verified<QuorumCertificate>> {
        let block = certificate.statement.block;
        if self.certificates.contains_key(&block) || self.certificates.len() >= CERTIFICATES {
            return None;
        }

        self.certificates.insert(block, certificate.clone());
        Some(certificate)
    }

    /// Assembles the certificate for `block` if its statements cross the threshold. Returns it if
    /// it is new.
    pub fn assemble(
        &mut self,
        block: Option<BlockId>,
        validators: &ValidatorSet,
    ) -> Option<Verified<QuorumCertificate>> {
        let power = self.power.get(&block).copied().unwrap_or(0);

        if !validators.is_quorum(power) || self.certificates.contains_key(&block) {
            return None;
        }

        let equal = self
            .first
            .values()
            .filter(|signed| signed.statement.block == block);
        let certificate = Verified::<QuorumCertificate>::assemble(equal, validators)?;

        self.certify(certificate)
    }

    /// Forgets everything except the certificates of blocks.
    pub fn condense(&mut self) {
        self.certificates.retain(|block, _| block.is_some());
        self.first.clear();
        self.power.clear();
        self.total = 0;
    }
}
