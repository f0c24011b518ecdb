//! Runs one real driver, with its tally, under every order of delivery of messages, verdicts, its
//! own statements as they come back, and timers as they fire. The laws restate, from the inputs
//! that were delivered, what it must have done (N-19: no rule hides another, and nothing is
//! forgotten).

use std::hash::{Hash, Hasher};

use quorate_consensus::round::RoundState;
use quorate_consensus::{Driver, Input, Output, Step};
use quorate_types::{BlockId, Kind, PublicKey, Round, Statement};
use stateright::{Checker, Model, Property};

use crate::harness::Bench;

const DONE: &str = "N-19: all that can be done is done";
const JUSTIFIED: &str = "lines 22, 28, 36: each vote for a block has its grounds";
const TIMERS: &str = "lines 34, 47: each wait has a timer";
const TWICE: &str = "one statement a slot, one timer a step";
const REPEATED: &str = "a repeated input changes nothing";

/// The inputs that are delivered to validator 3 of four.
pub struct Deliveries {
    bench: Bench,
    inputs: Vec<Input>,
}

impl Deliveries {
    /// Takes the inputs from lines of a script of [`crate::harness`].
    pub fn new(script: &str) -> Self {
        let bench = Bench::new(&[1; 4], Some(3));
        let lines = script
            .lines()
            .map(|line| line.split_whitespace().collect::<Vec<_>>());
        let inputs = lines.flat_map(|words| bench.inputs(&words)).collect();
        Self { bench, inputs }
    }
}

/// The driver, and all by which its states are told apart.
#[derive(Debug, Clone)]
pub struct State {
    driver: Driver,
    known: Known,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Known {
    /// The inputs that were delivered, by bit; `second` has those that were second in their slot.
    delivered: u32,
    second: u32,
    /// The statements that it signed, and whether each came back.
    own: Vec<(Statement, bool)>,
    timers: Vec<(Round, Step)>,
    round: RoundState,
    broken: Option<&'static str>,
}

impl PartialEq for State {
    fn eq(&self, other: &Self) -> bool {
        self.known == other.known
    }
}

impl Hash for State {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.known.hash(state);
    }
}

/// The next event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    Deliver(usize),
    ComeBack(usize),
    Fire(Round, Step),
}

impl Model for Deliveries {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let driver = self.bench.driver.clone();
        let round = *driver.state();
        let (delivered, second, own, timers) = (0, 0, Vec::new(), Vec::new());
        let known = Known {
            delivered,
            second,
            own,
            timers,
            round,
            broken: None,
        };
        let mut state = State { driver, known };
        state.takes(Input::Start);
        vec![state]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        let open = (0..self.inputs.len()).filter(|at| state.known.delivered & 1 << at == 0);
        actions.extend(open.map(Action::Deliver));
        let own = state
            .known
            .own
            .iter()
            .enumerate()
            .filter(|(_, (_, came))| !came);
        actions.extend(own.map(|(at, _)| Action::ComeBack(at)));
        actions.extend(
            state
                .known
                .timers
                .iter()
                .map(|(round, step)| Action::Fire(*round, *step)),
        );
    }

    fn next_state(&self, before: &State, action: Action) -> Option<State> {
        let mut state = before.clone();
        match action {
            Action::Deliver(at) => {
                let again = before
                    .first(self)
                    .any(|first| same_slot(first, &self.inputs[at]));
                state.known.second |= u32::from(again) << at;
                state.known.delivered |= 1 << at;
                state.takes(self.inputs[at].clone());
            }
            Action::ComeBack(at) => {
                let (said, came) = &mut state.known.own[at];
                *came = true;
                let signed = self.bench.committee.sign(3, said.clone());
                state.takes(Input::Statement(signed));
            }
            Action::Fire(round, step) => {
                state.known.timers.retain(|timer| *timer != (round, step));
                state.takes(Input::Timeout { round, step });
            }
        }
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(DONE, |world, state: &State| {
                state.left_undone(world).is_none()
            }),
            Property::always(JUSTIFIED, State::is_justified),
            Property::always(TIMERS, State::has_its_timers),
            Property::always(TWICE, |_, state: &State| state.known.broken != Some(TWICE)),
            Property::always(REPEATED, |_, state: &State| {
                state.known.broken != Some(REPEATED)
            }),
            Property::sometimes("decides", |_, state: &State| state.driver.is_decided()),
            Property::sometimes("locks", |_, state: &State| {
                state.known.round.locked.is_some()
            }),
        ]
    }
}

