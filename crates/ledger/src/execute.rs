//! Execution of a block: checks every rule of validity and computes the result, without changing
//! the ledger.

use std::sync::Arc;

use quorate_crypto::{Decision, Verified, merkle};
use quorate_types::{
    Block, CommitProof, Evidence, Hash, Header, Outcome, PROTOCOL_VERSION, ValidatorSet, cbor,
};

use crate::check::Contents;
use crate::committee::Turns;
use crate::inputs::Inputs;
use crate::run::{Now, Run};
use crate::state::{Entry, Key};
use crate::{Execution, InvalidBlock, Ledger, cost};

impl Ledger {
    /// Runs a block on top of the last decided one. The ledger is unchanged, and the result is a
    /// pure function of the state and the block: no clock and nothing else is read (N-26).
    ///
    /// `Verified` vouches that every signature holds, those in the commit included. Whether it was
    /// the turn of the builder is for the ordering to check (N-8).
    ///
    /// # Errors
    /// [`InvalidBlock`], which names the first rule that the block breaks.
    pub fn execute(&self, block: &Verified<Block>) -> Result<Execution, InvalidBlock> {
        let header = &block.header;
        self.check_place(header)?;
        self.check_commit(block)?;

        let inputs = Inputs::of(block);

        // The rules that need no execution come first.
        let contents = Contents::check(self, &inputs)?;
        if header.operations != contents.operations {
            return Err(InvalidBlock::OperationsRoot(header.operations));
        }
        if header.evidence != contents.evidence {
            return Err(InvalidBlock::EvidenceRoot(header.evidence));
        }

        // The roots over the results follow from executing the block.
        let execution = self.run(&inputs, &contents);
        check_results(header, &execution.header)?;

        Ok(execution)
    }

    /// Checks where the header puts the block: version, swarm, parent, times, validator sets and
    /// parameters (L-2, L-3).
    fn check_place(&self, header: &Header) -> Result<(), InvalidBlock> {
        let expected = self.height().saturating_add(1);

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

        if header.previous != self.last_block() {
            return Err(InvalidBlock::Previous(header.previous));
        }

        self.check_times(header)?;
        self.check_sets(header)?;

        if header.parameters != self.parameters() {
            return Err(InvalidBlock::Parameters(header.parameters));
        }

        Ok(())
    }

    /// Checks that block time increases, and that active time follows from it (L-3).
    fn check_times(&self, header: &Header) -> Result<(), InvalidBlock> {
        let previous = self.block_time();
        let found = header.block_time;
        if found <= previous {
            return Err(InvalidBlock::BlockTime { previous, found });
        }

        // Active time follows from block time, so the builder has no choice in it (L-3).
        let expected = self.active_at(header.block_time);
        let found = header.active_time;
        if found != expected {
            return Err(InvalidBlock::ActiveTime { expected, found });
        }

        Ok(())
    }

    /// Checks that the header names the validator sets of its height and of the next.
    fn check_sets(&self, header: &Header) -> Result<(), InvalidBlock> {
        // The sets of this height and the next were decided by earlier blocks (N-25).
        if header.validators != self.validators().hash() {
            return Err(InvalidBlock::Validators(header.validators));
        }
        if header.next_validators != self.next_validators().hash() {
            return Err(InvalidBlock::NextValidators(header.next_validators));
        }

        Ok(())
    }

    /// Checks that the commit in the block is that of the block before, and that the header binds
    /// it (L-2).
    fn check_commit(&self, block: &Block) -> Result<(), InvalidBlock> {
        // Only the first block has no commit.
        let belongs = match &block.previous_commit {
            None => self.height() == 0,
            Some(commit) => self.commits_to_tip(commit),
        };

        if !belongs {
            return Err(InvalidBlock::PreviousCommit);
        }

        // Another quorum would make a commit as good, so the header binds the one in the block.
        let hash = block
            .previous_commit
            .as_ref()
            .map_or(Hash::ZERO, CommitProof::hash);

        if block.header.previous_commit != hash {
            return Err(InvalidBlock::PreviousCommitHash);
        }

        Ok(())
    }

    /// Returns whether a proof is one of the commit of the last decided block.
    fn commits_to_tip(&self, commit: &CommitProof) -> bool {
        let decision = Decision {
            swarm: self.swarm(),
            height: self.height(),
            block: self.last_block(),
            validators: self.previous_validators().hash(),
        };

        // The genesis was not decided.
        self.height() > 0 && decision.is_proved_by(commit)
    }

