//! The round as a pure step function: Tendermint, arXiv:1807.04938, Algorithm 1.
//!
//! [`step`] takes a state and one input, and returns the next state and the outputs. An input says
//! that the condition of an `upon` clause holds; [`crate::tally`] counts whether it does, and
//! [`crate::Driver`] puts the condition together. The arms name the lines of Algorithm 1. An input
//! whose guard on the state does not hold changes nothing, so inputs may be offered again whenever
//! the round or the step changes (N-19).
//!
//! State and inputs are plain ordered values, fit for exhaustive model checking. A transition names
//! its [`Rule`], so that coverage can be counted.
//!
//! There are two deviations, both about time and neither about safety:
//! - Line 20: the proposer schedules `timeoutPropose` as well. Here it gets its block from outside,
//!   and it gets its own proposal back only once that is durable. Without the timer a lost answer
//!   would leave it in step propose forever.
//! - "For the first time" (lines 34, 47) is up to the caller, since the state does not remember
//!   timers.

mod rule;

use quorate_types::{BlockId, Height, Round};

pub use rule::{Rule, RuleSet};

/// The step of a replica within a round (paper: `step_p`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// No round was started.
    Unstarted,
    /// Waits for a proposal.
    Propose,
    /// Has prevoted in this round.
    Prevote,
    /// Has precommitted in this round.
    Precommit,
    /// The height is decided: nothing changes any more.
    Decided,
}

/// The state of one height (paper: lines 1-9, without the decisions).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RoundState {
    /// `h_p`: the height that is being decided.
    pub height: Height,
    /// `round_p`: the current round, counted from 0.
    pub round: Round,
    /// `step_p`: the current step of that round.
    pub step: Step,
    /// `lockedValue_p` and `lockedRound_p`; `None` is the paper's nil and -1.
    pub locked: Option<(BlockId, Round)>,
    /// `validValue_p` and `validRound_p`; `None` is the paper's nil and -1.
    pub valid: Option<(BlockId, Round)>,
}

impl RoundState {
    /// The state before the first round of a height.
    pub fn new(height: Height) -> Self {
        Self {
            height,
            round: 0,
            step: Step::Unstarted,
            locked: None,
            valid: None,
        }
    }
}

/// The part that a replica plays in a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// This replica proposes.
    Proposer,
    /// Another validator proposes.
    Follower,
}

/// The judgement on a proposal, before the lock is considered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Validity {
    /// It may be prevoted, if the lock permits it.
    Valid,
    /// It must be answered by a nil prevote.
    Invalid,
}

/// A condition that holds in the current round, unless it names another round.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RoundInput {
    /// Line 11: starts this round, which must be later than the current one, or the first.
    Start {
        /// The round to enter.
        round: Round,
        /// Whether this replica is its proposer.
        role: Role,
    },
    /// Line 18: `getValue()` answered.
    Built {
        /// The block to propose.
        block: BlockId,
    },
    /// Line 22: a proposal without POL round.
    Proposal {
        /// The block that the proposal names.
        block: BlockId,
        /// Whether it may be prevoted.
        validity: Validity,
    },
    /// Line 28: a proposal with a POL round, and a polka for its block in that round.
    Reproposal {
        /// The block that the proposal and the polka name.
        block: BlockId,
        /// `vr` of the paper: the round of the polka.
        pol_round: Round,
        /// Whether it may be prevoted.
        validity: Validity,
    },
    /// Line 34: prevotes for anything of more than two thirds of the power.
    PrevoteAny,
    /// Line 36: a polka for a valid block.
    Polka {
        /// The block that the polka names.
        block: BlockId,
    },
    /// Line 44: a polka for nil.
    PolkaNil,
    /// Line 47: precommits for anything of more than two thirds of the power.
    PrecommitAny,
    /// Line 49: precommits for a valid block in any round of the height.
    Commit {
        /// Round of the precommits.
        round: Round,
        /// The block that the precommits name.
        block: BlockId,
    },
    /// Line 55: votes of more than a third of the power in a later round.
    Skip {
        /// Round of the votes.
        round: Round,
    },
    /// Line 57: `OnTimeoutPropose` of the current round.
    TimeoutPropose,
    /// Line 61: `OnTimeoutPrevote` of the current round.
    TimeoutPrevote,
    /// Line 65: `OnTimeoutPrecommit` of the current round.
    TimeoutPrecommit,
}

