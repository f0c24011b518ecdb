//! Three correct validators that run the real step function, and a liar.
//!
//! A statement is never taken back, every threshold only grows with the statements, and a validator
//! may hear of anything at any time or never. So messages need no queue: a rule can be applied if
//! the statements so far, and those that the liar would add, fulfil its condition. That covers
//! every order, loss, repetition and delay. It covers more than the driver does, which applies a
//! rule as soon as it can. A timeout is scheduled and fires in one step, whenever the condition for
//! scheduling it holds. A later firing is covered too, since the condition stays.
//!
//! States that differ only in names are one state: votes are kept without their voters, validators
//! that never propose are sorted, and so are two values that are both valid. If a law depends on
//! the past, it is therefore checked when the event happens; see [`laws::breach`].

use quorate_consensus::Step;
use std::sync::Arc;

use quorate_consensus::round::{
    Role, RoundInput, RoundOutput, RoundState, Transition, Validity, step,
};
use quorate_types::{Height, Kind, Round};
use stateright::{Model, Property};

use super::counts::{CORRECT, Counts, Held, Said, Value};
use super::laws::{self, Breach, Seen};

/// The number of rounds that a state has room for.
pub const ROUNDS: usize = 3;
const HEIGHT: Height = 1;

/// The proposer of a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proposer {
    /// A correct validator, by its place in [`State::nodes`]. Those that propose come first there.
    Correct(usize),
    /// The liar: it proposes any value, with any POL round or none, and others to other validators.
    Liar,
}

/// Whether line 28 looks for the polka that a proposal claims.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PolCheck {
    Done,
    Forgotten,
}

/// The world that is explored, and its rules.
#[derive(Clone)]
pub struct World {
    /// The proposer of each round. There are as many rounds as proposers.
    pub proposers: Vec<Proposer>,
    /// Values that `valid()` accepts.
    pub valid: Vec<Value>,
    /// The step function of Algorithm 1, or a mutant of it.
    pub step: fn(RoundState, RoundInput) -> Transition,
    pub counts: Counts,
    pub pol_check: PolCheck,
    /// The sights and rules that the exploration has met.
    pub seen: Arc<Seen>,
}

impl World {
    /// The real rules under these proposers; both values are valid.
    pub fn new(proposers: &[Proposer]) -> Self {
        Self {
            proposers: proposers.to_vec(),
            valid: Value::ALL.to_vec(),
            step,
            counts: Counts::of_the_tally(),
            pol_check: PolCheck::Done,
            seen: Arc::default(),
        }
    }

    /// The liar proposes in each of so many rounds. It can propose all that a correct validator
    /// could, so for agreement this covers every schedule at once.
    pub fn of_lies(rounds: usize) -> Self {
        Self::new(&vec![Proposer::Liar; rounds])
    }

    pub fn rounds(&self) -> u8 {
        self.proposers.len() as u8
    }
}

/// The states of the correct validators, and their statements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct State {
    pub nodes: [Node; CORRECT],
    pub said: [Slot; ROUNDS],
    /// The first law that a transition broke.
    pub broken: Option<Breach>,
}

/// A correct validator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Node {
    pub round: u8,
    pub step: Step,
    pub locked: Option<(Value, u8)>,
    pub valid: Option<(Value, u8)>,
    /// Whether a block to propose was asked for and is still awaited.
    pub awaits_block: bool,
    /// Whether it has proposed, prevoted, precommitted in its round.
    pub spoken: [bool; 3],
    /// The decided value. Once it has decided, nothing else of a validator matters.
    pub decided: Option<Value>,
}

/// The statements of the correct validators in a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot {
    /// The proposed value with its POL round.
    pub proposal: Option<(Value, Option<u8>)>,
    /// Prevotes and precommits, each ascending.
    pub prevotes: [Said; CORRECT],
    pub precommits: [Said; CORRECT],
    /// The number of validators that voted at all.
    pub voters: u8,
}

