//! The table of ways to break a rule on solutions and windows.

use std::sync::Arc;

use quorate_types::outcome::{ClearingInput, Refusal, SolutionInput};
use quorate_types::{ActiveMillis, OperationBody, Outcome, Reason};

use super::record::{Record, blocks, clearings, outcomes, unrefused};
use super::table::{Row, each_row_breaks, without};
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
            outcomes(seen, |_, effects| {
                for outcome in &mut effects.outcomes {
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
        let Seen::Committed { block, effects, .. } = seen else {
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

        let mut changed = (**effects).clone();
        changed.outcomes.splice(0..0, refusals);
        *effects = Arc::new(changed);
    }
}
