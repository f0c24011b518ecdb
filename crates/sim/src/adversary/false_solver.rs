//! Proposes solutions that do not hold: with pairs that nobody bid on, beyond a budget, for another
//! window, worse than what is kept, or out of order. It bids and withdraws when it is too late for
//! that, and cancels a task of its own once a solution is kept in which another agent wins the
//! task.
//!
//! The protocol bears it because each pair is judged before a solution is kept, and again at the
//! clearing. The mechanism's own search is always among the candidates, so a lie wins nothing.

use std::collections::BTreeMap;

use quorate_agent::StandingBids;
use quorate_ledger::{TaskState, WindowView};
use quorate_market::TieSeed;
use quorate_types::operation::{Bid, Cancel, Offer, Pair, Solve, Submit, Withdraw};
use quorate_types::outcome::{BidInput, ClearingInput};
use quorate_types::{Amounts, OperationBody, PublicKey, SignedOperation, Stage, TaskId, TaskSpec};

use super::{AgentLiarContext, AgentLie};
use crate::solver::{auction, improved};

/// The number of tasks of its own that it submits in all.
const TASKS: u64 = 6;
/// The number of lies on each occasion, at most.
const AT_ONCE: usize = 4;

#[derive(Debug, Default)]
pub(super) struct FalseSolver;

impl AgentLie for FalseSolver {
    fn volunteers(&mut self, context: &mut AgentLiarContext<'_>) -> Vec<SignedOperation> {
        let windows = context.ledger.windows();
        let (Some(next), Some(window)) = (context.next_sequence(), windows.first()) else {
            return Vec::new();
        };

        let bodies = match window.stage {
            Stage::Solutions => lies(context, window),
            _ => open_a_task(context, window).into_iter().collect(),
        };

        (next..)
            .zip(bodies)
            .map(|(sequence, body)| context.sign(sequence, body))
            .collect()
    }
}

/// Submits a task that others may win, so that it can be canceled then.
fn open_a_task(context: &AgentLiarContext<'_>, window: &WindowView) -> Option<OperationBody> {
    let first = context.ledger.account(&context.me())?.next_task;
    let is_wanted = window.open_tasks > 0 && first < TASKS && own_task(context).is_none();
    let tasks = vec![TaskSpec::new(window.market.clone())];
    is_wanted.then_some(OperationBody::Submit(Submit { first, tasks }))
}

/// The first of its own tasks that is open.
fn own_task(context: &AgentLiarContext<'_>) -> Option<TaskId> {
    let next = context.ledger.account(&context.me())?.next_task;
    let mut tasks = (0..next).map(|number| TaskId {
        requester: context.me(),
        number,
    });

    tasks.find(|id| {
        context
            .ledger
            .task(*id)
            .is_some_and(|task| task.state == TaskState::Open)
    })
}

/// The operations that it sends while solutions are taken.
fn lies(context: &mut AgentLiarContext<'_>, window: &WindowView) -> Vec<OperationBody> {
    let standing = standing(context, window);
    let own = own_task(context);

    context.lies += 1;

    // A kept solution gives the task to another agent: now it cancels the task.
    if let Some(task) = own.filter(|own| is_proposed(&standing, *own)) {
        return vec![OperationBody::Cancel(Cancel { task })];
    }

    let ties = TieSeed {
        swarm: context.ledger.swarm(),
        market: window.market.clone(),
    };

    let better = improved(&auction(&standing, ties), context.dice);
    let first = first_bids(&standing);

    let mut lies = false_solutions(window, &first, to_one(&standing));
    lies.extend(late_operations(window, &first));

    context.dice.shuffle(&mut lies);
    lies.truncate(AT_ONCE);

    // Solutions that may be kept come first; the others are worse, or false.
    let for_own = first.into_iter().filter(|pair| Some(pair.task) == own);
    let kept = [Some(for_own.collect()), better].into_iter().flatten();

    kept.map(|pairs| solve(window, window.number, pairs))
        .chain(lies)
        .collect()
}

/// Solutions that are worse than what is kept, or false. `first` are the first bids, and `to_one`
/// gives too many tasks to one agent.
fn false_solutions(window: &WindowView, first: &[Pair], to_one: Vec<Pair>) -> Vec<OperationBody> {
    let number = window.number;

    // These pairs name the requester of each task, which has made no bid on it.
    let nobody = first.iter().map(|pair| Pair {
        agent: pair.task.requester,
        ..*pair
    });

    let one = first.iter().take(1).copied();
    let reversed = first.iter().rev().copied();

    vec![
        solve(window, number, nobody.collect()),
        solve(window, number, to_one),
        solve(window, number + 1, first.to_vec()),
        solve(window, number, one.collect()),
        solve(window, number, reversed.collect()),
        solve(window, number, Vec::new()),
    ]
}

/// A withdrawal and a bid, for which it is too late.
fn late_operations(window: &WindowView, first: &[Pair]) -> [OperationBody; 2] {
    let market = window.market.clone();
    let offers = first.iter().take(1).map(|pair| Offer {
        task: pair.task,
        price: 0,
    });

    let bid = Bid {
        market: market.clone(),
        budget: Amounts::new(),
        offers: offers.collect(),
    };

    [
        OperationBody::Withdraw(Withdraw { market }),
        OperationBody::Bid(bid),
    ]
}

/// A solution of these pairs for the window of this number in the market.
fn solve(window: &WindowView, number: u64, pairs: Vec<Pair>) -> OperationBody {
    OperationBody::Solve(Solve {
        market: window.market.clone(),
        window: number,
        pairs,
    })
}

/// The inputs of a clearing now, with those bids alone that take part.
fn standing(context: &AgentLiarContext<'_>, window: &WindowView) -> StandingBids {
    let mut standing = StandingBids::default();
    let inputs = context.ledger.standing_bids(&window.market, window.number);

    for input in inputs.into_iter().flatten() {
        match input {
            ClearingInput::Task(task) => standing.tasks.push(task),
            ClearingInput::Bidder(bidder) => standing.bidders.push(bidder),
            ClearingInput::Bid(bid) if bid.excluded.is_none() => standing.bids.push(bid),
            ClearingInput::Bid(_) => {}
            ClearingInput::Solution(solution) => standing.solutions.push(solution),
        }
    }

    standing
}

/// Whether a solution that is kept gives the task to an agent.
fn is_proposed(standing: &StandingBids, task: TaskId) -> bool {
    let mut pairs = standing.solutions.iter().flat_map(|kept| &kept.pairs);
    pairs.any(|pair| pair.task == task)
}

/// Pairs that give each task to the first agent that bids on it.
fn first_bids(standing: &StandingBids) -> Vec<Pair> {
    let mut pairs: Vec<Pair> = standing.bids.iter().map(pair).collect();
    pairs.dedup_by_key(|pair| pair.task);
    pairs
}

/// Pairs that give all tasks to the agent that bids on the most, which has too few slots for them.
fn to_one(standing: &StandingBids) -> Vec<Pair> {
    let mut of_agent: BTreeMap<PublicKey, Vec<Pair>> = BTreeMap::new();
    for bid in &standing.bids {
        of_agent.entry(bid.agent).or_default().push(pair(bid));
    }

    of_agent
        .into_values()
        .max_by_key(Vec::len)
        .unwrap_or_default()
}

fn pair(bid: &BidInput) -> Pair {
    Pair {
        task: bid.task,
        agent: bid.agent,
    }
}
