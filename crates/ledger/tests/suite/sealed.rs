//! Sealed bids: the four properties of arXiv:2606.14939, and the clauses M-23 to M-27.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test's helpers may fail the test"
)]

use crate::common::*;
use quorate_types::operation::{Opening, OperationBody, Reveal, Seal, SealedOffer, Withdraw};
use quorate_types::outcome::ClearingInput;
use quorate_types::*;

/// A world whose market `quiet` takes sealed bids and clears by second price.
fn world(agents: impl IntoIterator<Item = u8>) -> World {
    let mut genesis = genesis();
    let quiet = Market {
        reveal_ms: Some(300),
        ..market("quiet", "second-price", false)
    };
    genesis.markets.push(quiet);
    genesis.markets.sort_by(|a, b| a.name.cmp(&b.name));
    let mut world = World::with(genesis);
    world.admit(50, Capabilities::new());
    for number in agents {
        world.admit(number, drone(1));
    }
    world.step();
    world
}

fn window(world: &World) -> quorate_ledger::WindowView {
    let windows = world.ledger.windows();
    windows
        .into_iter()
        .find(|window| window.market == label("quiet"))
        .unwrap()
}

fn opening(task: TaskId, price: Price, nonce: u8) -> Opening {
    Opening {
        task,
        price,
        nonce: Nonce([nonce; 32]),
    }
}

/// Agent `number` commits to offers. The nonce of each repeats the number.
fn seal(world: &mut World, number: u8, offers: &[(TaskId, Price)]) -> OperationId {
    let (swarm, agent) = (world.ledger.swarm(), key(number).public_key());
    let offers = offers.iter().map(|(task, price)| SealedOffer {
        task: *task,
        commitment: opening(*task, *price, number).commitment(&swarm, &agent),
    });
    let (offers, window) = (offers.collect(), window(world).number);
    let seal = Seal {
        market: label("quiet"),
        window,
        budget: slots(1),
        offers,
    };
    world.say(&key(number), OperationBody::Seal(seal))
}

fn reveal(world: &mut World, number: u8, openings: Vec<Opening>) -> OperationId {
    let window = window(world).number;
    let reveal = Reveal {
        market: label("quiet"),
        window,
        openings,
    };
    world.say(&key(number), OperationBody::Reveal(reveal))
}

/// Steps until commitments can be opened. Returns the height.
fn until_opening(world: &mut World) -> Height {
    for _ in 0..20 {
        let height = world.step().height;
        if window(world).stage == Stage::Openings {
            return height;
        }
    }
    panic!("no opening within 20 blocks");
}

fn one_task(world: &mut World) -> TaskId {
    let task = world.submit(vec![spec("quiet")])[0];
    world.step();
    task
}

#[test]
fn hiding_nothing_but_the_nonce_tells_a_price_and_a_copy_is_worth_nothing() {
    let mut world = world([1, 2]);
    let task = one_task(&mut world);
    let (swarm, one, two) = (
        world.ledger.swarm(),
        key(1).public_key(),
        key(2).public_key(),
    );
    let secret = opening(task, 7, 1).commitment(&swarm, &one);
    // The hash covers the nonce and the agent too: nobody can try prices, and a copy by another
    // agent is of no use.
    assert_ne!(secret, opening(task, 7, 2).commitment(&swarm, &one));
    assert_ne!(secret, opening(task, 7, 1).commitment(&swarm, &two));
    assert_ne!(secret, opening(task, 8, 1).commitment(&swarm, &one));
    seal(&mut world, 1, &[(task, 7)]);
    let copied = vec![SealedOffer {
        task,
        commitment: secret,
    }];
    let copy = Seal {
        market: label("quiet"),
        window: 0,
        budget: slots(1),
        offers: copied,
    };
    world.say(&key(2), OperationBody::Seal(copy));
    until_opening(&mut world);
    // The owner opens first. The copier reveals the same, which does not open its commitment.
    reveal(&mut world, 1, vec![opening(task, 7, 1)]);
    let stolen = reveal(&mut world, 2, vec![opening(task, 7, 1)]);
    let committed = world.step();
    assert_eq!(reason_of(&committed, stolen), Some(Reason::WrongOpening));
    let committed = world.until_clearing("quiet");
    assert_eq!(assignments(&committed)[0].agent, one);
}