/// An effect that a step asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RoundOutput {
    /// Line 18: get a block to propose in the current round.
    Build,
    /// Line 19: propose in the current round.
    Propose {
        /// The block to propose.
        block: BlockId,
        /// `validRound_p` if the block is re-proposed; `None` for a fresh block.
        pol_round: Option<Round>,
    },
    /// Lines 24-26, 30-32, 59: prevote in the current round; `None` is nil.
    Prevote(Option<BlockId>),
    /// Lines 40, 45, 63: precommit in the current round; `None` is nil.
    Precommit(Option<BlockId>),
    /// Lines 21, 35, 48: schedule the timeout of this step in the current round.
    Schedule(Step),
    /// Lines 56, 67: start this round.
    StartRound(Round),
    /// Line 51: this block, by the precommits of this round.
    Decide {
        /// Round of the precommits.
        round: Round,
        /// The block that is decided.
        block: BlockId,
    },
}

/// The result of a step.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Transition {
    /// The next state.
    pub state: RoundState,
    /// The effects to carry out, in this order.
    pub outputs: Vec<RoundOutput>,
    /// The rule that was applied; `None` if no guard held, and then nothing changes.
    pub rule: Option<Rule>,
}

/// Applies one input to a state.
pub fn step(state: RoundState, input: RoundInput) -> Transition {
    use RoundInput as In;
    use RoundOutput as Out;

    match (state.step, input) {
        // After the decision: line 50 holds once, and nothing follows within the height.
        (Step::Decided, _) => state.stays(),

        // Between rounds.
        (Step::Unstarted, In::Start { round, role }) => state.starts(round, role), // line 10

        (_, In::Start { round, role }) if round > state.round => {
            state.starts(round, role) // line 11
        }

        // Line 10 enters the first round; nothing else has an effect before it.
        (Step::Unstarted, _) => state.stays(),

        // In step propose.
        (Step::Propose, In::Built { block }) => {
            state.does(
                Rule::ProposeBuilt,
                Out::Propose {
                    block,
                    pol_round: None,
                },
            ) // lines 18-19
        }

        (Step::Propose, In::Proposal { block, validity }) => {
            state.answers(block, validity) // lines 22-27
        }

        (
            Step::Propose,
            In::Reproposal {
                block,
                pol_round,
                validity,
            },
        ) if pol_round < state.round => {
            state.answers_again(block, pol_round, validity) // lines 28-33
        }

        // In step prevote; lines 42-43 hold in step precommit too.
        (Step::Prevote, In::PrevoteAny) => {
            state.does(Rule::AwaitPrevotes, Out::Schedule(Step::Prevote)) // lines 34-35
        }

        (Step::Prevote, In::Polka { block }) => state.locks(block), // lines 36-43
        (Step::Precommit, In::Polka { block }) => state.remembers(block), // lines 42-43

        (Step::Prevote, In::PolkaNil) => state.precommits(Rule::PrecommitNil, None), // lines 44-46

        // In any step. The quorum may have formed before this node precommitted.
        (_, In::PrecommitAny) => {
            state.does(Rule::AwaitPrecommits, Out::Schedule(Step::Precommit)) // lines 47-48
        }

        (_, In::Commit { round, block }) => state.decides(round, block), // lines 49-54

        (_, In::Skip { round }) if round > state.round => {
            state.does(Rule::SkipRound, Out::StartRound(round)) // lines 55-56
        }

        // When a timeout fires.
        (Step::Propose, In::TimeoutPropose) => {
            state.prevotes(Rule::TimeoutPropose, None) // lines 57-60
        }

        (Step::Prevote, In::TimeoutPrevote) => {
            state.precommits(Rule::TimeoutPrevote, None) // lines 61-64
        }

        (_, In::TimeoutPrecommit) => match state.round.checked_add(1) {
            Some(next) => state.does(Rule::TimeoutPrecommit, Out::StartRound(next)), // lines 65-67
            None => state.stays(),
        },

        // The guard does not hold: the input changes nothing.
        _ => state.stays(),
    }
}

