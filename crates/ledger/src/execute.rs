//! Running a block: every rule on the way, and nothing changed.

use std::sync::Arc;

use quorate_crypto::{Verified, merkle};
use quorate_types::{
    Block, Evidence, Hash, Header, Kind, Outcome, PROTOCOL_VERSION, PublicKey, QuorumCertificate,
    Round, SignedOperation, ValidatorSet, cbor,
};

use crate::check::Contents;
use crate::committee::Turns;
use crate::ledger::Tip;
use crate::run::{Now, Run};
use crate::state::{Entry, Key};
use crate::{Execution, InvalidBlock, Ledger, cost};

/// What a block brings in, whoever made it.
pub(crate) struct Inputs<'a> {
    pub now: Now,
    pub builder: PublicKey,
    pub build_round: Round,
    pub operations: Vec<&'a SignedOperation>,
    pub evidence: Vec<&'a Evidence>,
    pub commit: Option<&'a QuorumCertificate>,
}

impl Ledger {
    /// Runs a block on top of the last decided one. Pure: the ledger is unchanged, and neither
    /// clock nor anything else than state and block is looked at (N-26).
    ///
    /// That every signature holds, that of the commit's validators included, is what `Verified`
    /// says; who may build in which round is for the consensus to say.
    ///
    /// # Errors
    /// [`InvalidBlock`]: the first rule that the block breaks.
    pub fn execute(&self, block: &Verified<Block>) -> Result<Execution, InvalidBlock> {
        let header = &block.header;
        self.check_place(header)?;
        self.check_commit(block)?;
        let inputs = Inputs {
            now: Now {
                height: header.height,
                active: header.active_time,
                wall: header.block_time,
            },
            builder: header.builder,
            build_round: header.build_round,
            operations: block.operations.iter().collect(),
            evidence: block.evidence.iter().collect(),
            commit: block.previous_commit.as_ref(),
        };
        let contents = Contents::check(self, &inputs)?;
        if header.operations != contents.operations {
            return Err(InvalidBlock::OperationsRoot(header.operations));
        }
        if header.evidence != contents.evidence {
            return Err(InvalidBlock::EvidenceRoot(header.evidence));
        }
        let execution = self.run(&inputs, &contents);
        let expected = &execution.header;
        if header.outcomes != expected.outcomes {
            let (expected, found) = (expected.outcomes, header.outcomes);
            return Err(InvalidBlock::OutcomesRoot { expected, found });
        }
        if header.state != expected.state {
            let (expected, found) = (expected.state, header.state);
            return Err(InvalidBlock::StateRoot { expected, found });
        }
        Ok(execution)
    }

    /// What the header says of the block's place: all but the roots.
    fn check_place(&self, header: &Header) -> Result<(), InvalidBlock> {
        let expected = self.tip().height.saturating_add(1);
        if header.version != PROTOCOL_VERSION {
            return Err(InvalidBlock::Version(header.version));
        }
        if header.swarm != self.swarm() {
            return Err(InvalidBlock::Swarm);
        }
        if header.height != expected {
            return Err(InvalidBlock::Height {
                expected,
                found: header.height,
            });
        }
        if header.previous != self.tip().block {
            return Err(InvalidBlock::Previous(header.previous));
        }
        let (previous, found) = (self.tip().block_time, header.block_time);
        if found <= previous {
            return Err(InvalidBlock::BlockTime { previous, found });
        }
        let (expected, found) = (self.active_at(header.block_time), header.active_time);
        if found != expected {
            return Err(InvalidBlock::ActiveTime { expected, found });
        }
        if header.validators != self.validators().hash() {
            return Err(InvalidBlock::Validators(header.validators));
        }
        if header.next_validators != self.next_validators().hash() {
            return Err(InvalidBlock::NextValidators(header.next_validators));
        }
        if header.parameters != self.parameters() {
            return Err(InvalidBlock::Parameters(header.parameters));
        }
        Ok(())
    }

