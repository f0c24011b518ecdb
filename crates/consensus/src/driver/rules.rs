//! The rules: which clauses of the paper hold now, and the effects that follow from them.

use quorate_types::{BlockId, Kind, Round, Statement};

use super::{Driver, Output, Verdict};
use crate::round::{self, Role, RoundInput, RoundOutput, Step, Transition, Validity};

impl Driver {
    /// Applies rules until none makes progress. Inputs that came early are examined again with
    /// every change of round or step, and no rule hides another (N-19).
    ///
    /// The loop ends: each turn moves (round, step) forward, sets the valid value of a round once,
    /// or schedules one of the three timeouts of a round.
    pub(super) fn settle(&mut self, outputs: &mut Vec<Output>) {
        if self.state.step == Step::Unstarted {
            return;
        }

        self.ask(outputs);
        while let Some(transition) = self.next_transition() {
            self.apply(transition, outputs);
            self.ask(outputs);
        }

        self.contradict(outputs);
    }

    /// Adopts the state of a transition and carries out its outputs.
    pub(super) fn apply(&mut self, transition: Transition, outputs: &mut Vec<Output>) {
        self.state = transition.state;
        self.rules_fired.extend(transition.rule);

        for output in transition.outputs {
            match output {
                RoundOutput::Build => self.build(outputs),

                RoundOutput::Propose { block, pol_round } => {
                    self.sign(Kind::Proposal, Some(block), pol_round, outputs);
                }

                RoundOutput::Prevote(block) => self.sign(Kind::Prevote, block, None, outputs),
                RoundOutput::Precommit(block) => self.sign(Kind::Precommit, block, None, outputs),

                RoundOutput::Schedule(step) => self.schedule(step, outputs),
                RoundOutput::StartRound(round) => self.start_round(round, outputs),
                RoundOutput::Decide { round, block } => self.decide(round, block, outputs),
            }
        }
    }

    /// Line 11: enters a round. The timers and signatures of the round before are forgotten.
    pub(super) fn start_round(&mut self, round: Round, outputs: &mut Vec<Output>) {
        let proposer = self.proposer(round);
        let role = if self.config.me == Some(proposer) {
            Role::Proposer
        } else {
            Role::Follower
        };

        self.scheduled.clear();
        self.signed.clear();
        self.tally.condense(round);

        outputs.push(Output::EnteredRound { round, proposer });
        self.apply(
            round::step(self.state, RoundInput::Start { round, role }),
            outputs,
        );
    }

    /// The first rule that makes progress. A decision comes before a round skip (N-17).
    fn next_transition(&self) -> Option<Transition> {
        let round = self.state.round;
        let any = |kind| self.tally.has_quorum_any(round, kind);

        let rules = [
            self.commit(), // line 49
            self.tally
                .skip_round(round)
                .map(|round| RoundInput::Skip { round }), // line 55
            self.proposal(), // lines 22, 28
            self.polka(),  // line 36
            self.tally
                .certificate(round, Kind::Prevote, None)
                .map(|_| RoundInput::PolkaNil), // line 44
            any(Kind::Prevote).then_some(RoundInput::PrevoteAny), // line 34
            any(Kind::Precommit).then_some(RoundInput::PrecommitAny), // line 47
        ];

        // A rule whose guard does not hold leaves the state as it is, and the next one is tried
        // (N-19).
        let transitions = rules
            .into_iter()
            .flatten()
            .map(|input| round::step(self.state, input));
        transitions
            .into_iter()
            .find(|transition| self.is_progress(transition))
    }

    fn is_progress(&self, transition: &Transition) -> bool {
        // An `upon` clause stays true after it was applied: a timeout that is scheduled already
        // must not count as progress again, or `settle` would not end.
        let is_new = |output: &RoundOutput| match output {
            RoundOutput::Schedule(step) => !self.scheduled.contains(step),
            _ => true,
        };

        transition.state != self.state || transition.outputs.iter().any(is_new)
    }

    /// Line 49, for any round of the height (N-16): a commit of a block that is sound.
    fn commit(&self) -> Option<RoundInput> {
        self.tally.commits().find_map(|certificate| {
            let block = certificate.statement.block?;
            let sound = self.is_sound(self.verdicts.get(&block)?);
            sound.then_some(RoundInput::Commit {
                round: certificate.statement.round,
                block,
            })
        })
    }

    /// Line 36: a polka of the current round for a block that is sound.
    fn polka(&self) -> Option<RoundInput> {
        self.tally
            .certificates(self.state.round, Kind::Prevote)
            .find_map(|certificate| {
                let block = certificate.statement.block?;
                let sound = self.is_sound(self.verdicts.get(&block)?);
                sound.then_some(RoundInput::Polka { block })
            })
    }

