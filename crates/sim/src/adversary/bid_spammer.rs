//! Sends bids by the dozen: on tasks that do not exist, again and again, withdrawn and repeated,
//! under sequence numbers with gaps and numbers that are used. In a sealed market it commits to
//! what it never opens, and opens what it never committed to.
//!
//! The protocol bears it because an agent's sequence numbers have no gaps, its share of a mempool
//! is bounded, only the last of its bids in a window counts, and the cost of a block is bounded, no
//! matter which agent causes it. Nobody waits for an agent that leaves commitments unopened (M-27).

use quorate_types::operation::{Bid, Offer, Opening, Reveal, Seal, SealedOffer, Withdraw};
use quorate_types::{Amounts, Body, Hash, Label, Nonce, SignedOperation, TaskId};

use super::{AgentLie, AgentMouth};

/// The number of operations on each occasion.
const AT_ONCE: u64 = 12;
/// How far ahead of the next number its sequence numbers lie, exclusive.
const AHEAD: u64 = 8;

#[derive(Debug)]
pub(super) struct BidSpammer;

impl AgentLie for BidSpammer {
    fn volunteers(&mut self, mouth: &mut AgentMouth<'_>) -> Vec<SignedOperation> {
        let (Some(next), Some(market)) = (mouth.next_sequence(), mouth.market()) else {
            return Vec::new();
        };

        mouth.lies += AT_ONCE;

        (0..AT_ONCE)
            .map(|_| {
                let body = spam(mouth, market.clone());
                let sequence = next + mouth.dice.below(AHEAD);
                mouth.sign(sequence, body)
            })
            .collect()
    }
}

/// A withdrawal, a bid or, in a sealed market, a commitment or an opening.
fn spam(mouth: &mut AgentMouth<'_>, market: Label) -> Body {
    if mouth.dice.chance(250) {
        return Body::Withdraw(Withdraw { market });
    }

    let invented = TaskId {
        requester: mouth.me(),
        number: mouth.dice.below(1_000),
    };

    let open = mouth
        .ledger
        .open_tasks(&market, 4)
        .into_iter()
        .map(|(task, _)| task);
    let mut tasks: Vec<TaskId> = open.collect();

    // Now and then, or if no task is open, it bids on a task that does not exist.
    if tasks.is_empty() || mouth.dice.chance(300) {
        tasks.push(invented);
    }

    let price = mouth.dice.below(1_000) as i64;
    let slot = "slots".parse().map(|slots| (slots, 1));
    let budget = slot.into_iter().collect();

    match sealed_window(mouth) {
        Some(window) => sealed(mouth, (market, window), budget, tasks),
        None => {
            let offers = tasks
                .into_iter()
                .map(|task| Offer { task, price })
                .collect();

            Body::Bid(Bid {
                market,
                budget,
                offers,
            })
        }
    }
}

/// The number of the market's window, if the market is sealed.
fn sealed_window(mouth: &AgentMouth<'_>) -> Option<u64> {
    let market = mouth.ledger.genesis_info().markets.first()?;
    let windows = mouth.ledger.windows();
    let window = windows.first().map_or(0, |window| window.number);
    market.is_sealed().then_some(window)
}

/// A commitment to nothing that it could open, or an opening of what it never committed to.
fn sealed(
    mouth: &mut AgentMouth<'_>,
    (market, window): (Label, u64),
    budget: Amounts,
    tasks: Vec<TaskId>,
) -> Body {
    // As a commitment it is a random hash, which no price and nonce hash to.
    let nonce = Hash::derive("spam", &[&mouth.dice.below(u64::MAX).to_be_bytes()]);

    if mouth.dice.chance(500) {
        let offers = tasks.into_iter().map(|task| SealedOffer {
            task,
            commitment: nonce,
        });

        return Body::Seal(Seal {
            market,
            window,
            budget,
            offers: offers.collect(),
        });
    }

    let nonce = Nonce(nonce.0);
    let openings = tasks.into_iter().map(|task| Opening {
        task,
        price: 0,
        nonce,
    });

    Body::Reveal(Reveal {
        market,
        window,
        openings: openings.collect(),
    })
}
