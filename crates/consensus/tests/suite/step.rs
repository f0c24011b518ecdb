//! Checks the step function in every state that two blocks and three rounds can reach.

use std::collections::BTreeSet;

use quorate_consensus::Step;
use quorate_consensus::round::{
    Role, RoundInput, RoundOutput, RoundState, Transition, Validity, step,
};
use quorate_types::{BlockId, Round};

use crate::harness::block;

const ROUNDS: Round = 3;

/// Every input there is over two blocks and three rounds.
fn inputs() -> Vec<RoundInput> {
    use RoundInput as In;
    let mut inputs = vec![
        In::PrevoteAny,
        In::PolkaNil,
        In::PrecommitAny,
        In::TimeoutPropose,
        In::TimeoutPrevote,
        In::TimeoutPrecommit,
    ];
    let blocks: [BlockId; 2] = [block("A"), block("B")];
    for block in blocks {
        inputs.extend([In::Built { block }, In::Polka { block }]);
        for validity in [Validity::Valid, Validity::Invalid] {
            inputs.push(In::Proposal { block, validity });
            inputs.extend((0..ROUNDS).map(|pol_round| In::Reproposal {
                block,
                pol_round,
                validity,
            }));
        }
        inputs.extend((0..ROUNDS).map(|round| In::Commit { round, block }));
    }
    for round in 0..ROUNDS {
        inputs.push(In::Skip { round });
        inputs.extend([Role::Proposer, Role::Follower].map(|role| In::Start { round, role }));
    }
    inputs
}

#[test]
fn every_reachable_transition_obeys_the_paper() {
    let inputs = inputs();
    let mut seen = BTreeSet::from([RoundState::new(1)]);
    let mut open: Vec<RoundState> = seen.iter().copied().collect();
    let mut count = 0;
    while let Some(state) = open.pop() {
        for input in &inputs {
            let transition = step(state, *input);
            check(&state, *input, &transition);
            count += 1;
            if seen.insert(transition.state) {
                open.push(transition.state);
            }
        }
    }
    // The number is pinned: another one means another algorithm.
    assert_eq!((seen.len(), count), (125, 125 * inputs.len()));
}

fn check(before: &RoundState, input: RoundInput, transition: &Transition) {
    let after = &transition.state;
    let place = |state: &RoundState| (state.step == Step::Decided, state.round, state.step);
    assert!(
        place(before) <= place(after),
        "{before:?} {input:?} goes back"
    );
    assert_eq!(
        transition.rule.is_none(),
        after == before && transition.outputs.is_empty()
    );
    if before.step == Step::Decided || before.step == Step::Unstarted && after.step == before.step {
        assert_eq!((before, transition.outputs.len()), (after, 0));
    }
    for output in &transition.outputs {
        match *output {
            // There is one of each per round, since the step moves on with it.
            RoundOutput::Prevote(said) => {
                assert_eq!((before.step, after.step), (Step::Propose, Step::Prevote));
                assert_eq!(said, prevote(before, input), "{before:?} {input:?}");
            }
            RoundOutput::Precommit(said) => {
                assert_eq!((before.step, after.step), (Step::Prevote, Step::Precommit));
                // Lines 37-41: a validator that precommits a block holds the lock on it.
                match said {
                    Some(block) => assert_eq!(after.locked, Some((block, before.round))),
                    None => assert_eq!(after.locked, before.locked),
                }
            }
            RoundOutput::Propose {
                block,
                pol_round: Some(round),
            } => {
                assert_eq!(before.valid, Some((block, round)));
            }
            RoundOutput::StartRound(round) => assert!(round > before.round),
            _ => {}
        }
    }
    if after.locked != before.locked {
        assert!(matches!(input, RoundInput::Polka { .. }) && before.step == Step::Prevote);
    }
    // The valid value is never older than the lock.
    let round = |held: Option<(BlockId, Round)>| held.map(|(_, round)| round);
    assert!(round(after.locked) <= round(after.valid));
}

/// N-10, N-11 and N-18 (lines 23, 29 and 57): the block if it is valid, and no other block is
/// locked or its polka is not older than the lock; otherwise nil.
fn prevote(before: &RoundState, input: RoundInput) -> Option<BlockId> {
    let (block, pol_round) = match input {
        RoundInput::Proposal {
            block,
            validity: Validity::Valid,
        } => (block, None),
        RoundInput::Reproposal {
            block,
            pol_round,
            validity: Validity::Valid,
        } => {
            assert!(pol_round < before.round, "line 28: {before:?} {input:?}");
            (block, Some(pol_round))
        }
        _ => return None,
    };
    match before.locked {
        None => Some(block),
        Some((locked, _)) if locked == block => Some(block),
        Some((_, locked_round)) => (pol_round >= Some(locked_round)).then_some(block),
    }
}
