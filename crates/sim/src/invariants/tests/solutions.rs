//! The table of ways to break a rule on solutions and windows, and a test of the oracle's choice
//! among solutions against the product's.

use std::collections::BTreeMap;
use std::sync::Arc;

use quorate_market::Mechanism;
use quorate_market::mechanisms::Gap;
use quorate_types::operation::Pair;
use quorate_types::outcome::{ClearingInput, Refusal, SolutionInput};
use quorate_types::{
    ActiveMillis, Amounts, OperationBody, OperationId, Outcome, PublicKey, Reason, SwarmId, TaskId,
};

use super::record::{Record, blocks, clearings, outcomes, unrefused};
use super::table::{Row, each_row_breaks, without};
use crate::dice::Dice;
use crate::invariants::oracle::{Bid, Bidder, ModelAuction, winners};
use crate::seen::Seen;

/// More heights than any run here decides.
const HEIGHTS: u64 = 400;

const ROWS: &[Row] = &[
    (
        15,
        "a solution that was taken is not named",
        "the record has None",
        |_, seen| {
            clearings(seen, |dossier| dossier.record.solution = None);
        },
    ),
    (
        15,
        "a solution is named that was not taken",
        "it is the solution of None",
        |_, seen| {
            clearings(seen, |dossier| {
                let mut solutions = dossier.inputs.iter().filter_map(solution);
                let first = solutions.next().map(|solution| solution.operation);
                dossier.record.solution = dossier.record.solution.or(first);
            });
        },
    ),
    (
        15,
        "the winners are those of no solution among the inputs",
        ", but the rule gives [",
        |_, seen| {
            clearings(seen, |dossier| {
                if dossier.record.solution.is_some() {
                    dossier.inputs.retain(|input| solution(input).is_none());
                }
            });
        },
    ),
    (
        18,
        "a solution that was kept is left out",
        "the solutions kept are",
        |_, seen| {
            clearings(seen, |dossier| {
                dossier.inputs.pop_if(|input| solution(input).is_some());
            });
        },
    ),
    (
        18,
        "a solution has other pairs than it came with",
        "the solutions kept are",
        |_, seen| {
            clearings(seen, |dossier| {
                if let Some(ClearingInput::Solution(solution)) = dossier.inputs.last_mut() {
                    solution.pairs.pop();
                }
            });
        },
    ),
    (
        18,
        "a solution refused for another reason",
        "with [(None, NoBid)], but should",
        |_, seen| {
            outcomes(seen, |_, committed| {
                for outcome in &mut committed.outcomes {
                    if let Outcome::Refusal(Refusal { items, .. }) = outcome
                        && *items == [(None, Reason::NotBetter)]
                    {
                        *items = vec![(None, Reason::NoBid)];
                    }
                }
            });
        },
    ),
    (
        18,
        "pairs over budget are kept",
        "OverBudget)]",
        |_, seen| {
            unrefused(seen, Reason::OverBudget);
        },
    ),
    (18, "a pair nobody bid on is kept", "NoBid)", |_, seen| {
        unrefused(seen, Reason::NoBid)
    }),
    (
        18,
        "a solution that is no better is kept",
        "with [(None, NotBetter)]",
        |_, seen| {
            unrefused(seen, Reason::NotBetter);
        },
    ),
    (
        18,
        "a solution for another window is kept",
        "with [(None, NotSolving)]",
        |_, seen| {
            unrefused(seen, Reason::NotSolving);
        },
    ),
    (
        18,
        "a solution out of order is kept",
        "with [(None, BidMalformed)]",
        |_, seen| {
            unrefused(seen, Reason::BidMalformed);
        },
    ),
    (
        18,
        "a withdrawal in the last part",
        "with [(None, WithdrawLate)]",
        |_, seen| {
            unrefused(seen, Reason::WithdrawLate);
        },
    ),
    (
        18,
        "a bid in the last part",
        "accepted at the wrong time",
        |_, seen| {
            unrefused(seen, Reason::LateBid);
        },
    ),
    (
        18,
        "a bid in time is refused as late",
        "was refused as untimely",
        |_, seen| {
            refuse_bids(seen);
        },
    ),
];