/// The next event, at one of the correct validators.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// The statements that this validator heard fulfil the condition of a rule.
    Hears(usize, RoundInput),
    /// A timeout is scheduled, if its rule says so, and fires.
    TimesOut(usize, Step),
}

impl Model for World {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let mut state = State::new();
        for who in 0..CORRECT {
            // Each statement that is heard before the start could be heard after it too.
            self.start(&mut state, who, 0);
        }
        vec![self.canonical(state)]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        for (who, node) in state.nodes.iter().enumerate() {
            if node.step != Step::Decided {
                // A depth-first search takes the last action first. Decisions are last, so that
                // conflicts are met early.
                let hears = |input| Action::Hears(who, input);
                actions.extend(
                    self.timeouts(state, node)
                        .map(|step| Action::TimesOut(who, step)),
                );
                actions.extend(self.skips(state, node).map(hears));
                actions.extend(self.in_round(state, node).into_iter().map(hears));
                actions.extend(self.decisions(state).map(hears));
            }
        }
    }

    fn next_state(&self, before: &State, action: Action) -> Option<State> {
        let mut state = *before;
        match action {
            Action::Hears(who, input) => self.apply(&mut state, who, input),
            Action::TimesOut(who, Step::Propose) => {
                self.apply(&mut state, who, RoundInput::TimeoutPropose);
            }
            Action::TimesOut(who, Step::Prevote) if state.nodes[who].step == Step::Precommit => {
                // The timeout was scheduled before the validator precommitted.
                self.apply(&mut state, who, RoundInput::TimeoutPrevote);
            }
            Action::TimesOut(who, Step::Prevote) => {
                let inputs = [RoundInput::PrevoteAny, RoundInput::TimeoutPrevote];
                self.time_out(&mut state, who, inputs);
            }
            Action::TimesOut(who, _) => {
                let inputs = [RoundInput::PrecommitAny, RoundInput::TimeoutPrecommit];
                self.time_out(&mut state, who, inputs);
            }
        }
        let within = state.nodes.iter().all(|node| node.round < self.rounds());
        (within && state != *before)
            .then(|| self.canonical(state))
            .filter(|next| next != before)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        laws::of(self)
    }
}

/// The conditions of the rules.
impl World {
    /// Line 49, for any round.
    fn decisions(&self, state: &State) -> impl Iterator<Item = RoundInput> {
        (0..self.rounds()).flat_map(move |round| {
            let held = self.counts.precommits(state.slot(round).precommits);
            let values = self.valid.iter().filter(move |value| held.value(**value));
            values.map(move |v| RoundInput::Commit {
                round: round.into(),
                block: v.block(),
            })
        })
    }

    /// Line 55: to any later round in which more than a third spoke.
    fn skips(&self, state: &State, node: &Node) -> impl Iterator<Item = RoundInput> {
        let spoken_in = |round: &u8| self.counts.skips(state.slot(*round).voters);
        let later = (node.round + 1..self.rounds()).filter(spoken_in);
        later.map(|round| RoundInput::Skip {
            round: round.into(),
        })
    }

    /// Lines 18, 22, 28, 36, 44, in any step: the step function checks the step.
    fn in_round(&self, state: &State, node: &Node) -> Vec<RoundInput> {
        let mut inputs = Vec::new();
        if node.awaits_block {
            inputs.extend(
                self.valid
                    .iter()
                    .map(|v| RoundInput::Built { block: v.block() }),
            );
        }
        let proposals = self.proposals(state, node.round);
        inputs.extend(
            proposals
                .into_iter()
                .filter_map(|said| self.proposal(state, said)),
        );
        let held = self.polkas(state, node.round);
        let values = self.valid.iter().filter(|value| held.value(**value));
        inputs.extend(values.map(|value| RoundInput::Polka {
            block: value.block(),
        }));
        inputs.extend(held.nil.then_some(RoundInput::PolkaNil));
        inputs
    }

