//! The laws that must hold in every state and transition, and the sights that some must show. The
//! laws restate the paper in terms of what was said. They ask neither the step function nor the
//! tally.

use std::sync::atomic::{AtomicBool, Ordering};

use quorate_consensus::round::{RoundOutput, Transition};
use quorate_consensus::{Rule, Step};
use quorate_types::BlockId;
use stateright::Property;

use super::counts::{CORRECT, Said, Value};
use super::world::{Node, Proposer, State, World};

/// A law that a transition can break.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Breach {
    SpokeTwice,
    WentBack,
    Lock,
    Unlock,
    Decision,
}

pub const AGREEMENT: &str = "agreement";
pub const VALIDITY: &str = "validity: a decided value is valid and was proposed";
pub const ONCE: &str = "one proposal, prevote and precommit a round";
pub const FORWARD: &str = "round and step never go back";
pub const LOCK: &str = "lines 38-40: a precommit for a block locks it, and nothing else does";
pub const GROUNDS: &str = "line 36: locks and valid values rest on polkas";
pub const VALID: &str = "lines 42-43: the valid value is as late as the lock";
pub const UNLOCK: &str = "lines 23, 29: a prevote against a lock needs a polka since the lock";
pub const REPROPOSAL: &str = "line 16: a value that is proposed again has a polka";
pub const DECISION: &str = "line 49: a decision rests on precommits";

/// A law, and whether a state obeys it.
type Law = (&'static str, fn(&World, &State) -> bool);

const LAWS: [Law; 10] = [
    (AGREEMENT, agreement),
    (VALIDITY, validity),
    (ONCE, |_, state| state.broken != Some(Breach::SpokeTwice)),
    (FORWARD, |_, state| state.broken != Some(Breach::WentBack)),
    (LOCK, |_, state| state.broken != Some(Breach::Lock)),
    (GROUNDS, grounds),
    (VALID, |_, state| {
        let round = |held: Option<(Value, u8)>| held.map(|(_, round)| round);
        state
            .nodes
            .iter()
            .all(|node| round(node.valid) >= round(node.locked))
    }),
    (UNLOCK, |_, state| state.broken != Some(Breach::Unlock)),
    (REPROPOSAL, reproposals_have_polkas),
    (DECISION, |_, state| state.broken != Some(Breach::Decision)),
];

/// The law that a transition of a validator breaks, if any.
pub fn breach(state: &State, before: &Node, transition: &Transition) -> Option<Breach> {
    let after = &transition.state;
    let place = (
        u8::from(after.step == Step::Decided),
        after.round as u8,
        after.step,
    );
    if place < (0, before.round, before.step) {
        return Some(Breach::WentBack);
    }
    let mut lock = before.locked;
    for output in &transition.outputs {
        match *output {
            RoundOutput::Precommit(Some(block)) => lock = Some((Value::of(block), before.round)),
            RoundOutput::Prevote(Some(block)) if !may_prevote(state, before, block) => {
                return Some(Breach::Unlock);
            }
            RoundOutput::Decide { round, block } => {
                let precommits = state.slot(round as u8).precommits;
                if !quorum(precommits, Value::of(block)) {
                    return Some(Breach::Decision);
                }
            }
            _ => {}
        }
    }
    (lock != held(after.locked)).then_some(Breach::Lock)
}

/// Whether the block may be prevoted: against a lock only if there is a polka for it in the round
/// of the lock or later.
fn may_prevote(state: &State, before: &Node, block: BlockId) -> bool {
    let value = Value::of(block);
    before.locked.is_none_or(|(locked, since)| {
        value == locked || (since..before.round).any(|round| polka(state, round, value))
    })
}

fn agreement(_: &World, state: &State) -> bool {
    let mut decided = state.nodes.iter().filter_map(|node| node.decided);
    let first = decided.next();
    decided.all(|value| Some(value) == first)
}

fn validity(world: &World, state: &State) -> bool {
    let mut decided = state.nodes.iter().filter_map(|node| node.decided);
    decided.all(|value| {
        let mut rounds = world.proposers.iter().zip(&state.said);
        let proposed = rounds.any(|(proposer, slot)| {
            *proposer == Proposer::Liar || slot.proposal.is_some_and(|(said, _)| said == value)
        });
        proposed && world.valid.contains(&value)
    })
}

fn grounds(_: &World, state: &State) -> bool {
    let mut held = state
        .nodes
        .iter()
        .flat_map(|node| [node.locked, node.valid])
        .flatten();
    held.all(|(value, round)| polka(state, round, value))
}

fn reproposals_have_polkas(_: &World, state: &State) -> bool {
    (0..)
        .zip(&state.said)
        .all(|(round, slot)| match slot.proposal {
            Some((value, Some(pol_round))) => pol_round < round && polka(state, pol_round, value),
            _ => true,
        })
}

/// Whether two correct validators said this: with the liar they are three of four.
fn quorum(said: [Said; CORRECT], value: Value) -> bool {
    said.into_iter()
        .filter(|said| said.value() == Some(value))
        .count()
        >= 2
}

fn polka(state: &State, round: u8, value: Value) -> bool {
    quorum(state.slot(round).prevotes, value)
}

fn held(pair: Option<(BlockId, u32)>) -> Option<(Value, u8)> {
    pair.map(|(block, round)| (Value::of(block), round as u8))
}

/// An event that a transition can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sight {
    DecidesInRound0,
    DecidesInRound1,
    DecidesInRound2,
    DecidesOnARoundItHasLeft,
    LocksTheSameAgain,
    LocksAnother,
    PrevotesNilUnderALock,
    PrevotesAnotherThanItLocked,
}