    /// Lines 22 and 28: the first proposal of the current round, once its verdict is known.
    fn proposal(&self) -> Option<RoundInput> {
        let round = self.state.round;
        let said = &self.tally.proposal(round)?.statement;
        let block = said.block?;
        let verdict = self.verdicts.get(&block)?;

        match said.pol_round {
            None => {
                // Only a fresh proposal must be timely and built in this round: a re-proposed block
                // keeps its build round (N-8, N-26).
                let fresh = verdict.timely && verdict.build_round == round;
                let validity = validity(fresh && self.is_sound(verdict));
                Some(RoundInput::Proposal { block, validity })
            }

            Some(pol_round) => {
                self.tally
                    .certificate(pol_round, Kind::Prevote, Some(block))?;
                let validity = validity(self.is_sound(verdict));
                Some(RoundInput::Reproposal {
                    block,
                    pol_round,
                    validity,
                })
            }
        }
    }

    /// `valid(v)` of the paper: the ledger accepts the block, and its builder is the proposer of
    /// its build round (N-8).
    fn is_sound(&self, verdict: &Verdict) -> bool {
        verdict.valid && verdict.builder == self.proposer(verdict.build_round)
    }

    /// Asks for the verdicts that a rule waits for.
    fn ask(&mut self, outputs: &mut Vec<Output>) {
        if self.state.step == Step::Decided {
            return;
        }

        for block in self.named_blocks() {
            if !self.verdicts.contains_key(&block) && self.asked.insert(block) {
                outputs.push(Output::Check { block });
            }
        }
    }

    /// The blocks that a rule may need a verdict on. Lines 22, 28 and 36 look at the current round
    /// alone, line 49 at all rounds.
    fn named_blocks(&self) -> Vec<BlockId> {
        let round = self.state.round;
        let proposed = self.tally.proposal(round).map(|signed| &signed.statement);

        let polkas = self.tally.certificates(round, Kind::Prevote);
        let commits = self.tally.commits();
        let certified = polkas
            .chain(commits)
            .map(|certificate| &certificate.statement);

        proposed
            .into_iter()
            .chain(certified)
            .filter_map(|said| said.block)
            .collect()
    }

    /// Reports commits of blocks that cannot be decided (N-20).
    fn contradict(&mut self, outputs: &mut Vec<Output>) {
        let decided = self
            .decision
            .as_ref()
            .and_then(|commit| commit.statement.block);

        for commit in self.tally.commits() {
            let Some(block) = commit.statement.block else {
                continue;
            };

            // A commit is a contradiction only once its verdict is known, or once another block is
            // decided.
            let refused = self.verdicts.get(&block).is_some_and(|v| !self.is_sound(v));
            let forked = decided.is_some_and(|decided| decided != block);

            if (refused || forked) && self.contradicted.insert(block) {
                outputs.push(Output::Contradiction(commit.clone()));
            }
        }
    }

    fn build(&self, outputs: &mut Vec<Output>) {
        // The log may hold the proposal of this round already: then no second block is built
        // (N-32).
        if !self.has_spoken(Kind::Proposal) {
            outputs.push(Output::Build {
                round: self.state.round,
            });
        }
    }

    fn schedule(&mut self, step: Step, outputs: &mut Vec<Output>) {
        if self.scheduled.insert(step) {
            outputs.push(Output::Schedule {
                round: self.state.round,
                step,
            });
        }
    }

    /// Asks for a signature, unless this node does not vote or has made a statement of this kind in
    /// the current round.
    fn sign(
        &mut self,
        kind: Kind,
        block: Option<BlockId>,
        pol_round: Option<Round>,
        outputs: &mut Vec<Output>,
    ) {
        if self.config.me.is_none() || self.has_spoken(kind) {
            return;
        }

        let statement = Statement {
            swarm: self.config.swarm,
            height: self.config.height,
            round: self.state.round,
            kind,
            block,
            validators: self.validators_hash,
            pol_round,
        };

        // Remembered before it is signed, so that a rule that holds again asks for nothing new.
        self.signed.insert(kind, statement.clone());
        outputs.push(Output::Sign(statement));
    }

    fn decide(&mut self, round: Round, block: BlockId, outputs: &mut Vec<Output>) {
        if let Some(commit) = self.tally.certificate(round, Kind::Precommit, Some(block)) {
            self.decision = Some(commit.clone());
            outputs.push(Output::Decided(commit.clone()));
        }
    }
}

fn validity(holds: bool) -> Validity {
    if holds {
        Validity::Valid
    } else {
        Validity::Invalid
    }
}
