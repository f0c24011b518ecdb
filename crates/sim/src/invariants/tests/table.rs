//! The table of ways to break an invariant, one row for each of them.

use quorate_crypto::Verified;
use quorate_types::outcome::{ClearingInput, Expiry};
use quorate_types::{Evidence, FencingToken, Hash, Kind, Outcome, Reason, Statement};

use super::record::{Record, blocks, each_outcome, outcomes};
use crate::invariants::{all, bounds::Bounds};
use crate::seed::key_of;
use crate::seen::Seen;

/// Changes the observations of a run.
type Change = fn(&Record, &mut Vec<Seen>);

/// The number of the invariant, what is changed, words that the violation
/// must hold, and the change.
pub(super) type Row = (u8, &'static str, &'static str, Change);

const ROWS: &[Row] = &[
    (
        1,
        "one validator decides another block",
        "validator 1",
        |_, seen| {
            blocks(seen, 4, |at, block| {
                block.header.block_time += u64::from(at == 1)
            });
        },
    ),
    (1, "a validator halts", "contradicted", |_, seen| {
        seen.push(Seen::Halted {
            validator: 2,
            why: "a commit is contradicted".to_owned(),
        });
    }),
    (2, "a block after another one", "was decided", |_, seen| {
        blocks(seen, 4, |_, block| block.header.previous.0[0] ^= 1);
    }),
    (
        2,
        "a validator comes back to another state",
        "00000000 at another",
        |_, seen| {
            seen.push(Seen::Started {
                validator: 1,
                height: 4,
                state: Hash::ZERO,
                guarded: (9, 0, 0),
            });
        },
    ),
    (
        3,
        "a price that nobody bid",
        "does not offer it",
        |_, seen| {
            each_outcome(seen, |outcome| {
                if let Outcome::Assignment(assignment) = outcome {
                    assignment.price += 1;
                }
            });
        },
    ),
    (
        3,
        "agents without any attestation",
        "not the attestations in force",
        |_, seen| {
            for height in 1..30 {
                blocks(seen, height, |_, block| {
                    block
                        .operations
                        .retain(|signed| signed.payload.body.phase() != 0);
                });
            }
        },
    ),
    (4, "a second vote", "signed", |_, seen| {
        let voted = |seen: &&Seen| {
            matches!(seen, Seen::Signed { statement, .. }
                if statement.statement.kind == Kind::Prevote)
        };
        let mut second = seen.iter().find(voted).unwrap().clone();
        if let Seen::Signed { statement, .. } = &mut second {
            statement.statement.block = None;
        }
        seen.push(second);
    }),
    (
        5,
        "a certificate with another byte",
        "Malformed",
        |_, seen| {
            for seen in seen {
                if let Seen::Certificate { bytes, .. } = seen {
                    *bytes.last_mut().unwrap() ^= 1;
                }
            }
        },
    ),
    (
        6,
        "a polka for nil beside one for a block",
        "quorums for",
        |_, seen| {
            let mut second: Vec<Seen> = seen.clone();
            second.retain_mut(|seen| match seen {
                Seen::Signed { statement, .. } => {
                    let said = &mut statement.statement;
                    said.block = None;
                    said.kind == Kind::Prevote && said.height == 4
                }
                _ => false,
            });
            seen.extend(second);
        },
    ),
    (
        7,
        "evidence against a correct validator",
        "convicts",
        |record, seen| {
            blocks(seen, 4, |_, block| block.evidence.push(evidence(record, 0)));
        },
    ),
    (
        8,
        "two blocks, and nobody who signed twice",
        "only 0 are guilty",
        |_, seen| {
            blocks(seen, 4, |at, block| {
                block.header.block_time += u64::from(at == 1)
            });
        },
    ),
    (9, "somebody convicted twice", "again", |record, seen| {
        for height in [4, 5] {
            blocks(seen, height, |_, block| {
                block.evidence.push(evidence(record, 0))
            });
        }
    }),
    (
        9,
        "one of two culprits is not convicted",
        "left it out",
        |record, seen| {
            accuse(record, seen, &[0, 1]);
            blocks(seen, 4, |_, block| block.evidence.push(evidence(record, 0)));
        },
    ),
    (
        9,
        "a correct builder leaves out what it holds",
        "left it out",
        |record, seen| {
            accuse(record, seen, &[1]);
        },
    ),
    (
        9,
        "no builder takes the evidence that one validator holds",
        "is in no block",
        |record, seen| {
            let idle = record.world.validators()[3].public_key();
            accuse(record, seen, &[1]);
            seen.retain(|seen| !matches!(seen, Seen::Accused { validator, .. } if *validator != 3));
            for height in 1..200 {
                blocks(seen, height, |_, block| {
                    if block.header.builder == idle {
                        block.header.builder = record.world.validators()[0].public_key();
                    }
                });
            }
        },
    ),
    (
        10,
        "nothing committed after the first assignment",
        "is assigned at the end",
        |_, seen| {
            let assigned = |seen: &Seen| {
                matches!(seen, Seen::Committed { effects, .. }
                if effects.outcomes.iter().any(|o| matches!(o, Outcome::Assignment(_))))
            };
            let first = seen.iter().position(assigned).unwrap();
            seen.truncate(first + 1);
        },
    ),
    (
        10,
        "work that never ends",
        "is assigned at the end",
        |_, seen| {
            without(seen, |outcome| matches!(outcome, Outcome::Receipt(_)));
        },
    ),
    (
        11,
        "commits by half of the power",
        "are not a quorum",
        |_, seen| {
            for seen in seen {
                if let Seen::Committed { commit, .. } = seen {
                    commit.votes.truncate(2);
                }
            }
        },
    ),
    (
        11,
        "a vote that its signer never sent",
        "that it never sent",
        |_, seen| {
            seen.retain(|seen| !matches!(seen, Seen::Signed { validator: 0, .. }));
        },
    ),
    (12, "a token left out", "token 2 after 0", |_, seen| {
        each_outcome(seen, |outcome| {
            if let Outcome::Assignment(assignment) = outcome {
                assignment.token = assignment.token.next();
            }
        });
    }),
    (12, "a report under an older token", "counted", |_, seen| {
        each_outcome(seen, |outcome| {
            if let Outcome::Receipt(receipt) = outcome {
                receipt.token = FencingToken::ZERO;
            }
        });
    }),
    (
        13,
        "a task with an assignment that is forgotten",
        "should be Some((\"open\", 0))",
        |_, seen| {
            without(seen, |outcome| {
                matches!(outcome, Outcome::Assignment(_) | Outcome::Receipt(_))
            });
        },
    ),
    (
        14,
        "work that never ends, and more of it",
        "2 of 1",
        |_, seen| {
            without(seen, |outcome| matches!(outcome, Outcome::Receipt(_)));
        },
    ),
    (15, "the dearer bid wins", "no bid", |record, seen| {
        let agents = [0, 1].map(|at| record.world.clients()[at].public_key());
        each_outcome(seen, |outcome| {
            if let Outcome::Assignment(assignment) = outcome {
                assignment.agent = agents[usize::from(assignment.agent == agents[0])];
            }
        });
    }),
    (
        15,
        "a record of other inputs",
        "not those of the record",
        |_, seen| {
            outcomes(seen, |_, effects| {
                effects
                    .inputs
                    .iter_mut()
                    .for_each(|inputs| drop(inputs.pop()));
            });
        },
    ),
    (16, "an operation in two blocks", "was next", |_, seen| {
        let mut last = Vec::new();
        for height in 1..10 {
            blocks(seen, height, |_, block| {
                let own = block.operations.clone();
                block.operations.extend(last.clone());
                last = if own.is_empty() { last.clone() } else { own };
            });
        }
    }),
    (
        17,
        "a task without a deadline expires",
        "DeadlinePassed",
        |_, seen| {
            let mut first = None;
            outcomes(seen, |height, effects| {
                let assigned = effects.outcomes.iter().find_map(|outcome| match outcome {
                    Outcome::Assignment(assignment) => Some(assignment.task),
                    _ => None,
                });
                let Some(task) = assigned else { return };
                if *first.get_or_insert(height) == height {
                    let reason = Reason::DeadlinePassed;
                    effects.outcomes.insert(
                        0,
                        Outcome::Expiry(Expiry {
                            task,
                            token: FencingToken::ZERO,
                            reason,
                        }),
                    );
                }
            });
        },
    ),
    (
        17,
        "somebody else gets a task in work",
        "is with",
        |_, seen| {
            let mut first = None;
            outcomes(seen, |height, effects| {
                let found = effects
                    .outcomes
                    .iter()
                    .position(|o| matches!(o, Outcome::Assignment(_)));
                if let Some(at) = found
                    && *first.get_or_insert(height) == height
                {
                    effects.outcomes.push(effects.outcomes[at].clone());
                }
            });
        },
    ),
    (18, "a losing bid left out", "was left out", |_, seen| {
        outcomes(seen, |_, effects| {
            for inputs in &mut effects.inputs {
                inputs.pop_if(|input| matches!(input, ClearingInput::Bid(_)));
            }
        });
    }),
    (
        18,
        "a bid excluded for nothing",
        "PriceTooHigh",
        |_, seen| {
            outcomes(seen, |_, effects| {
                for input in effects.inputs.iter_mut().flatten() {
                    if let ClearingInput::Bid(bid) = input {
                        bid.excluded = Some(Reason::PriceTooHigh);
                    }
                }
            });
        },
    ),
    (19, "a set that acts at once", "not the sets", |_, seen| {
        blocks(seen, 4, |_, block| {
            block.header.next_validators = Hash::ZERO
        });
    }),
    (
        19,
        "evidence that takes no power",
        "not the set that",
        |record, seen| {
            blocks(seen, 4, |_, block| block.evidence.push(evidence(record, 0)));
        },
    ),
    (
        23,
        "a validator forgets a block",
        "had decided",
        |_, seen| {
            let (height, state, guarded) = (1, Hash::ZERO, (1 << 20, 0, 0));
            seen.push(Seen::Started {
                validator: 3,
                height,
                state,
                guarded,
            });
        },
    ),
    (
        23,
        "a validator forgets that it signed",
        "is guarded at",
        |_, seen| {
            let (height, state, guarded) = (1 << 20, Hash::ZERO, (2, 0, 0));
            seen.push(Seen::Started {
                validator: 3,
                height,
                state,
                guarded,
            });
        },
    ),
    (
        25,
        "a damaged frame moves a validator on",
        "went from",
        |_, seen| {
            let (before, after) = ((4, 0, Hash::ZERO), (4, 1, Hash::ZERO));
            seen.push(Seen::Damaged {
                validator: 0,
                before,
                after,
            });
        },
    ),
];

