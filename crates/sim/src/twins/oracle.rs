//! What must hold, restated over what hosts said, heard and decided.

use std::collections::{BTreeMap, BTreeSet};

use quorate_types::{
    Block, BlockId, Height, Kind, PublicKey, Round, SignedStatement, Statement, ValidatorSet,
};

use crate::digest::Digest;

/// A statement's place in what one key says.
type Slot = (Height, Round, Kind, PublicKey);

/// Watches one run.
#[derive(Debug, Default)]
pub(super) struct Oracle {
    /// Keys with two instances: whatever they say, they may be convicted for.
    pub(super) twins: BTreeSet<PublicKey>,
    /// The first thing that did not hold.
    pub(super) violation: Option<String>,
    /// Who contradicted itself to the face of one correct host.
    pub(super) exposed: BTreeSet<PublicKey>,
    pub(super) convicted: BTreeSet<PublicKey>,
    /// A correct host proposed again what had a polka.
    pub(super) reproposed: bool,
    pub(super) digest: Digest,
    decided: BTreeMap<Height, (BlockId, usize)>,
    /// By host, what it heard first in each slot of the height it was at.
    heard: BTreeMap<usize, BTreeMap<Slot, Statement>>,
    precommits: BTreeMap<(Height, Round, BlockId), BTreeSet<PublicKey>>,
    commits: BTreeMap<Height, BlockId>,
}

impl Oracle {
    /// A host signed a statement, at a height with these validators.
    pub(super) fn signed(&mut self, host: usize, signed: &SignedStatement, set: &ValidatorSet) {
        self.digest
            .note(b's', 0, [host as u64, 0], &signed.signature.0);
        let said = &signed.statement;
        let is_again = said.kind == Kind::Proposal && said.pol_round.is_some();
        self.reproposed |= is_again && !self.twins.contains(&signed.signer);
        let (Kind::Precommit, Some(block)) = (said.kind, said.block) else {
            return;
        };
        let signers = self
            .precommits
            .entry((said.height, said.round, block))
            .or_default();
        signers.insert(signed.signer);
        if !set.is_quorum(set.power_of(&*signers)) {
            return;
        }
        let first = *self.commits.entry(said.height).or_insert(block);
        if first != block {
            let (height, first, block) = (said.height, first.short(), block.short());
            self.object(format!(
                "height {height}: precommits commit {first} and {block}"
            ));
        }
    }

    /// A host was asked to sign against its guard.
    pub(super) fn refused(&mut self, host: usize, statement: &Statement) {
        let Statement {
            height,
            round,
            kind,
            ..
        } = statement;
        self.object(format!(
            "host {host} would have signed twice at height {height}, round {round}, {kind:?}"
        ));
    }

    /// A correct host that is at height `at` is told a statement.
    pub(super) fn told(&mut self, host: usize, at: Height, signed: &SignedStatement) {
        let said = &signed.statement;
        if said.height != at {
            return;
        }
        let slot = (at, said.round, said.kind, signed.signer);
        let of_host = self.heard.entry(host).or_default();
        let first = of_host.entry(slot).or_insert_with(|| said.clone());
        if first.conflicts_with(said) {
            self.exposed.insert(signed.signer);
        }
    }

    /// A correct host decided.
    pub(super) fn decided(&mut self, host: usize, block: &Block) {
        let (height, id) = (block.header.height, block.header.id());
        self.digest
            .note(b'd', height, [host as u64, 0], id.as_bytes());
        let (first, by) = *self.decided.entry(height).or_insert((id, host));
        if first != id {
            let (first, id) = (first.short(), id.short());
            self.object(format!(
                "height {height}: host {by} decided {first}, host {host} decided {id}"
            ));
        }
        for culprit in block.evidence.iter().map(|evidence| evidence.culprit()) {
            self.convicted.insert(culprit);
            if !self.twins.contains(&culprit) {
                self.object(format!(
                    "height {height} convicts {culprit}, who is correct"
                ));
            }
        }
    }

    /// A correct host stopped.
    pub(super) fn halted(&mut self, host: usize, why: &str) {
        self.object(format!("host {host} halts: {why}"));
    }

    /// Keeps the first thing that did not hold.
    pub(super) fn object(&mut self, how: String) {
        self.violation.get_or_insert(how);
    }
}