    /// All that the proposer of a round has proposed or, if it is the liar, could propose.
    fn proposals(&self, state: &State, round: u8) -> Vec<(Value, Option<u8>)> {
        match self.proposers[usize::from(round)] {
            Proposer::Correct(_) => state.slot(round).proposal.into_iter().collect(),
            Proposer::Liar => {
                let pol_rounds = (0..round).map(Some).chain([None]);
                pol_rounds
                    .flat_map(|pol| Value::ALL.map(|value| (value, pol)))
                    .collect()
            }
        }
    }

    /// Line 22, or line 28 with its polka.
    fn proposal(&self, state: &State, said: (Value, Option<u8>)) -> Option<RoundInput> {
        let (value, pol_round) = said;
        let block = value.block();
        let accepted = self.valid.contains(&value);
        let validity = if accepted {
            Validity::Valid
        } else {
            Validity::Invalid
        };
        let Some(pol_round) = pol_round else {
            return Some(RoundInput::Proposal { block, validity });
        };
        let spoken_for =
            self.pol_check == PolCheck::Forgotten || self.polkas(state, pol_round).value(value);
        let pol_round = Round::from(pol_round);
        spoken_for.then_some(RoundInput::Reproposal {
            block,
            pol_round,
            validity,
        })
    }

    /// Lines 21, 34, 47.
    fn timeouts(&self, state: &State, node: &Node) -> impl Iterator<Item = Step> {
        let precommits = self.counts.precommits(state.slot(node.round).precommits);
        let prevotes = self.polkas(state, node.round);
        let fires = [
            (Step::Propose, true),
            (Step::Prevote, node.step != Step::Propose && prevotes.any),
            (Step::Precommit, precommits.any),
        ];
        fires
            .into_iter()
            .filter(|(_, fires)| *fires)
            .map(|(step, _)| step)
    }

    fn polkas(&self, state: &State, round: u8) -> Held {
        self.counts.prevotes(state.slot(round).prevotes)
    }
}

/// The effects of the rules.
impl World {
    fn start(&self, state: &mut State, who: usize, round: u8) {
        let turn = self.proposers.get(usize::from(round)) == Some(&Proposer::Correct(who));
        let role = if turn { Role::Proposer } else { Role::Follower };
        let node = &mut state.nodes[who];
        (node.awaits_block, node.spoken) = (false, [false; 3]);
        self.apply(
            state,
            who,
            RoundInput::Start {
                round: round.into(),
                role,
            },
        );
    }

    /// Applies the timeout if the rule before it schedules it.
    fn time_out(&self, state: &mut State, who: usize, [rule, timeout]: [RoundInput; 2]) {
        let transition = (self.step)(state.nodes[who].round_state(), rule);
        if transition
            .outputs
            .iter()
            .any(|output| matches!(output, RoundOutput::Schedule(_)))
        {
            self.seen.rule(transition.rule);
            self.apply(state, who, timeout);
        }
    }

    fn apply(&self, state: &mut State, who: usize, input: RoundInput) {
        let before = state.nodes[who];
        let transition = (self.step)(before.round_state(), input);
        state.broken = state.broken.or(laws::breach(state, &before, &transition));
        self.seen.note(&before, &transition);
        state.nodes[who].enter(&transition.state);
        for output in transition.outputs {
            self.obey(state, who, output);
        }
    }

    fn obey(&self, state: &mut State, who: usize, output: RoundOutput) {
        let node = &mut state.nodes[who];
        match output {
            RoundOutput::Schedule(_) => {}
            RoundOutput::Build => node.awaits_block = true,
            RoundOutput::StartRound(round) => self.start(state, who, round as u8),
            RoundOutput::Decide { block, .. } => {
                *node = Node {
                    decided: Some(Value::of(block)),
                    step: Step::Decided,
                    ..Node::new()
                }
            }
            RoundOutput::Propose { block, pol_round } => {
                node.awaits_block = false;
                let round = node.round;
                if state.speaks(who, Kind::Proposal) {
                    let pol_round = pol_round.map(|round| round as u8);
                    state.said[usize::from(round)].proposal = Some((Value::of(block), pol_round));
                }
            }
            RoundOutput::Prevote(block) => {
                node.awaits_block = false;
                state.votes(who, Kind::Prevote, block.map(Value::of).into());
            }
            RoundOutput::Precommit(block) => {
                state.votes(who, Kind::Precommit, block.map(Value::of).into());
            }
        }
    }