/// Checks that the run keeps every invariant, and that each row breaks the invariant that it names.
pub(super) fn each_row_breaks(rows: &[Row], record: &Record) {
    for invariant in &mut all() {
        let judged = record.judged(invariant.as_mut(), &record.seen);
        assert_eq!(
            judged,
            Ok(()),
            "{} {}",
            invariant.number(),
            invariant.name()
        );
    }

    for (number, what, words, change) in rows {
        let mut seen = record.seen.clone();
        change(record, &mut seen);

        let mut invariants = all();
        let invariant = invariants
            .iter_mut()
            .find(|found| found.number() == *number)
            .unwrap();

        let judged = record.judged(invariant.as_mut(), &seen);
        let found = judged.as_ref().is_err_and(|how| how.contains(words));
        assert!(found, "{number}, {what}: {judged:?}");
    }
}

#[test]
fn a_run_keeps_every_invariant_and_each_can_be_broken() {
    let record = Record::new();
    each_row_breaks(ROWS, &record);

    // No run keeps bounds of nothing, so no change of the observations is needed.
    let mut none_beside = Bounds::new(0, 0);
    assert!(
        record.judged(&mut none_beside, &record.seen).is_err(),
        "24: a disk in use"
    );
}

#[test]
fn every_invariant_has_a_number_of_its_own_and_a_row() {
    let mut numbers: Vec<u8> = all().iter().map(|invariant| invariant.number()).collect();
    assert_eq!(numbers, Vec::from_iter((1..=19).chain(23..=25)));

    // Number 24 is broken by other bounds instead of a row.
    numbers.retain(|number| *number != 24 && !ROWS.iter().any(|row| row.0 == *number));
    assert_eq!(numbers, [0; 0], "no row breaks these");
}