    /// Runs contents that keep the rules, and makes the header that results.
    pub(crate) fn run(&self, inputs: &Inputs<'_>, contents: &Contents) -> Execution {
        let mut run = self.start(inputs.now);

        // Evidence comes before all operations, deadlines and clearings after them (L-4).
        let validators = self.punish(&mut run, &inputs.evidence);
        self.count_turns(&mut run, inputs);

        for operation in &inputs.operations {
            run.apply(operation);
        }

        run.expire();

        // A block that carries an accused block clears nothing: the accused one may have clearings
        // of its own to execute (L-6).
        run.close_windows(inputs.builder, cost::clearings_beside(&inputs.evidence));

        let header = self.header_before(inputs, contents);
        self.finish(run, header, validators)
    }

    /// Makes the execution out of a run that is over. The header still lacks the roots over the
    /// results.
    fn finish(
        &self,
        run: Run<'_>,
        mut header: Header,
        validators: Option<Arc<ValidatorSet>>,
    ) -> Execution {
        let Run {
            view,
            outcomes,
            dossiers,
            ..
        } = run;

        let changes = view.into_changes();
        let tree = self.state().tree_with(&changes);

        let leaves: Vec<Vec<u8>> = outcomes.iter().map(cbor::encode::<Outcome>).collect();

        header.outcomes = merkle::root(&leaves);
        header.state = tree.root();

        Execution {
            block: header.id(),
            header,
            changes,
            tree,
            outcomes,
            leaves,
            dossiers,
            validators,
        }
    }

    /// Starts a run on the current state, with no changes and no outcomes yet.
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

    /// Returns the header as far as it is known before the block runs. The roots over the results
    /// are zero.
    fn header_before(&self, inputs: &Inputs<'_>, contents: &Contents) -> Header {
        Header {
            version: PROTOCOL_VERSION,
            swarm: self.swarm(),
            height: inputs.now.height,
            active_time: inputs.now.active,
            block_time: inputs.now.wall,
            previous: self.last_block(),
            previous_commit: inputs.commit.map_or(Hash::ZERO, CommitProof::hash),
            validators: self.validators().hash(),
            next_validators: self.next_validators().hash(),
            parameters: self.parameters(),
            builder: inputs.builder,
            missed_turns: inputs.missed_turns,
            operations: contents.operations,
            state: Hash::ZERO,
            outcomes: Hash::ZERO,
            evidence: contents.evidence,
        }
    }

    /// Convicts the culprits that the evidence names. Returns the validator set that this decides
    /// on, or `None` if the set does not change.
    fn punish(&self, run: &mut Run<'_>, evidence: &[&Evidence]) -> Option<Arc<ValidatorSet>> {
        let before = Arc::clone(run.view.committee()?);
        if evidence.is_empty() {
            return None;
        }

        // All culprits of the block lose their power from the same height on (N-25).
        let mut after = (*before).clone();
        for piece in evidence {
            after.convict(piece.culprit(), run.now.height);
        }

        let latest = Arc::clone(after.latest());

        let entry = Entry::Committee(Arc::new(after));
        run.view.put(Key::Committee, entry);

        // Sets are shared: the same pointer means that nobody lost its power.
        let is_same = Arc::ptr_eq(&latest, before.latest());
        (!is_same).then_some(latest)
    }

    /// Counts the turns to propose that were taken and missed before this block (L-21).
    fn count_turns(&self, run: &mut Run<'_>, inputs: &Inputs<'_>) {
        let before = run.view.proposers();
        let mut proposers = before.clone();

        proposers.count(&Turns {
            height: inputs.now.height,
            schedule: self.proposers(),
            validators: self.validators(),
            builder: inputs.builder,
            missed_turns: inputs.missed_turns,
        });

        // Most blocks change nothing here, and then write no entry.
        if proposers != before {
            run.view
                .put(Key::Proposers, Entry::Proposers(Arc::new(proposers)));
        }
    }
}

/// Checks the roots over the results of a block against those that executing it gives.
fn check_results(header: &Header, executed: &Header) -> Result<(), InvalidBlock> {
    if header.outcomes != executed.outcomes {
        return Err(InvalidBlock::OutcomesRoot {
            expected: executed.outcomes,
            found: header.outcomes,
        });
    }

    if header.state != executed.state {
        return Err(InvalidBlock::StateRoot {
            expected: executed.state,
            found: header.state,
        });
    }

    Ok(())
}
