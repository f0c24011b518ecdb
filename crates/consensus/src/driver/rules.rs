//! Which clauses of the paper hold now, and what follows from them.

use quorate_types::{BlockId, Kind, Round, Statement};

use super::{Driver, Output, Verdict};
use crate::round::{self, Role, RoundInput, RoundOutput, Step, Transition, Validity};

impl Driver {
    /// Applies rules until none brings anything: inputs that came early are looked at again with
    /// every change of round or step, and no rule hides another (N-19).
    ///
    /// It ends: each turn moves (round, step) forward, sets the valid value of a round once, or
    /// schedules one of three timeouts of a round.
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

    /// Does what a transition says.
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

    /// Line 11: enters a round; its predecessor's timers and signatures are history.
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

    /// The first rule that brings something. A decision comes before a round skip (N-17).
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
        let transitions = rules
            .into_iter()
            .flatten()
            .map(|input| round::step(self.state, input));
        transitions
            .into_iter()
            .find(|transition| self.is_progress(transition))
    }

    fn is_progress(&self, transition: &Transition) -> bool {
        let is_new = |output: &RoundOutput| match output {
            RoundOutput::Schedule(step) => !self.scheduled.contains(step),
            _ => true,
        };
        transition.state != self.state || transition.outputs.iter().any(is_new)
    }

    /// Line 49, for any round of the height (N-16).
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

    /// Line 36.
    fn polka(&self) -> Option<RoundInput> {
        self.tally
            .certificates(self.state.round, Kind::Prevote)
            .find_map(|certificate| {
                let block = certificate.statement.block?;
                let sound = self.is_sound(self.verdicts.get(&block)?);
                sound.then_some(RoundInput::Polka { block })
            })
    }

    /// Lines 22 and 28: the first proposal of the current round, once its verdict is there.
    fn proposal(&self) -> Option<RoundInput> {
        let round = self.state.round;
        let said = &self.tally.proposal(round)?.statement;
        let block = said.block?;
        let verdict = self.verdicts.get(&block)?;
        match said.pol_round {
            None => {
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

    /// `valid(v)` of the paper: the ledger accepts the block, and its builder was its turn.
    fn is_sound(&self, verdict: &Verdict) -> bool {
        verdict.valid && verdict.builder == self.proposer(verdict.build_round)
    }

    /// Asks for the verdicts that a rule waits for.
    fn ask(&mut self, outputs: &mut Vec<Output>) {
        if self.state.step == Step::Decided {
            return;
        }
        let round = self.state.round;
        let proposed = self.tally.proposal(round).map(|signed| &signed.statement);
        let polkas = self
            .tally
            .certificates(round, Kind::Prevote)
            .map(|polka| &polka.statement);
        let commits = self.tally.commits().map(|commit| &commit.statement);
        let named: Vec<BlockId> = proposed
            .into_iter()
            .chain(polkas)
            .chain(commits)
            .filter_map(|s| s.block)
            .collect();
        for block in named {
            if !self.verdicts.contains_key(&block) && self.asked.insert(block) {
                outputs.push(Output::Check { block });
            }
        }
    }

    /// Reports commits of blocks that cannot be decided.
    fn contradict(&mut self, outputs: &mut Vec<Output>) {
        let decided = self
            .decision
            .as_ref()
            .and_then(|commit| commit.statement.block);
        for commit in self.tally.commits() {
            let Some(block) = commit.statement.block else {
                continue;
            };
            let refused = self.verdicts.get(&block).is_some_and(|v| !self.is_sound(v));
            let forked = decided.is_some_and(|decided| decided != block);
            if (refused || forked) && self.contradicted.insert(block) {
                outputs.push(Output::Contradiction(commit.clone()));
            }
        }
    }

    fn build(&self, outputs: &mut Vec<Output>) {
        // A log may hold the proposal of this round already: no second block for it (N-32).
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

    /// Asks for a signature, unless this node does not vote or has said something in that slot.
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
