//! Sends bids by the dozen: on tasks that are not there, again and again, withdrawn and repeated,
//! under numbers with gaps and numbers that are taken. In a sealed market it commits to what it
//! never opens, and opens what it never committed to.
//!
//! Borne because an agent's numbers are contiguous, its share of a mempool is bounded, of its bids
//! in a window the last one counts, and a block's cost is bounded whoever caused it; and because
//! nobody waits for commitments of whoever left some unopened (M-27).

use quorate_types::operation::{Bid, Offer, Opening, Reveal, Seal, SealedOffer, Withdraw};
use quorate_types::{Amounts, Body, Hash, Label, Nonce, SignedOperation, TaskId};

use super::{AgentLie, AgentMouth};

/// Operations on each occasion.
const AT_ONCE: u64 = 12;
/// How far ahead of the next its numbers are.
const AHEAD: u64 = 8;

/// See the module.
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

/// The number of the market's window, where it is sealed.
fn sealed_window(mouth: &AgentMouth<'_>) -> Option<u64> {
    let market = mouth.ledger.genesis_info().markets.first()?;
    let windows = mouth.ledger.windows();
    let window = windows.first().map_or(0, |window| window.number);
    market.is_sealed().then_some(window)
}

fn sealed(
    mouth: &mut AgentMouth<'_>,
    (market, window): (Label, u64),
    budget: Amounts,
    tasks: Vec<TaskId>,
) -> Body {
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