/// As [`ROWS`], for a market that takes no solutions.
const WINDOWS: &[Row] = &[
    (
        18,
        "a window that clears before its time",
        "cleared, but window",
        |_, seen| {
            (1..HEIGHTS).for_each(|height| {
                blocks(seen, height, |_, block| {
                    block.header.active_time = ActiveMillis::ZERO
                });
            });
        },
    ),
    (
        18,
        "a window in which one validator built all blocks",
        "cleared, but window",
        |record, seen| {
            let builder = record.world.validators()[0].public_key();
            (1..HEIGHTS).for_each(|height| {
                blocks(seen, height, |_, block| block.header.builder = builder);
            });
        },
    ),
    (
        18,
        "a window that has another number",
        "cleared, but window",
        |_, seen| {
            clearings(seen, |dossier| dossier.record.window += 1);
        },
    ),
    (
        18,
        "a window that is over and does not clear",
        "did not clear",
        |_, seen| {
            without(seen, |outcome| {
                matches!(outcome, Outcome::Clearing(_) | Outcome::Assignment(_))
            });
        },
    ),
];

#[test]
fn each_rule_on_solutions_and_windows_can_be_broken() {
    each_row_breaks(ROWS, &Record::solved());
    each_row_breaks(WINDOWS, &Record::new());
}

/// The solution that an input is; `None` if it is of another kind.
fn solution(input: &ClearingInput) -> Option<&SolutionInput> {
    match input {
        ClearingInput::Solution(solution) => Some(solution),
        _ => None,
    }
}

/// Refuses every bid as late.
fn refuse_bids(seen: &mut [Seen]) {
    for seen in seen {
        let Seen::Committed {
            block, committed, ..
        } = seen
        else {
            continue;
        };

        let bids = block.operations.iter().map(|signed| &signed.payload);
        let bids = bids.filter(|operation| matches!(operation.body, OperationBody::Bid(_)));

        let refusals = bids.map(|operation| {
            let items = vec![(None, Reason::LateBid)];
            Outcome::Refusal(Refusal {
                operation: operation.id(),
                agent: operation.agent,
                items,
            })
        });

        let mut changed = (**committed).clone();
        changed.outcomes.splice(0..0, refusals);
        *committed = Arc::new(changed);
    }
}

#[test]
fn m31_the_best_of_what_is_found_and_proposed_wins() {
    let (mut dice, mut taken) = (Dice::new(11, "solutions", 0), 0);
    let market = "jobs".parse().unwrap();

    for _ in 0..300 {
        let auction = auction(&mut dice, &market);
        let mut given = auction.given();
        given.solutions = auction
            .solutions
            .iter()
            .map(|one| one.pairs.clone())
            .collect();

        let cleared = Gap.clear(&given);
        let won = cleared.winners.iter();
        let won = won.map(|won| Bid {
            task: won.task,
            agent: won.agent,
            price: won.payment,
        });
        let won: Vec<Bid> = won.collect();

        let by = cleared.solution.map(|at| auction.solutions[at].operation);
        assert_eq!(winners(&auction, &Gap.label(), &won), Ok(by));
        taken += u64::from(by.is_some());

        // The oracle must notice when a winner is left out.
        if let Some(at) = (0..won.len()).next() {
            let mut other = won.clone();
            other.remove(at);
            assert!(winners(&auction, &Gap.label(), &other).is_err());
        }
    }

    // Both cases must have been met often enough.
    assert!((30..270).contains(&taken), "{taken}");
}

/// A random round with equal prices, so that keys decide, and three solutions with some pairs
/// that do not hold.
fn auction<'a>(dice: &mut Dice, market: &'a quorate_types::Label) -> ModelAuction<'a> {
    let slots = |amount| Amounts::from([("slots".parse().unwrap(), amount)]);
    let task = |number| TaskId {
        requester: PublicKey([9; 32]),
        number,
    };
    let agent = |at: u64| PublicKey([at as u8; 32]);

    let (tasks, agents) = (1 + dice.below(4), 2 + dice.below(3));
    let mut bids = Vec::new();

    for (number, at) in (0..tasks).flat_map(|number| (0..agents).map(move |at| (number, at))) {
        if dice.chance(800) {
            bids.push(Bid {
                task: task(number),
                agent: agent(at),
                price: 3,
            });
        }
    }

    let mut pairs = || -> Vec<Pair> {
        let some = (0..tasks).filter(|_| dice.chance(900)).collect::<Vec<_>>();
        let pair = |number| Pair {
            task: task(number),
            agent: agent(dice.below(agents)),
        };
        some.into_iter().map(pair).collect()
    };

    let solutions = (0..3).map(|at| SolutionInput {
        agent: PublicKey([at; 32]),
        operation: OperationId([at; 32]),
        pairs: pairs(),
    });

    ModelAuction {
        swarm: SwarmId([3; 32]),
        market,
        solutions: solutions.collect(),
        tasks: (0..tasks)
            .map(|at| (task(at), (slots(1), 9)))
            .collect::<BTreeMap<_, _>>(),
        bidders: (0..agents)
            .map(|at| Bidder {
                agent: agent(at),
                budget: slots(1 + (at % 2) as i64),
            })
            .collect(),
        bids,
    }
}