impl State {
    fn takes(&mut self, input: Input) {
        for output in self.driver.handle(input.clone()) {
            self.note(output);
        }
        self.known.round = *self.driver.state();
        let mut again = self.driver.clone();
        if !again.handle(input).is_empty() || again.state() != self.driver.state() {
            self.known.broken = Some(REPEATED);
        }
    }

    fn note(&mut self, output: Output) {
        let Known {
            own,
            timers,
            broken,
            ..
        } = &mut self.known;
        match output {
            Output::EnteredRound { .. } | Output::Decided(_) => timers.clear(),
            Output::Sign(said) => {
                let slot = |held: &Statement| (held.round, held.kind) == (said.round, said.kind);
                if own.iter().any(|(held, _)| slot(held)) {
                    *broken = Some(TWICE);
                }
                own.push((said, false));
            }
            Output::Schedule { round, step } => {
                if timers.contains(&(round, step)) {
                    *broken = Some(TWICE);
                }
                timers.push((round, step));
            }
            _ => {}
        }
    }

    /// A rule that could be applied and was not, by its lines.
    fn left_undone(&self, world: &Deliveries) -> Option<&'static str> {
        let RoundState {
            round, step, valid, ..
        } = self.known.round;
        if step == Step::Decided {
            return None;
        }
        let polka = |round, block| self.count(world, round, Kind::Prevote, block) >= 3;
        let polka_of_valid = self
            .blocks(world)
            .into_iter()
            .any(|block| polka(round, Some(block)));
        let commit =
            |block| (0..2).any(|round| self.count(world, round, Kind::Precommit, Some(block)) >= 3);
        let clauses = [
            ("line 49", self.blocks(world).into_iter().any(commit)),
            (
                "line 55",
                (round + 1..3).any(|round| self.voters(world, round) >= 2),
            ),
            (
                "lines 22, 28",
                step == Step::Propose && self.proposed(world, round).is_some(),
            ),
            ("line 36", step == Step::Prevote && polka_of_valid),
            (
                "line 42",
                step > Step::Prevote && polka_of_valid && valid.is_none_or(|v| v.1 < round),
            ),
            ("line 44", step == Step::Prevote && polka(round, None)),
        ];
        clauses
            .into_iter()
            .find(|(_, holds)| *holds)
            .map(|(clause, _)| clause)
    }

    /// N-12 and N-15: whether each timeout that is due in its step is scheduled.
    fn has_its_timers(world: &Deliveries, state: &Self) -> bool {
        let RoundState { round, step, .. } = state.known.round;
        let any = |kind| state.voted(world, round, kind).len() >= 3;
        let has = |step| state.known.timers.contains(&(round, step));
        match step {
            Step::Unstarted | Step::Decided => true,
            Step::Propose => has(Step::Propose) && (has(Step::Precommit) || !any(Kind::Precommit)),
            Step::Prevote => {
                (has(Step::Prevote) || !any(Kind::Prevote))
                    && (has(Step::Precommit) || !any(Kind::Precommit))
            }
            Step::Precommit => has(Step::Precommit) || !any(Kind::Precommit),
        }
    }

    /// Lines 22, 28: the block that must be prevoted, once its verdict and its polka are there.
    fn proposed(&self, world: &Deliveries, round: Round) -> Option<BlockId> {
        let known = self.blocks(world);
        let mut first = self.first(world).filter_map(|input| match input {
            Input::Statement(signed) => Some(&signed.statement),
            _ => None,
        });
        let said = first.find(|said| (said.round, said.kind) == (round, Kind::Proposal))?;
        let polka = |round| self.count(world, round, Kind::Prevote, said.block) >= 3;
        let block = said.block.filter(|block| known.contains(block));
        block.filter(|_| said.pol_round.is_none_or(polka))
    }

    /// Whether each of its votes for a block has its grounds.
    fn is_justified(world: &Deliveries, state: &Self) -> bool {
        state
            .known
            .own
            .iter()
            .all(|(said, _)| match (said.kind, said.block) {
                (Kind::Prevote, Some(block)) => state.proposed(world, said.round) == Some(block),
                (Kind::Precommit, Some(_)) => {
                    state.count(world, said.round, Kind::Prevote, said.block) >= 3
                }
                _ => true,
            })
    }

    /// Blocks with a verdict; in these worlds all are valid.
    fn blocks(&self, world: &Deliveries) -> Vec<BlockId> {
        let verdict = |input: &Input| match input {
            Input::Verdict(verdict) => Some(verdict.block),
            _ => None,
        };
        self.delivered(world)
            .filter_map(|(_, input)| verdict(input))
            .collect()
    }

    fn count(&self, world: &Deliveries, round: Round, kind: Kind, block: Option<BlockId>) -> usize {
        self.voted(world, round, kind)
            .into_iter()
            .filter(|(_, said)| *said == block)
            .count()
    }

    fn voters(&self, world: &Deliveries, round: Round) -> usize {
        let kinds = [Kind::Prevote, Kind::Precommit];
        let votes = kinds
            .into_iter()
            .flat_map(|kind| self.voted(world, round, kind));
        let voters: std::collections::BTreeSet<_> = votes.map(|(who, _)| who).collect();
        voters.len()
    }

    /// The votes that count in a slot: the first of each validator, and its own once it came back.
    fn voted(
        &self,
        world: &Deliveries,
        round: Round,
        kind: Kind,
    ) -> Vec<(PublicKey, Option<BlockId>)> {
        let here = |said: &Statement| (said.round, said.kind) == (round, kind);
        let others = self.first(world).filter_map(|input| match input {
            Input::Statement(signed) if here(&signed.statement) => {
                Some((signed.signer, signed.statement.block))
            }
            _ => None,
        });
        let me = world.bench.committee.key(3);
        let own = self
            .known
            .own
            .iter()
            .filter(|(said, came)| *came && here(said));
        others
            .chain(own.map(|(said, _)| (me, said.block)))
            .collect()
    }

    /// The inputs that were delivered and were not second in their slot.
    fn first<'a>(&self, world: &'a Deliveries) -> impl Iterator<Item = &'a Input> {
        let second = self.known.second;
        let first = self
            .delivered(world)
            .filter(move |(at, _)| second & 1 << at == 0);
        first.map(|(_, input)| input)
    }

    fn delivered<'a>(&self, world: &'a Deliveries) -> impl Iterator<Item = (usize, &'a Input)> {
        let delivered = self.known.delivered;
        world
            .inputs
            .iter()
            .enumerate()
            .filter(move |(at, _)| delivered & 1 << at != 0)
    }
}

