//! Sends bids by the dozen: on tasks that do not exist, again and again, withdrawn and repeated,
//! under sequence numbers with gaps and numbers that are used. In a sealed market it commits to
//! what it never opens, and opens what it never committed to.
//!
//! The protocol bears it because an agent's sequence numbers have no gaps, its share of a mempool
//! is bounded, only the last of its bids in a window counts, and the cost of a block is bounded, no
//! matter which agent causes it. Nobody waits for an agent that leaves commitments unopened (M-27).

use quorate_types::operation::{Bid, Offer, Opening, Reveal, Seal, SealedOffer, Withdraw};
use quorate_types::{Amounts, Hash, Label, Nonce, OperationBody, SignedOperation, TaskId};

use super::{AgentLiarContext, AgentLie};

/// The number of operations on each occasion.
const AT_ONCE: u64 = 12;
/// How far ahead of the next number its sequence numbers lie, exclusive.
const AHEAD: u64 = 8;

#[derive(Debug, Default)]
pub(super) struct BidSpammer;

impl AgentLie for BidSpammer {
    fn volunteers(&mut self, context: &mut AgentLiarContext<'_>) -> Vec<SignedOperation> {
        let (Some(next), Some(market)) = (context.next_sequence(), context.market()) else {
            return Vec::new();
        };

        context.lies += AT_ONCE;

        (0..AT_ONCE)
            .map(|_| {
                let body = spam(context, market.clone());
                let sequence = next + context.dice.below(AHEAD);
                context.sign(sequence, body)
            })
            .collect()
    }
}

/// A withdrawal, a bid or, in a sealed market, a commitment or an opening.
fn spam(context: &mut AgentLiarContext<'_>, market: Label) -> OperationBody {
    if context.dice.chance(250) {
        return OperationBody::Withdraw(Withdraw { market });
    }

    let tasks = targets(context, &market);
    let price = context.dice.below(1_000) as i64;
    let slot = "slots".parse().map(|slots| (slots, 1));
    let budget = slot.into_iter().collect();

    if let Some(window) = sealed_window(context) {
        return sealed(context, market, window, budget, tasks);
    }

    let offers = tasks.into_iter().map(|task| Offer { task, price });

    OperationBody::Bid(Bid {
        market,
        budget,
        offers: offers.collect(),
    })
}

/// The tasks of a bid: open ones and, now and then or if no task is open, one that does not exist.
fn targets(context: &mut AgentLiarContext<'_>, market: &Label) -> Vec<TaskId> {
    let invented = TaskId {
        requester: context.me(),
        number: context.dice.below(1_000),
    };

    let open = context.ledger.open_tasks(market, 4).into_iter();
    let mut tasks: Vec<TaskId> = open.map(|(task, _)| task).collect();

    if tasks.is_empty() || context.dice.chance(300) {
        tasks.push(invented);
    }

    tasks
}

/// The number of the market's window, if the market is sealed.
fn sealed_window(context: &AgentLiarContext<'_>) -> Option<u64> {
    let market = context.ledger.genesis_info().markets.first()?;
    let windows = context.ledger.windows();
    let window = windows.first().map_or(0, |window| window.number);
    market.is_sealed().then_some(window)
}

/// A commitment to nothing that it could open, or an opening of what it never committed to.
fn sealed(
    context: &mut AgentLiarContext<'_>,
    market: Label,
    window: u64,
    budget: Amounts,
    tasks: Vec<TaskId>,
) -> OperationBody {
    // As a commitment it is a random hash, which no price and nonce hash to.
    let commitment = Hash::derive("spam", &[&context.dice.below(u64::MAX).to_be_bytes()]);

    if context.dice.chance(500) {
        let offers = tasks.into_iter();
        let offers = offers.map(|task| SealedOffer { task, commitment });

        return OperationBody::Seal(Seal {
            market,
            window,
            budget,
            offers: offers.collect(),
        });
    }

    OperationBody::Reveal(Reveal {
        market,
        window,
        openings: openings(tasks, Nonce(commitment.0)),
    })
}

/// Openings at price 0 under this nonce.
fn openings(tasks: Vec<TaskId>, nonce: Nonce) -> Vec<Opening> {
    tasks
        .into_iter()
        .map(|task| Opening {
            task,
            price: 0,
            nonce,
        })
        .collect()
}