#[test]
fn simultaneous_release_no_price_is_shown_while_one_can_still_be_made() {
    let mut world = world([1, 2]);
    let task = one_task(&mut world);
    seal(&mut world, 1, &[(task, 7)]);
    world.step();
    // It is too early: the opening does not count, although it has shown the price.
    let early = reveal(&mut world, 1, vec![opening(task, 7, 1)]);
    assert_eq!(reason_of(&world.step(), early), Some(Reason::NotOpening));
    until_opening(&mut world);
    // The next block is the first that can hold an opening; no commitment is taken in it.
    let late = seal(&mut world, 2, &[(task, 6)]);
    reveal(&mut world, 1, vec![opening(task, 7, 1)]);
    let committed = world.step();
    assert_eq!(reason_of(&committed, late), Some(Reason::LateBid));
    assert_eq!(assignments(&committed)[0].agent, key(1).public_key());
}

#[test]
fn simultaneous_release_the_window_rule_holds_for_both_parts() {
    let mut world = world([1, 2]);
    let task = one_task(&mut world);
    seal(&mut world, 1, &[(task, 7)]);
    seal(&mut world, 2, &[(task, 9)]);
    for _ in 0..3 {
        world.step_of_one_builder();
        assert_eq!(
            window(&world).stage,
            Stage::Bids,
            "one builder of four could have kept a bid out"
        );
    }
    until_opening(&mut world);
    reveal(&mut world, 1, vec![opening(task, 7, 1)]);
    for _ in 0..3 {
        assert!(
            world.step_of_one_builder().dossiers.is_empty(),
            "one builder of four could have kept an opening out"
        );
    }
    assert_eq!(world.until_clearing("quiet").dossiers.len(), 1);
}

#[test]
fn no_free_withdrawal_silence_is_a_default_counted_once_and_costs_the_next_window() {
    let mut world = world([1, 2]);
    let task = one_task(&mut world);
    seal(&mut world, 1, &[(task, 7)]);
    let silent = seal(&mut world, 2, &[(task, 3)]);
    until_opening(&mut world);
    // M-5: the window takes no more bids, so none can be withdrawn.
    let withdraw = OperationBody::Withdraw(Withdraw {
        market: label("quiet"),
    });
    let withdrawn = world.say(&key(2), withdraw);
    reveal(&mut world, 1, vec![opening(task, 7, 1)]);
    assert_eq!(
        reason_of(&world.step(), withdrawn),
        Some(Reason::WithdrawLate)
    );
    assert_eq!(
        world.ledger.account(&key(2).public_key()).unwrap().defaults,
        0
    );
    let committed = world.until_clearing("quiet");
    // The unopened commitment is in the dossier with its reason, and in a refusal.
    let bids = committed.dossiers[0]
        .inputs
        .iter()
        .filter_map(|input| match input {
            ClearingInput::Bid(bid) => Some((bid.agent, bid.price, bid.excluded)),
            _ => None,
        });
    let two = key(2).public_key();
    assert!(
        bids.clone()
            .any(|bid| bid == (two, None, Some(Reason::Unopened)))
    );
    assert_eq!(bids.count(), 2);
    assert_eq!(reason_of(&committed, silent), Some(Reason::Unopened));
    assert_eq!(assignments(&committed)[0].agent, key(1).public_key());
    let account = world.ledger.account(&two).unwrap();
    assert_eq!(account.defaults, 1);
    assert_eq!(account.barred_until, world.ledger.active_time() + 600);
    let next = one_task(&mut world);
    let barred = seal(&mut world, 2, &[(next, 3)]);
    assert_eq!(reason_of(&world.step(), barred), Some(Reason::Barred));
    while world.ledger.active_time() < account.barred_until {
        world.step();
    }
    seal(&mut world, 2, &[(next, 3)]);
    assert!(refusals(&world.step()).is_empty());
    assert_eq!(window(&world).live_bids, 1);
}

