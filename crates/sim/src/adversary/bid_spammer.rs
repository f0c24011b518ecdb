//! Sends bids by the dozen: on tasks that are not there, again and again, withdrawn and repeated,
//! under numbers with gaps and numbers that are taken.
//!
//! Borne because an agent's numbers are contiguous, its share of a mempool is bounded, of its bids
//! in a window the last one counts, and a block's cost is bounded whoever caused it.

use quorate_types::operation::{Bid, Offer, Withdraw};
use quorate_types::{Body, Label, SignedOperation, TaskId};

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
    let price = mouth.dice.below(1_000) as i64;
    let invented = TaskId { requester: mouth.me(), number: mouth.dice.below(1_000) };
    let open = mouth.ledger.open_tasks(&market, 4).into_iter().map(|(task, _)| task);
    let mut tasks: Vec<TaskId> = open.collect();
    if tasks.is_empty() || mouth.dice.chance(300) {
        tasks.push(invented);
    }
    let offers = tasks.into_iter().map(|task| Offer { task, price }).collect();
    let slot = "slots".parse().map(|slots| (slots, 1));
    Body::Bid(Bid { market, budget: slot.into_iter().collect(), offers })
}
