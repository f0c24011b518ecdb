//! Tests of invariant 8: which validators its forensics find guilty, and which not.

use std::collections::{BTreeMap, BTreeSet};

use quorate_crypto::SignatureMemo;

use quorate_types::{
    BlockId, Hash, Kind, PublicKey, Round, Signature, SignedStatement, Statement, SwarmId,
    Validator, ValidatorSet,
};

use crate::adversary::LieKind;
use crate::invariants::accountability::guilty;
use crate::invariants::oracle::Voices;
use crate::invariants::over_threshold;
use crate::plan::{Fault, TimedFault};
use crate::profile::{Profile, Size};
use crate::seen::{Seen, key_of};
use crate::world::World;

use Kind::{Precommit, Prevote};

/// Round, kind, block (0 is nil) and signers of a statement.
type Said = (Round, Kind, u8, &'static [u8]);

/// Cases: a name, what four validators of equal power said, and which of them are guilty.
const TABLE: &[(&str, &[Said], &[u8])] = &[
    (
        "all agree",
        &[
            (0, Prevote, 1, &[0, 1, 2, 3]),
            (0, Precommit, 1, &[0, 1, 2, 3]),
        ],
        &[],
    ),
    ("a vote said again", &[(0, Prevote, 1, &[0, 0])], &[]),
    (
        "a: two prevotes",
        &[(0, Prevote, 1, &[0, 1]), (0, Prevote, 2, &[1, 2])],
        &[1],
    ),
    (
        "a: a block and nil",
        &[(2, Precommit, 0, &[3]), (2, Precommit, 1, &[3])],
        &[3, 3],
    ),
    (
        "b: a lock given up for nothing",
        &[
            (0, Prevote, 1, &[0, 1, 2]),
            (0, Precommit, 1, &[0, 1, 2]),
            (1, Prevote, 2, &[1, 2, 3]),
            (1, Precommit, 2, &[1, 2, 3]),
        ],
        &[1, 2],
    ),
    (
        "a lock given up for a polka",
        &[
            (0, Prevote, 1, &[0, 1, 2]),
            (0, Precommit, 1, &[0]),
            (1, Prevote, 2, &[1, 2, 3]),
            (2, Prevote, 2, &[0, 1, 2, 3]),
        ],
        &[],
    ),
    (
        "b: the polka came before the lock",
        &[
            (0, Prevote, 2, &[1, 2, 3]),
            (1, Prevote, 1, &[0, 1, 2]),
            (1, Precommit, 1, &[0]),
            (2, Prevote, 2, &[0]),
        ],
        &[0],
    ),
    (
        "nil over a lock",
        &[
            (0, Prevote, 1, &[0, 1, 2]),
            (0, Precommit, 1, &[0]),
            (1, Prevote, 0, &[0, 1, 2, 3]),
        ],
        &[],
    ),
    (
        "c: a precommit without a polka",
        &[(0, Prevote, 1, &[0, 1]), (0, Precommit, 1, &[0])],
        &[0],
    ),
    (
        "all who decided a block that has no polka",
        &[
            (0, Prevote, 1, &[0, 1, 2]),
            (0, Precommit, 1, &[0, 1, 2]),
            (1, Precommit, 2, &[1, 2, 3]),
        ],
        &[1, 2, 3],
    ),
];

#[test]
fn the_guilty_are_found_and_nobody_else() {
    let key = |of: &u8| PublicKey([*of; 32]);

    let member = |of| Validator {
        key: key(&of),
        power: 1,
        operator: "op".parse().unwrap(),
    };

    let set = ValidatorSet::new((0..4).map(member).collect()).unwrap();

    for (name, said, expected) in TABLE {
        let mut voices = Voices::default();

        for (round, kind, block, signers) in *said {
            for signer in *signers {
                let statement = Statement {
                    swarm: SwarmId([0; 32]),
                    height: 1,
                    round: *round,
                    kind: *kind,
                    block: (*block > 0).then_some(BlockId([*block; 32])),
                    validators: Hash::ZERO,
                    pol_round: None,
                };

                let signature = Signature([0; 64]);

                let statement = SignedStatement {
                    statement,
                    signer: key(signer),
                    signature,
                };

                let statement = Box::new(statement);
                voices.hear(&Seen::Signed {
                    validator: 0,
                    statement,
                });
            }
        }

        let expected: BTreeSet<PublicKey> = expected.iter().map(key).collect();
        assert_eq!(guilty(&voices, 1, &set), expected, "{name}");
    }
}

/// Two of four validators have twins. A partition puts one of each pair into either half, and both
/// halves decide.
#[test]
fn a_split_among_twins_is_a_disagreement_that_convicts_both() {
    let _memo = SignatureMemo::start();
    let mut plan = Profile::Calm.plan(
        1,
        Size {
            validators: 4,
            agents: 1,
            tasks: 1,
            heights: 1,
        },
    );
    (plan.validators[1].lie, plan.validators[2].lie) = (Some(LieKind::Twin), Some(LieKind::Twin));

    let fault = Fault::Partition {
        groups: vec![vec![0, 1], vec![2, 3]],
    };

    plan.faults = vec![TimedFault {
        at: 0,
        lasts: 3_000,
        fault,
    }];

    let mut world = World::new(plan).unwrap();
    let (mut invariants, mut voices) = (over_threshold(), Voices::default());
    let mut decided: BTreeMap<u64, BTreeSet<BlockId>> = BTreeMap::new();

    while world.now() < 2_500 {
        for seen in world.step().unwrap() {
            voices.hear(&seen);
            for invariant in &mut invariants {
                assert_eq!(invariant.see(&world, &seen), Ok(()));
            }

            if let Seen::Committed { block, .. } = &seen {
                decided
                    .entry(block.header.height)
                    .or_default()
                    .insert(block.header.id());
            }
        }
    }

    let (height, _) = decided.iter().find(|(_, blocks)| blocks.len() > 1).unwrap();
    let found = guilty(&voices, *height, &world.genesis().validators);

    assert_eq!(
        found,
        [1, 2].map(|at| key_of("validator", at).public_key()).into()
    );

    for invariant in &mut invariants {
        assert_eq!(invariant.end(&world), Ok(()));
    }
}