impl RoundState {
    fn stays(self) -> Transition {
        Transition {
            state: self,
            outputs: Vec::new(),
            rule: None,
        }
    }

    fn does(self, rule: Rule, output: RoundOutput) -> Transition {
        Transition {
            state: self,
            outputs: vec![output],
            rule: Some(rule),
        }
    }

    /// Lines 11-21: enters a round, and proposes or asks for a block if this replica is the
    /// proposer.
    fn starts(self, round: Round, role: Role) -> Transition {
        let state = Self {
            round,
            step: Step::Propose,
            ..self
        };

        // The proposer schedules the timeout too (N-20).
        let mut outputs = vec![RoundOutput::Schedule(Step::Propose)];

        let rule = match (role, state.valid) {
            (Role::Proposer, Some((block, valid_round))) => {
                outputs.push(RoundOutput::Propose {
                    block,
                    pol_round: Some(valid_round),
                }); // line 16
                Rule::ReproposeValid
            }
            (Role::Proposer, None) => {
                outputs.push(RoundOutput::Build); // line 18
                Rule::AskForBlock
            }
            (Role::Follower, _) => Rule::FollowRound,
        };

        Transition {
            state,
            outputs,
            rule: Some(rule),
        }
    }

    /// Lines 23-27: prevotes a fresh proposal, or nil.
    fn answers(self, block: BlockId, validity: Validity) -> Transition {
        let free = self.locked.is_none_or(|(locked, _)| locked == block);
        if free && validity == Validity::Valid {
            self.prevotes(Rule::PrevoteProposal, Some(block))
        } else {
            self.prevotes(Rule::RefuseProposal, None)
        }
    }

    /// Lines 29-33: prevotes a proposal with a polka at `pol_round`, or nil.
    fn answers_again(self, block: BlockId, pol_round: Round, validity: Validity) -> Transition {
        // If the locked block had been decided, correct validators with more than a third of the
        // power would be locked on it, and no polka for another block could follow. So a polka of
        // the lock's round or later frees this node from its lock.
        let free = self
            .locked
            .is_none_or(|(id, round)| round <= pol_round || id == block);

        if free && validity == Validity::Valid {
            self.prevotes(Rule::PrevoteReproposal, Some(block))
        } else {
            self.prevotes(Rule::RefuseReproposal, None)
        }
    }

    fn prevotes(self, rule: Rule, block: Option<BlockId>) -> Transition {
        Self {
            step: Step::Prevote,
            ..self
        }
        .does(rule, RoundOutput::Prevote(block))
    }

    fn precommits(self, rule: Rule, block: Option<BlockId>) -> Transition {
        Self {
            step: Step::Precommit,
            ..self
        }
        .does(rule, RoundOutput::Precommit(block))
    }

    fn locks(self, block: BlockId) -> Transition {
        let polka = Some((block, self.round));
        Self {
            locked: polka,
            valid: polka,
            ..self
        }
        .precommits(Rule::Lock, Some(block))
    }

    /// Lines 42-43. A second polka of one round, which takes more than a third of the power that is
    /// faulty, does not replace the first.
    fn remembers(self, block: BlockId) -> Transition {
        match self.valid {
            Some((_, round)) if round == self.round => self.stays(),
            _ => {
                let state = Self {
                    valid: Some((block, self.round)),
                    ..self
                };
                Transition {
                    rule: Some(Rule::RememberValid),
                    ..state.stays()
                }
            }
        }
    }

    fn decides(self, round: Round, block: BlockId) -> Transition {
        let output = RoundOutput::Decide { round, block };
        Self {
            step: Step::Decided,
            ..self
        }
        .does(Rule::Decide, output)
    }
}