/// The sights and rules that an exploration has met.
#[derive(Debug, Default)]
pub struct Seen {
    sights: [AtomicBool; 8],
    rules: [AtomicBool; Rule::ALL.len()],
}

impl Seen {
    pub fn has(&self, sight: Sight) -> bool {
        self.sights[sight as usize].load(Ordering::Relaxed)
    }

    pub fn rules(&self) -> Vec<Rule> {
        let fired = |rule: &Rule| self.rules[*rule as usize].load(Ordering::Relaxed);
        Rule::ALL.into_iter().filter(fired).collect()
    }

    pub fn rule(&self, rule: Option<Rule>) {
        if let Some(rule) = rule {
            self.rules[rule as usize].store(true, Ordering::Relaxed);
        }
    }

    pub fn note(&self, before: &Node, transition: &Transition) {
        self.rule(transition.rule);
        for output in &transition.outputs {
            if let Some(sight) = sight(before, output) {
                self.sights[sight as usize].store(true, Ordering::Relaxed);
            }
        }
    }
}

fn sight(before: &Node, output: &RoundOutput) -> Option<Sight> {
    let locked = before.locked.map(|(value, _)| value);
    match *output {
        RoundOutput::Decide { round, .. } if round < before.round.into() => {
            Some(Sight::DecidesOnARoundItHasLeft)
        }
        RoundOutput::Decide { round: 0, .. } => Some(Sight::DecidesInRound0),
        RoundOutput::Decide { round: 1, .. } => Some(Sight::DecidesInRound1),
        RoundOutput::Decide { round: 2, .. } => Some(Sight::DecidesInRound2),
        RoundOutput::Precommit(Some(block)) if locked == Some(Value::of(block)) => {
            Some(Sight::LocksTheSameAgain)
        }
        RoundOutput::Precommit(Some(_)) if locked.is_some() => Some(Sight::LocksAnother),
        RoundOutput::Prevote(None) if locked.is_some() => Some(Sight::PrevotesNilUnderALock),
        RoundOutput::Prevote(Some(block)) if locked.is_some_and(|v| v != Value::of(block)) => {
            Some(Sight::PrevotesAnotherThanItLocked)
        }
        _ => None,
    }
}

/// An expected sight: its name, whether it was seen, and how many rounds it takes.
type Expected = (&'static str, fn(&World, &State) -> bool, usize);

const EXPECTED: [Expected; 8] = [
    (
        "decides in round 0",
        |world, _| world.seen.has(Sight::DecidesInRound0),
        1,
    ),
    (
        "decides in round 1",
        |world, _| world.seen.has(Sight::DecidesInRound1),
        2,
    ),
    (
        "decides in round 2",
        |world, _| world.seen.has(Sight::DecidesInRound2),
        3,
    ),
    (
        "decides on a left round",
        |w, _| w.seen.has(Sight::DecidesOnARoundItHasLeft),
        2,
    ),
    (
        "all decide",
        |_, state| state.nodes.iter().all(|node| node.decided.is_some()),
        1,
    ),
    (
        "locks the same again",
        |world, _| world.seen.has(Sight::LocksTheSameAgain),
        2,
    ),
    (
        "prevotes nil under a lock",
        |w, _| w.seen.has(Sight::PrevotesNilUnderALock),
        2,
    ),
    (
        "learns a valid value without locking",
        |_, state| state.nodes.iter().any(learns),
        1,
    ),
];

/// Sights that are expected only if both values are valid.
const EXPECTED_OF_TWO: [Expected; 2] = [
    (
        "locks another",
        |world, _| world.seen.has(Sight::LocksAnother),
        2,
    ),
    (
        "prevotes another",
        |world, _| world.seen.has(Sight::PrevotesAnotherThanItLocked),
        3,
    ),
];

/// Sights that are expected only if a correct validator proposes after the first round.
const EXPECTED_OF_PROPOSERS: [Expected; 1] = [("a correct proposer proposes again", reproposes, 2)];

/// The laws for a world, and the sights that are expected in it.
pub fn of(world: &World) -> Vec<Property<World>> {
    let laws = LAWS.map(|(name, law)| Property::always(name, law));
    let two = world.valid.len() == Value::ALL.len();
    let later = world
        .proposers
        .iter()
        .skip(1)
        .any(|proposer| *proposer != Proposer::Liar);
    let expected = EXPECTED
        .into_iter()
        .chain(EXPECTED_OF_TWO.into_iter().filter(|_| two))
        .chain(EXPECTED_OF_PROPOSERS.into_iter().filter(|_| later))
        .filter(|(_, _, rounds)| *rounds <= world.proposers.len());
    let expected = expected.map(|(name, sight, _)| Property::sometimes(name, sight));
    laws.into_iter().chain(expected).collect()
}

fn learns(node: &Node) -> bool {
    let round = |held: Option<(Value, u8)>| held.map(|(_, round)| round);
    round(node.valid) > round(node.locked)
}

fn reproposes(_: &World, state: &State) -> bool {
    state
        .said
        .iter()
        .any(|slot| matches!(slot.proposal, Some((_, Some(_)))))
}
