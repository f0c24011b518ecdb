//! The round as a pure step function: Tendermint, arXiv:1807.04938, Algorithm 1.
//!
//! [`step`] takes a state and one input and gives the next state and what is to be done. An input
//! says that the condition of an `upon` clause holds; whether it does is counted in
//! [`crate::tally`] and put together in [`crate::Driver`]. The arms carry the lines of Algorithm 1.
//! An input whose guard on the state does not hold changes nothing, so that inputs may be offered
//! again whenever round or step change (N-19).
//!
//! State and inputs are plain ordered values: fit for exhaustive model checking. A transition names
//! its [`Rule`], so that it can be counted what was reached.
//!
//! Two deviations, both about time and neither about safety:
//! - Line 20: the proposer schedules `timeoutPropose` as well. Here it gets its block from outside
//!   and its own proposal back only once it is durable; without the timer a lost answer would leave
//!   it in step propose for good.
//! - "For the first time" (lines 34, 47) is for the caller to keep: the state does not remember
//!   timers.

mod rule;

use quorate_types::{BlockId, Height, Round};

pub use rule::{Rule, RuleSet};

/// Where a replica stands in a round (paper: `step_p`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// No round was started.
    Unstarted,
    /// Waits for a proposal.
    Propose,
    /// Has prevoted.
    Prevote,
    /// Has precommitted.
    Precommit,
    /// The height is decided: nothing changes any more.
    Decided,
}

/// State of one height (paper: lines 1-9 without the decisions).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RoundState {
    /// `h_p`.
    pub height: Height,
    /// `round_p`.
    pub round: Round,
    /// `step_p`.
    pub step: Step,
    /// `lockedValue_p` and `lockedRound_p`; `None` is the paper's nil and -1.
    pub locked: Option<(BlockId, Round)>,
    /// `validValue_p` and `validRound_p`.
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

/// What a replica is in a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// It proposes.
    Proposer,
    /// Another one proposes.
    Follower,
}

/// What the proposal of a block is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Validity {
    /// To be prevoted, locks permitting.
    Valid,
    /// To be answered by a nil prevote.
    Invalid,
}

/// A condition that holds in the current round, unless it names another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RoundInput {
    /// Line 11: starts this round, which must be later than the current one, or the first.
    Start {
        /// Round.
        round: Round,
        /// Whether this replica is its proposer.
        role: Role,
    },
    /// Line 18: `getValue()` answered.
    Built {
        /// Block to propose.
        block: BlockId,
    },
    /// Line 22: a proposal without POL round.
    Proposal {
        /// Block.
        block: BlockId,
        /// Whether it may be prevoted.
        validity: Validity,
    },
    /// Line 28: a proposal with a POL round, and a polka for its block in that round.
    Reproposal {
        /// Block.
        block: BlockId,
        /// `vr`.
        pol_round: Round,
        /// Whether it may be prevoted.
        validity: Validity,
    },
    /// Line 34: prevotes for anything of more than two thirds of the power.
    PrevoteAny,
    /// Line 36: a polka for a valid block.
    Polka {
        /// Block.
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
        /// Block.
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

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RoundOutput {
    /// Line 18: get a block to propose in the current round.
    Build,
    /// Line 19: propose in the current round.
    Propose {
        /// Block.
        block: BlockId,
        /// `validRound_p`.
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
        /// Block.
        block: BlockId,
    },
}

/// What a step gives.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Transition {
    /// The next state.
    pub state: RoundState,
    /// To be done, in this order.
    pub outputs: Vec<RoundOutput>,
    /// Which rule this is; `None` where no guard held, and then nothing changes.
    pub rule: Option<Rule>,
}

/// Applies one input to a state.
pub fn step(state: RoundState, input: RoundInput) -> Transition {
    use RoundInput as In;
    use RoundOutput as Out;
    match (state.step, input) {
        // Line 50 holds once; nothing follows within the height.
        (Step::Decided, _) => state.stays(),
        (Step::Unstarted, In::Start { round, role }) => state.starts(round, role), // line 10
        (_, In::Start { round, role }) if round > state.round => {
            state.starts(round, role) // line 11
        }
        (Step::Unstarted, _) => state.stays(),

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
        (Step::Prevote, In::PrevoteAny) => {
            state.does(Rule::AwaitPrevotes, Out::Schedule(Step::Prevote)) // lines 34-35
        }
        (Step::Prevote, In::Polka { block }) => state.locks(block), // lines 36-43
        (Step::Precommit, In::Polka { block }) => state.remembers(block), // lines 42-43
        (Step::Prevote, In::PolkaNil) => state.precommits(Rule::PrecommitNil, None), // lines 44-46
        (_, In::PrecommitAny) => {
            state.does(Rule::AwaitPrecommits, Out::Schedule(Step::Precommit)) // lines 47-48
        }
        (_, In::Commit { round, block }) => state.decides(round, block), // lines 49-54
        (_, In::Skip { round }) if round > state.round => {
            state.does(Rule::SkipRound, Out::StartRound(round)) // lines 55-56
        }
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

    /// Lines 11-21.
    fn starts(self, round: Round, role: Role) -> Transition {
        let state = Self {
            round,
            step: Step::Propose,
            ..self
        };
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

    /// Lines 23-27.
    fn answers(self, block: BlockId, validity: Validity) -> Transition {
        let free = self.locked.is_none_or(|(locked, _)| locked == block);
        if free && validity == Validity::Valid {
            self.prevotes(Rule::PrevoteProposal, Some(block))
        } else {
            self.prevotes(Rule::RefuseProposal, None)
        }
    }

    /// Lines 29-33.
    fn answers_again(self, block: BlockId, pol_round: Round, validity: Validity) -> Transition {
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

    /// A second polka of one round (over a third of the power is faulty) is not the first time.
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
