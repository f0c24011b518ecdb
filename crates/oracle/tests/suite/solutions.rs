//! A test of the oracle's choice among solutions against the product's, on many small rounds.

use std::collections::BTreeMap;

use quorate_market::Mechanism;
use quorate_market::mechanisms::Gap;
use quorate_oracle::{Bid, Bidder, ModelAuction, winners};
use quorate_types::operation::Pair;
use quorate_types::outcome::SolutionInput;
use quorate_types::{Amounts, OperationId, PublicKey, SwarmId, TaskId};

use crate::dice::Dice;

#[test]
fn m31_the_best_of_what_is_found_and_proposed_wins() {
    let (mut dice, mut taken) = (Dice::new(11), 0);
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
