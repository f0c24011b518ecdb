//! Tests of the forensics: which validators are found guilty, and which not.

use std::collections::BTreeSet;

use quorate_oracle::{Voices, guilty};
use quorate_types::{
    BlockId, Hash, Kind, PublicKey, Round, Signature, SignedStatement, Statement, SwarmId,
    Validator, ValidatorSet,
};

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

                voices.hear([statement]);
            }
        }

        let expected: BTreeSet<PublicKey> = expected.iter().map(key).collect();
        assert_eq!(guilty(&voices, 1, &set), expected, "{name}");
    }
}
