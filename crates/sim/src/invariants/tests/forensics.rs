//! A test of invariant 8 on a swarm that disagrees.

use std::collections::{BTreeMap, BTreeSet};

use quorate_crypto::SignatureMemo;
use quorate_oracle::{Voices, guilty};
use quorate_types::BlockId;

use crate::adversary::LieKind;
use crate::faults::{Partition, TimedFault};
use crate::invariants::observed::statements;
use crate::invariants::over_threshold;
use crate::profile::{Profile, Size};
use crate::seed::key_of;
use crate::seen::Seen;
use crate::world::World;

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

    let partition = Partition {
        groups: vec![vec![0, 1], vec![2, 3]],
    };

    plan.faults = vec![TimedFault {
        at: 0,
        lasts: 3_000,
        fault: partition.into(),
    }];

    let mut world = World::new(plan).unwrap();
    let (mut invariants, mut voices) = (over_threshold(), Voices::default());
    let mut decided: BTreeMap<u64, BTreeSet<BlockId>> = BTreeMap::new();

    while world.now() < 2_500 {
        for seen in world.step().unwrap() {
            voices.hear(statements(&seen));
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