    /// The commit is one of precommits for the block before, and the header binds it.
    fn check_commit(&self, block: &Block) -> Result<(), InvalidBlock> {
        let Tip {
            height,
            block: previous,
            ..
        } = self.tip();
        let belongs = match &block.previous_commit {
            None => height == 0,
            Some(commit) => {
                let statement = &commit.statement;
                height > 0
                    && statement.swarm == self.swarm()
                    && statement.height == height
                    && statement.kind == Kind::Precommit
                    && statement.block == Some(previous)
                    && statement.validators == self.previous_validators().hash()
            }
        };
        if !belongs {
            return Err(InvalidBlock::PreviousCommit);
        }
        let hash = block
            .previous_commit
            .as_ref()
            .map_or(Hash::ZERO, QuorumCertificate::hash);
        if block.header.previous_commit != hash {
            return Err(InvalidBlock::PreviousCommitHash);
        }
        Ok(())
    }

    /// Runs what was checked, and makes the header that it gives.
    pub(crate) fn run(&self, inputs: &Inputs<'_>, contents: &Contents) -> Execution {
        let mut run = self.start(inputs.now);
        let validators = self.punish(&mut run, &inputs.evidence);
        self.count_turns(&mut run, inputs);
        for operation in &inputs.operations {
            run.apply(operation);
        }
        run.expire();
        run.close_windows(inputs.builder, cost::clearings_beside(&inputs.evidence));
        let Run {
            view,
            outcomes,
            dossiers,
            ..
        } = run;
        let changes = view.into_changes();
        let tree = self.state().tree_with(&changes);
        let leaves: Vec<Vec<u8>> = outcomes.iter().map(cbor::encode::<Outcome>).collect();
        let header = Header {
            operations: contents.operations,
            evidence: contents.evidence,
            outcomes: merkle::root(&leaves),
            state: tree.root(),
            ..self.blank_header(inputs)
        };
        let block = header.id();
        Execution {
            block,
            header,
            changes,
            tree,
            outcomes,
            leaves,
            dossiers,
            validators,
        }
    }

    pub(crate) fn start(&self, now: Now) -> Run<'_> {
        Run {
            genesis: self.genesis_info(),
            swarm: self.swarm(),
            now,
            validators: self.validators(),
            view: self.state().view(),
            outcomes: Vec::new(),
            dossiers: Vec::new(),
        }
    }

    /// The header as far as it is known before the block runs; roots are zero.
    fn blank_header(&self, inputs: &Inputs<'_>) -> Header {
        Header {
            version: PROTOCOL_VERSION,
            swarm: self.swarm(),
            height: inputs.now.height,
            active_time: inputs.now.active,
            block_time: inputs.now.wall,
            previous: self.tip().block,
            previous_commit: inputs.commit.map_or(Hash::ZERO, QuorumCertificate::hash),
            validators: self.validators().hash(),
            next_validators: self.next_validators().hash(),
            parameters: self.parameters(),
            builder: inputs.builder,
            build_round: inputs.build_round,
            operations: Hash::ZERO,
            state: Hash::ZERO,
            outcomes: Hash::ZERO,
            evidence: Hash::ZERO,
        }
    }

    /// Convicts whoever the evidence names; the set that this decides on, if it is another.
    fn punish(&self, run: &mut Run<'_>, evidence: &[&Evidence]) -> Option<Arc<ValidatorSet>> {
        let before = Arc::clone(run.view.committee()?);
        if evidence.is_empty() {
            return None;
        }
        let mut after = (*before).clone();
        for culprit in evidence.iter().map(|evidence| evidence.culprit()) {
            after.convict(culprit, run.now.height);
        }
        let (latest, last) = (Arc::clone(after.latest()), before.latest());
        run.view
            .put(Key::Committee, Entry::Committee(Arc::new(after)));
        (!Arc::ptr_eq(&latest, last)).then_some(latest)
    }

    fn count_turns(&self, run: &mut Run<'_>, inputs: &Inputs<'_>) {
        let before = run.view.proposers();
        let mut proposers = before.clone();
        proposers.count(&Turns {
            height: inputs.now.height,
            schedule: self.proposers(),
            validators: self.validators(),
            builder: inputs.builder,
            build_round: inputs.build_round,
        });
        if proposers != before {
            run.view
                .put(Key::Proposers, Entry::Proposers(Arc::new(proposers)));
        }
    }
}