fn same_slot(first: &Input, second: &Input) -> bool {
    let (Input::Statement(first), Input::Statement(second)) = (first, second) else {
        return false;
    };
    let slot = |said: &Statement| (said.round, said.kind);
    first.signer == second.signer && slot(&first.statement) == slot(&second.statement)
}

#[test]
fn a_driver_does_all_it_can_whatever_the_order() {
    let deliveries = [
        (
            "a polka, a commit, and others that say nil",
            "proposal 0 A
             valid A
             prevote 0 A by 0 1
             prevote 0 nil by 2
             precommit 0 A by 0 1
             precommit 0 nil by 2",
        ),
        (
            "a re-proposal",
            "proposal 0 A
             valid A
             prevote 0 A by 0 1
             precommit 0 nil by 0 1
             proposal 1 A pol 0
             prevote 1 A by 0 1
             precommit 1 A by 0 1",
        ),
        (
            "an equivocator",
            "proposal 0 A
             valid A
             valid B
             proposal 0 B
             prevote 0 A by 0 1
             prevote 0 B by 0
             precommit 0 A by 0 1
             precommit 0 nil by 1",
        ),
    ];
    for (title, script) in deliveries {
        let checker = Deliveries::new(script)
            .checker()
            .threads(2)
            .spawn_bfs()
            .join();
        let (states, depth) = (checker.unique_state_count(), checker.max_depth());
        println!("a driver, {title}: {states} unique states, {depth} steps deep");
        checker.assert_properties();
    }
}
