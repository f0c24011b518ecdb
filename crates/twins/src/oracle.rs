//! The rules that must hold, restated over the statements that hosts signed and heard, and their
//! decisions.

use std::collections::{BTreeMap, BTreeSet};

use quorate_sim::Digest;
use quorate_types::{
    Block, BlockId, Height, Kind, PublicKey, Round, SignedStatement, Statement, ValidatorSet,
};

/// A height, round and kind in which a key may make one statement.
type Slot = (Height, Round, Kind, PublicKey);

/// Watches one run, and keeps the first violation.
#[derive(Debug, Default)]
pub(crate) struct Oracle {
    /// The keys with two instances: they may be convicted for anything they say.
    pub(crate) twins: BTreeSet<PublicKey>,
    /// The first rule that did not hold.
    pub(crate) violation: Option<String>,
    /// The keys of which one correct host heard conflicting statements.
    pub(crate) exposed: BTreeSet<PublicKey>,
    /// The keys that decided blocks convict.
    pub(crate) convicted: BTreeSet<PublicKey>,
    /// Whether a correct host proposed a block again that had a polka.
    pub(crate) reproposed: bool,
    pub(crate) digest: Digest,
    /// The first decision of each height, and the host that made it.
    decided: BTreeMap<Height, (BlockId, usize)>,
    /// For each host, the first statement that it heard in each slot of the height it was at.
    heard: BTreeMap<usize, BTreeMap<Slot, Statement>>,
    /// The signers of all precommits for blocks, heard or not.
    precommits: BTreeMap<(Height, Round, BlockId), BTreeSet<PublicKey>>,
    /// The first block at each height for which precommits make up a commit.
    commits: BTreeMap<Height, BlockId>,
}

impl Oracle {
    /// Takes in that a host signed a statement, at a height with these validators.
    pub(crate) fn signed(&mut self, host: usize, signed: &SignedStatement, set: &ValidatorSet) {
        let place = [host as u64, 0];
        self.digest.note(b's', 0, place, &signed.signature.0);

        let said = &signed.statement;
        let is_again = said.kind == Kind::Proposal && said.pol_round.is_some();

        if is_again && !self.twins.contains(&signed.signer) {
            self.reproposed = true;
        }

        if let (Kind::Precommit, Some(block)) = (said.kind, said.block) {
            self.count_precommit(signed, block, set);
        }
    }

    /// Counts a precommit for a block, whether anyone heard it or not.
    fn count_precommit(&mut self, signed: &SignedStatement, block: BlockId, set: &ValidatorSet) {
        let height = signed.statement.height;
        let of = (height, signed.statement.round, block);

        let signers = self.precommits.entry(of).or_default();
        signers.insert(signed.signer);

        if !set.is_quorum(set.power_of(&*signers)) {
            return;
        }

        // Later commits of the height are compared with the first.
        let first = *self.commits.entry(height).or_insert(block);

        if first != block {
            let first = first.short();
            let block = block.short();

            self.object(format!(
                "height {height}: precommits commit {first} and {block}"
            ));
        }
    }

    /// Takes in that a host's guard refused to sign a statement.
    pub(crate) fn refused(&mut self, host: usize, statement: &Statement) {
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

    /// Takes in that a correct host, at height `at`, received a statement. Statements of other
    /// heights do not count, since the host does not compare them.
    pub(crate) fn told(&mut self, host: usize, at: Height, signed: &SignedStatement) {
        let said = &signed.statement;

        if said.height != at {
            return;
        }

        let slot = (at, said.round, said.kind, signed.signer);
        let of_host = self.heard.entry(host).or_default();

        // Later statements in the slot are compared with the first.
        let first = of_host.entry(slot).or_insert_with(|| said.clone());

        if first.conflicts_with(said) {
            self.exposed.insert(signed.signer);
        }
    }

    /// Takes in that a correct host decided a block.
    pub(crate) fn decided(&mut self, host: usize, block: &Block) {
        let height = block.header.height;
        let id = block.header.id();
        let place = [host as u64, 0];

        self.digest.note(b'd', height, place, id.as_bytes());

        let (first, by) = *self.decided.entry(height).or_insert((id, host));

        if first != id {
            let first = first.short();
            let id = id.short();

            self.object(format!(
                "height {height}: host {by} decided {first}, host {host} decided {id}"
            ));
        }

        for evidence in &block.evidence {
            self.convict(height, evidence.culprit());
        }
    }

    /// Takes in that a decided block convicts a key. Evidence must never convict a correct node
    /// (N-24).
    fn convict(&mut self, height: Height, culprit: PublicKey) {
        self.convicted.insert(culprit);

        if !self.twins.contains(&culprit) {
            self.object(format!(
                "height {height} convicts {culprit}, which is correct"
            ));
        }
    }

    /// Takes in that a correct host halted.
    pub(crate) fn halted(&mut self, host: usize, why: &str) {
        self.object(format!("host {host} halts: {why}"));
    }

    /// Keeps a violation, if it is the first one.
    pub(crate) fn object(&mut self, how: String) {
        self.violation.get_or_insert(how);
    }
}