/// Removes outcomes from all decided blocks.
pub(super) fn without(seen: &mut [Seen], is_gone: impl Fn(&Outcome) -> bool) {
    outcomes(seen, |_, effects| {
        effects.outcomes.retain(|outcome| !is_gone(outcome))
    });
}

/// Lets each validator tell, at height 3, that it holds evidence against these culprits.
fn accuse(record: &Record, seen: &mut Vec<Seen>, culprits: &[usize]) {
    let at = seen
        .iter()
        .position(|seen| matches!(seen, Seen::Committed { block, .. } if block.header.height == 3));

    let accusations = culprits.iter().flat_map(|culprit| {
        let evidence = Box::new(evidence(record, *culprit).into_inner());

        (0..4).map(move |validator| {
            let evidence = evidence.clone();
            Seen::Accused {
                validator,
                height: 3,
                evidence,
            }
        })
    });

    seen.splice(at.unwrap()..at.unwrap(), accusations);
}

/// Evidence of two prevotes that a validator signed at height 3.
fn evidence(record: &Record, culprit: usize) -> Verified<Evidence> {
    let genesis = record.world.genesis();

    let nil = Statement {
        swarm: genesis.swarm_id(),
        height: 3,
        round: 0,
        kind: Kind::Prevote,
        block: None,
        validators: genesis.validators.hash(),
        pol_round: None,
    };

    let some = Statement {
        block: Some(quorate_types::BlockId([7; 32])),
        ..nil.clone()
    };

    let key = key_of("validator", culprit);
    Verified::<Evidence>::from_pair(&key.sign_statement(nil), &key.sign_statement(some)).unwrap()
}
