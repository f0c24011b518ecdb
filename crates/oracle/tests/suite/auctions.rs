//! Tests of the oracle's mechanisms against those of the product, on many small rounds.

use std::collections::BTreeMap;

use quorate_market::Mechanism;
use quorate_market::mechanisms::{FirstPrice, Optimal, SecondPrice};
use quorate_oracle::{Bid, Bidder, ModelAuction, winners};
use quorate_types::{Amounts, PublicKey, SwarmId, TaskId};

use crate::dice::Dice;

/// The most that is paid for a task.
const LIMIT: i64 = 9;
/// The number of different prices. They are few, because ties are what is hard.
const PRICES: u64 = 4;

#[test]
fn slow_and_fast_auctions_agree_and_another_winner_is_noticed() {
    let (mut dice, mut noticed) = (Dice::new(7), 0);
    let market = "jobs".parse().unwrap();

    for _ in 0..300 {
        let auction = auction(&mut dice, &market);

        for kind in [&FirstPrice as &dyn Mechanism, &SecondPrice, &Optimal] {
            let won = auction.again(kind);
            assert_eq!(winners(&auction, &kind.label(), &won), Ok(None));

            for at in 0..won.len() {
                let mut other = won.clone();
                other[at].agent = PublicKey([77; 32]);
                assert!(winners(&auction, &kind.label(), &other).is_err());

                other.remove(at);
                assert!(winners(&auction, &kind.label(), &other).is_err());
                noticed += 1;
            }
        }
    }

    assert!(noticed > 300, "{noticed}");
}

/// A random round of at most five tasks and four agents.
fn auction<'a>(dice: &mut Dice, market: &'a quorate_types::Label) -> ModelAuction<'a> {
    let one: Amounts = [("slots".parse().unwrap(), 1)].into();
    let task = |number| TaskId {
        requester: PublicKey([9; 32]),
        number,
    };

    let tasks = 1 + dice.below(5);
    let agents = 1 + dice.below(4) as u8;

    let mut bids = Vec::new();
    for number in 0..tasks {
        for agent in (0..agents).filter(|_| dice.chance(700)).collect::<Vec<_>>() {
            let price = dice.below(PRICES) as i64;
            bids.push(Bid {
                task: task(number),
                agent: PublicKey([agent; 32]),
                price,
            });
        }
    }

    let slots = |agent| i64::from(1 + agent % 2);

    let budget = |agent| {
        one.keys()
            .map(|name| (name.clone(), slots(agent)))
            .collect()
    };

    let bidder = |agent| Bidder {
        agent: PublicKey([agent; 32]),
        budget: budget(agent),
    };

    ModelAuction {
        swarm: SwarmId([3; 32]),
        market,
        tasks: (0..tasks)
            .map(|number| (task(number), (one.clone(), LIMIT)))
            .collect::<BTreeMap<_, _>>(),
        bidders: (0..agents).map(bidder).collect(),
        bids,
        solutions: Vec::new(),
    }
}