#[test]
fn no_free_withdrawal_before_the_first_opening_it_is_free() {
    let mut world = world([1]);
    let task = one_task(&mut world);
    seal(&mut world, 1, &[(task, 7)]);
    world.step();
    world.say(
        &key(1),
        OperationBody::Withdraw(Withdraw {
            market: label("quiet"),
        }),
    );
    assert!(refusals(&world.step()).is_empty());
    assert_eq!(window(&world).live_bids, 0);
    assert_eq!(
        world.ledger.account(&key(1).public_key()).unwrap().defaults,
        0
    );
}

#[test]
fn participation_efficiency_who_is_silent_keeps_nobody_from_trading() {
    let mut world = world([1, 2, 3]);
    let tasks = world.submit(vec![spec("quiet"); 2]);
    world.step();
    seal(&mut world, 1, &[(tasks[0], 7), (tasks[1], 8)]);
    seal(&mut world, 2, &[(tasks[0], 9), (tasks[1], 9)]);
    seal(&mut world, 3, &[(tasks[0], 1), (tasks[1], 1)]);
    until_opening(&mut world);
    reveal(
        &mut world,
        1,
        vec![opening(tasks[0], 7, 1), opening(tasks[1], 8, 1)],
    );
    reveal(
        &mut world,
        2,
        vec![opening(tasks[0], 9, 2), opening(tasks[1], 9, 2)],
    );
    let committed = world.until_clearing("quiet");
    let won: Vec<_> = assignments(&committed)
        .iter()
        .map(|won| (won.agent, won.price))
        .collect();
    // Agent 1 is paid the second price. Then no rival with a free slot is left, so agent 2 is paid
    // the limit.
    assert_eq!(
        won,
        [(key(1).public_key(), 9), (key(2).public_key(), 1_000)]
    );
}

#[test]
fn participation_efficiency_nobody_is_waited_for_once_all_have_opened() {
    let mut world = world([1, 2]);
    let task = one_task(&mut world);
    seal(&mut world, 1, &[(task, 7)]);
    seal(&mut world, 2, &[(task, 9)]);
    until_opening(&mut world);
    reveal(&mut world, 1, vec![opening(task, 7, 1)]);
    reveal(&mut world, 2, vec![opening(task, 9, 2)]);
    let committed = world.step();
    assert_eq!(assignments(&committed)[0].price, 9);
    assert_eq!(window(&world).stage, Stage::Bids);
    assert_eq!(window(&world).number, 1);
}

#[test]
fn m23_a_market_takes_bids_of_one_form() {
    let mut world = world([1]);
    let tasks = world.submit(vec![spec("quiet"), spec("drones")]);
    world.step();
    let open = world.bid(1, "quiet", &[(tasks[0], 7)]);
    assert_eq!(reason_of(&world.step(), open), Some(Reason::WrongForm));
    let commitment = Hash([1; 32]);
    let offers = vec![SealedOffer {
        task: tasks[1],
        commitment,
    }];
    let seal = Seal {
        market: label("drones"),
        window: 0,
        budget: slots(1),
        offers,
    };
    let sealed = world.say(&key(1), OperationBody::Seal(seal));
    assert_eq!(reason_of(&world.step(), sealed), Some(Reason::WrongForm));
}