    /// The one state that stands for all that differ only in names.
    fn canonical(&self, state: State) -> State {
        let sorted = self.sorted(state);
        if self.valid.len() < Value::ALL.len() {
            return sorted;
        }
        sorted.min(self.sorted(state.with_values_swapped()))
    }

    fn sorted(&self, mut state: State) -> State {
        let proposes = |who: &usize| self.proposers.contains(&Proposer::Correct(*who));
        let named = (0..CORRECT).take_while(proposes).count();
        state.nodes[named..].sort_unstable();
        for slot in &mut state.said {
            slot.prevotes.sort_unstable();
            slot.precommits.sort_unstable();
        }
        state
    }
}

impl State {
    fn new() -> Self {
        let nothing = [Said::Nothing; CORRECT];
        let slot = Slot {
            proposal: None,
            prevotes: nothing,
            precommits: nothing,
            voters: 0,
        };
        Self {
            nodes: [Node::new(); CORRECT],
            said: [slot; ROUNDS],
            broken: None,
        }
    }

    pub fn slot(&self, round: u8) -> &Slot {
        &self.said[usize::from(round)]
    }

    fn votes(&mut self, who: usize, kind: Kind, said: Said) {
        let Node {
            round,
            spoken: [_, prevoted, precommitted],
            ..
        } = self.nodes[who];
        if !self.speaks(who, kind) {
            return;
        }
        let slot = &mut self.said[usize::from(round)];
        slot.voters += u8::from(!prevoted && !precommitted);
        let votes = if kind == Kind::Prevote {
            &mut slot.prevotes
        } else {
            &mut slot.precommits
        };
        if let Some(free) = votes.iter_mut().find(|vote| **vote == Said::Nothing) {
            *free = said;
        }
    }

    /// Whether this is its first statement of this kind in its round. A second one breaks a law.
    fn speaks(&mut self, who: usize, kind: Kind) -> bool {
        let spoken = &mut self.nodes[who].spoken[kind as usize];
        let first = !std::mem::replace(spoken, true);
        if !first {
            self.broken = self.broken.or(Some(Breach::SpokeTwice));
        }
        first
    }

    fn with_values_swapped(mut self) -> Self {
        let pair = |held: Option<(Value, u8)>| held.map(|(value, round)| (value.other(), round));
        for node in &mut self.nodes {
            node.locked = pair(node.locked);
            node.valid = pair(node.valid);
            node.decided = node.decided.map(Value::other);
        }
        for slot in &mut self.said {
            slot.proposal = slot
                .proposal
                .map(|(value, pol_round)| (value.other(), pol_round));
            slot.prevotes = slot.prevotes.map(Said::other);
            slot.precommits = slot.precommits.map(Said::other);
        }
        self
    }
}

impl Node {
    fn new() -> Self {
        Self {
            round: 0,
            step: Step::Unstarted,
            locked: None,
            valid: None,
            awaits_block: false,
            spoken: [false; 3],
            decided: None,
        }
    }

    fn round_state(&self) -> RoundState {
        let held = |pair: Option<(Value, u8)>| pair.map(|(v, round)| (v.block(), round.into()));
        RoundState {
            height: HEIGHT,
            round: self.round.into(),
            step: self.step,
            locked: held(self.locked),
            valid: held(self.valid),
        }
    }

    fn enter(&mut self, state: &RoundState) {
        let held = |pair: Option<(_, Round)>| pair.map(|(b, round)| (Value::of(b), round as u8));
        (self.round, self.step) = (state.round as u8, state.step);
        (self.locked, self.valid) = (held(state.locked), held(state.valid));
    }
}
