//! Checks that the laws can fail: each deliberate mistake breaks its laws, and each law is broken
//! by some mistake.

use std::collections::BTreeSet;

use quorate_consensus::round::{RoundInput, RoundOutput, RoundState, Transition, Validity, step};
use quorate_consensus::{Rule, Step};
use stateright::{Checker, Expectation, HasDiscoveries, Model};

use super::counts::Counts;
use super::laws::{
    AGREEMENT, DECISION, FORWARD, GROUNDS, LOCK, ONCE, REPROPOSAL, UNLOCK, VALID, VALIDITY,
};
use super::world::{PolCheck, Proposer, World};

/// A mistake, the world it is made in, and the laws that it breaks there.
type Mutant = (&'static str, fn() -> World, &'static [&'static str]);

const MUTANTS: &[Mutant] = &[
    (
        "unlocks on a nil polka",
        || stepping(2, unlocks_on_nil),
        &[LOCK],
    ),
    (
        "does not lock",
        || stepping(2, does_not_lock),
        &[LOCK, AGREEMENT],
    ),
    (
        "forgets its lock with the round",
        || stepping(2, forgets),
        &[LOCK, AGREEMENT],
    ),
    (
        "line 23 without the lock",
        || stepping(2, prevotes_any),
        &[UNLOCK, AGREEMENT],
    ),
    (
        "line 29 without the locked round",
        || stepping(3, prevotes_any_again),
        &[UNLOCK],
    ),
    (
        "line 28 without the polka",
        || trusting_proposers(2),
        &[UNLOCK, AGREEMENT],
    ),
    (
        "a quorum of 2f",
        || counting(2),
        &[AGREEMENT, GROUNDS, DECISION],
    ),
    ("a quorum of one", || counting(1), &[VALIDITY]),
    (
        "locks after the precommit",
        || stepping(2, locks_late),
        &[LOCK],
    ),
    (
        "goes back on a late polka",
        || stepping(2, goes_back),
        &[FORWARD],
    ),
    (
        "prevotes each proposal",
        || stepping(2, prevotes_each),
        &[ONCE],
    ),
    (
        "locks without the valid value",
        || stepping(2, locks_only),
        &[VALID],
    ),
    (
        "takes a proposal for a polka",
        || rotating(remembers_proposals),
        &[GROUNDS, REPROPOSAL],
    ),
];

/// Mistakes that need a third round to end in two decisions.
const SLOW_MUTANTS: &[Mutant] = &[
    (
        "unlocks on a nil polka",
        || stepping(3, unlocks_on_nil),
        &[AGREEMENT],
    ),
    (
        "line 29 without the locked round",
        || stepping(3, prevotes_any_again),
        &[AGREEMENT],
    ),
];

#[test]
fn each_mistake_breaks_its_laws() {
    MUTANTS.iter().for_each(breaks);
}

#[test]
#[ignore = "a minute: 0.7 million states"]
fn each_mistake_with_locks_ends_in_two_decisions() {
    SLOW_MUTANTS.iter().for_each(breaks);
}

fn breaks((title, world, laws): &Mutant) {
    for law in *laws {
        let found = HasDiscoveries::AnyOf(BTreeSet::from([*law]));
        let checker = world().checker().finish_when(found).spawn_dfs().join();
        let path = checker.discovery(law).map(|path| path.into_actions().len());
        let actions = path.unwrap_or_else(|| panic!("{title}: nothing breaks `{law}`"));
        let states = checker.unique_state_count();
        println!("{title}: breaks `{law}` in {actions} actions, found after {states} states");
    }
}

#[test]
fn each_law_is_broken_by_some_mistake() {
    let broken: BTreeSet<_> = MUTANTS
        .iter()
        .flat_map(|(.., laws)| *laws)
        .copied()
        .collect();
    let properties = World::of_lies(1).properties();
    let laws = properties
        .iter()
        .filter(|law| law.expectation == Expectation::Always);
    assert_eq!(broken, laws.map(|law| law.name).collect());
}

fn stepping(rounds: usize, step: fn(RoundState, RoundInput) -> Transition) -> World {
    World {
        step,
        ..World::of_lies(rounds)
    }
}

fn trusting_proposers(rounds: usize) -> World {
    World {
        pol_check: PolCheck::Forgotten,
        ..World::of_lies(rounds)
    }
}

/// A world of this step function in which correct validators propose.
fn rotating(step: fn(RoundState, RoundInput) -> Transition) -> World {
    World {
        step,
        ..World::new(&[Proposer::Correct(0), Proposer::Correct(1)])
    }
}

fn counting(quorum: usize) -> World {
    World {
        counts: Counts::on_fingers(quorum),
        ..rotating(step)
    }
}

/// The transition with its state changed, if it is by this rule.
fn changed(
    transition: Transition,
    rule: Rule,
    change: impl Fn(RoundState) -> RoundState,
) -> Transition {
    if transition.rule == Some(rule) {
        Transition {
            state: change(transition.state),
            ..transition
        }
    } else {
        transition
    }
}

fn unlocks_on_nil(state: RoundState, input: RoundInput) -> Transition {
    changed(step(state, input), Rule::PrecommitNil, |next| RoundState {
        locked: None,
        ..next
    })
}

fn does_not_lock(state: RoundState, input: RoundInput) -> Transition {
    let locked = state.locked;
    changed(step(state, input), Rule::Lock, |next| RoundState {
        locked,
        ..next
    })
}

fn locks_only(state: RoundState, input: RoundInput) -> Transition {
    let valid = state.valid;
    changed(step(state, input), Rule::Lock, |next| RoundState {
        valid,
        ..next
    })
}

fn locks_late(state: RoundState, input: RoundInput) -> Transition {
    let lock = |next: RoundState| RoundState {
        locked: next.valid,
        ..next
    };
    changed(step(state, input), Rule::RememberValid, lock)
}

fn goes_back(state: RoundState, input: RoundInput) -> Transition {
    let back = |next| RoundState {
        step: Step::Prevote,
        ..next
    };
    changed(step(state, input), Rule::RememberValid, back)
}

fn forgets(state: RoundState, input: RoundInput) -> Transition {
    changed(step(state, input), Rule::FollowRound, |next| RoundState {
        locked: None,
        ..next
    })
}

fn remembers_proposals(state: RoundState, input: RoundInput) -> Transition {
    let RoundInput::Proposal { block, .. } = input else {
        return step(state, input);
    };
    let remember = |next: RoundState| RoundState {
        valid: Some((block, next.round)),
        ..next
    };
    changed(step(state, input), Rule::PrevoteProposal, remember)
}

fn prevotes_any(state: RoundState, input: RoundInput) -> Transition {
    let RoundInput::Proposal { .. } = input else {
        return step(state, input);
    };
    without_lock(state, input)
}

fn prevotes_any_again(state: RoundState, input: RoundInput) -> Transition {
    let RoundInput::Reproposal { .. } = input else {
        return step(state, input);
    };
    without_lock(state, input)
}

fn without_lock(state: RoundState, input: RoundInput) -> Transition {
    let transition = step(
        RoundState {
            locked: None,
            ..state
        },
        input,
    );
    Transition {
        state: RoundState {
            locked: state.locked,
            ..transition.state
        },
        ..transition
    }
}

fn prevotes_each(state: RoundState, input: RoundInput) -> Transition {
    let transition = step(state, input);
    let RoundInput::Proposal {
        block,
        validity: Validity::Valid,
    } = input
    else {
        return transition;
    };
    if state.step != Step::Prevote {
        return transition;
    }
    Transition {
        outputs: vec![RoundOutput::Prevote(Some(block))],
        ..transition
    }
}