#[test]
fn m24_one_commitment_for_an_agent_and_a_task_the_last_before_the_end() {
    let mut world = world([1]);
    let task = one_task(&mut world);
    let (swarm, agent) = (world.ledger.swarm(), key(1).public_key());
    seal(&mut world, 1, &[(task, 7)]);
    let commitment = opening(task, 5, 9).commitment(&swarm, &agent);
    let offers = vec![SealedOffer { task, commitment }];
    let again = Seal {
        market: label("quiet"),
        window: 0,
        budget: slots(1),
        offers,
    };
    world.say(&key(1), OperationBody::Seal(again));
    until_opening(&mut world);
    let first = reveal(&mut world, 1, vec![opening(task, 7, 1)]);
    assert_eq!(reason_of(&world.step(), first), Some(Reason::WrongOpening));
    reveal(&mut world, 1, vec![opening(task, 5, 9)]);
    let committed = world.step();
    assert_eq!(assignments(&committed)[0].agent, agent);
    // A commitment for a window that is over is late.
    let next = one_task(&mut world);
    let commitment = opening(next, 5, 9).commitment(&swarm, &agent);
    let offers = vec![SealedOffer {
        task: next,
        commitment,
    }];
    let stale = Seal {
        market: label("quiet"),
        window: 0,
        budget: slots(1),
        offers,
    };
    let stale = world.say(&key(1), OperationBody::Seal(stale));
    assert_eq!(reason_of(&world.step(), stale), Some(Reason::LateBid));
}

#[test]
fn m25_a_second_part_without_commitments_gives_way_to_a_new_window() {
    let mut world = world([1]);
    let tasks = world.submit(vec![spec("quiet"); 2]);
    world.step();
    seal(&mut world, 1, &[(tasks[0], 7)]);
    until_opening(&mut world);
    world.cancel(tasks[0]);
    world.step();
    let now = window(&world);
    assert_eq!((now.number, now.stage, now.live_bids), (1, Stage::Bids, 0));
    assert_eq!(
        world.ledger.account(&key(1).public_key()).unwrap().defaults,
        0
    );
    assert!(world.ledger.index_is_consistent());
    seal(&mut world, 1, &[(tasks[1], 7)]);
    until_opening(&mut world);
    reveal(&mut world, 1, vec![opening(tasks[1], 7, 1)]);
    assert_eq!(assignments(&world.step()).len(), 1);
}

/// A client does not bid again in a window whose commitments it has opened. If a later window had
/// the same number, the client would never bid in it.
#[test]
fn m25_nor_does_the_number_of_a_window_come_back_when_its_last_task_ends() {
    let mut world = world([1]);
    let only = one_task(&mut world);
    seal(&mut world, 1, &[(only, 7)]);
    until_opening(&mut world);
    let before = window(&world).number;
    world.cancel(only);
    world.step();
    let now = window(&world);
    assert_eq!(
        (now.number, now.stage, now.live_bids),
        (before + 1, Stage::Bids, 0)
    );
    let next = one_task(&mut world);
    assert_eq!(window(&world).number, before + 1);
    seal(&mut world, 1, &[(next, 7)]);
    until_opening(&mut world);
    assert_eq!(window(&world).number, before + 1);
}

#[test]
fn m26_budgets_of_commitments_are_public_and_reserved_until_the_clearing() {
    let mut world = world([1]);
    let tasks = world.submit(vec![spec("quiet"), spec("drones")]);
    world.step();
    seal(&mut world, 1, &[(tasks[0], 7)]);
    world.step();
    let twice = world.bid(1, "drones", &[(tasks[1], 7)]);
    assert_eq!(
        reason_of(&world.step(), twice),
        Some(Reason::BudgetExceeded)
    );
    until_opening(&mut world);
    reveal(&mut world, 1, vec![opening(tasks[0], 2_000, 1)]);
    // The price is above the reserve price: the bid loses, and its budget is free again.
    assert!(assignments(&world.step()).is_empty());
    world.bid(1, "drones", &[(tasks[1], 7)]);
    assert_eq!(assignments(&world.until_clearing("drones")).len(), 1);
    assert!(world.ledger.index_is_consistent());
}
