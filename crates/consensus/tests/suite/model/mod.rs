//! Exhaustive model checking of the real step function and the real thresholds: four validators,
//! one of them a liar, two values, two rounds and more. See [`world`] for what is explored and why
//! that is everything, [`laws`] for what must hold, [`mutants`] for what breaks it; and
//! [`deliveries`] for the driver around the step function.

mod counts;
mod deliveries;
mod laws;
mod mutants;
mod world;

use quorate_consensus::Rule;
use stateright::{Checker, Model};

use counts::Value;
use world::Proposer::{Correct, Liar};
use world::World;

/// A title, the world to explore, its number of states, and the rules that never apply in it.
type Explored = (&'static str, World, usize, &'static [Rule]);

/// Explores all states, prints their number, and compares it with the expected one. Another number
/// means another algorithm or another world.
fn explore((title, world, states, unused): Explored) {
    let seen = world.seen.clone();
    let checker = world.checker().threads(2).spawn_bfs().join();
    let unique = checker.unique_state_count();
    let (transitions, depth) = (checker.state_count(), checker.max_depth());
    println!("{title}: {unique} unique states, {transitions} transitions, {depth} steps deep");
    checker.assert_properties();
    let unseen: Vec<Rule> = Rule::ALL
        .into_iter()
        .filter(|rule| !seen.rules().contains(rule))
        .collect();
    assert_eq!((unique, unseen.as_slice()), (states, unused), "{title}");
}

/// Rules that need a correct proposer, and last the one that needs a lock later than the POL round,
/// which takes three rounds.
const UNUSED: &[Rule] = &[
    Rule::ReproposeValid,
    Rule::AskForBlock,
    Rule::ProposeBuilt,
    Rule::RefuseReproposal,
];

#[test]
fn two_rounds_with_a_liar_who_proposes() {
    let invalid = World {
        valid: vec![Value::A],
        ..World::of_lies(2)
    };
    explore((
        "two rounds, any proposer",
        World::of_lies(2),
        26_790,
        UNUSED,
    ));
    explore((
        "two rounds, any proposer, one value invalid",
        invalid,
        11_216,
        UNUSED,
    ));
}

#[test]
fn two_rounds_under_each_schedule() {
    let refuse = &[Rule::RefuseReproposal];
    let first = World::new(&[Liar, Correct(0)]);
    let second = World::new(&[Correct(0), Liar]);
    let never = World::new(&[Correct(0), Correct(1)]);
    explore((
        "two rounds, the liar proposes in the first",
        first,
        53_881,
        refuse,
    ));
    explore((
        "two rounds, the liar proposes in the second",
        second,
        49_445,
        &[Rule::ReproposeValid, Rule::RefuseReproposal],
    ));
    explore((
        "two rounds, the liar does not propose",
        never,
        72_446,
        refuse,
    ));
}

#[test]
#[ignore = "minutes: 2.8 million states"]
fn three_rounds_with_a_liar_who_proposes() {
    explore((
        "three rounds, any proposer",
        World::of_lies(3),
        2_807_613,
        &UNUSED[..3],
    ));
}
