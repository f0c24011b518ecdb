//! Windows and clearings: when bids are taken, which bids may win, and what the record binds.

use crate::common::*;
use quorate_crypto::merkle;
use quorate_ledger::Ledger;
use quorate_types::genesis::GenesisError;
use quorate_types::operation::{OperationBody, Revoke};
use quorate_types::outcome::ClearingInput;
use quorate_types::*;

#[test]
fn m6_a_window_closes_when_builders_of_more_than_a_third_were_heard_and_its_time_has_passed() {
    let mut world = World::with_drones([1]);
    let task = world.submit(vec![spec("drones")])[0];
    world.step();
    world.bid(1, "drones", &[(task, 7)]);
    // The minimum time has passed with the first block after the opening. But one builder of four
    // does not hold more than a third of the power, and a second block of its own adds nothing.
    let builder = world
        .ledger
        .proposers()
        .proposer(world.ledger.height() + 1, 0);
    let again = |world: &World| {
        let height = world.ledger.height() + 1;
        let by_builder =
            |round: &Round| world.ledger.proposers().proposer(height, *round) == builder;
        (0..4).find(by_builder).unwrap()
    };
    let (block, _) = world.propose_at(world.ledger.block_time() + 400, 0);
    assert!(world.decide(block).dossiers.is_empty());
    assert_eq!(world.ledger.next_due(), Some(world.ledger.block_time() + 1));
    let round = again(&world);
    let (block, _) = world.propose_at(world.ledger.block_time() + 1, round);
    assert!(world.decide(block).dossiers.is_empty());
    let committed = world.step();
    assert_eq!(assignments(&committed)[0].agent, key(1).public_key());
}

#[test]
fn m6_a_window_needs_its_time_even_if_all_have_built_and_a_trusted_one_needs_only_time() {
    let mut world = World::with_drones([1, 2]);
    let tasks = world.submit(vec![spec("drones"), spec("spot")]);
    world.step();
    world.bid(1, "drones", &[(tasks[0], 7)]);
    world.bid(2, "spot", &[(tasks[1], 7)]);
    for step in 1..=5 {
        let (block, _) = world.propose_at(world.ledger.block_time() + 50, 0);
        assert!(world.decide(block).dossiers.is_empty(), "{step}");
    }
    let left = 50;
    assert_eq!(
        world.ledger.next_due(),
        Some(world.ledger.block_time() + left)
    );
    let (block, _) = world.propose_at(world.ledger.block_time() + left, 0);
    assert_eq!(world.decide(block).dossiers.len(), 2);
    let mut trusted = World::with_drones([1]);
    let task = trusted.submit(vec![spec("spot")])[0];
    trusted.step();
    trusted.bid(1, "spot", &[(task, 7)]);
    let (block, _) = trusted.propose_at(trusted.ledger.block_time() + 300, 0);
    assert_eq!(assignments(&trusted.decide(block)).len(), 1);
}

#[test]
fn m6_bids_in_the_block_that_closes_the_window_count_and_idle_windows_are_not_due() {
    let mut world = World::with_drones([1, 2]);
    let task = world.submit(vec![spec("drones")])[0];
    for _ in 0..5 {
        assert!(world.step().dossiers.is_empty());
        assert_eq!(world.ledger.next_due(), None);
    }
    world.bid(1, "drones", &[(task, 9)]);
    world.bid(2, "drones", &[(task, 8)]);
    let committed = world.step();
    assert_eq!(assignments(&committed)[0].agent, key(2).public_key());
    // No task is left open, so the window is closed and the budget of the loser is free.
    let window = world
        .ledger
        .windows()
        .into_iter()
        .find(|w| w.market == label("drones"));
    assert_eq!(window.unwrap().opened, None);
    world.assigned(1);
}

#[test]
fn m7_due_tasks_clear_together_and_what_is_left_waits_for_the_next_window() {
    let mut world = World::with_drones([1, 2]);
    let tasks = world.submit(vec![spec("drones"); 3]);
    world.step();
    // Agent 1 is the cheapest for each task. But it has one slot, and the least sum for two tasks
    // is 2 + 2.
    world.bid(1, "drones", &[(tasks[0], 1), (tasks[1], 2), (tasks[2], 50)]);
    world.bid(2, "drones", &[(tasks[0], 2), (tasks[1], 9)]);
    let committed = world.until_clearing("drones");
    let won: Vec<_> = assignments(&committed)
        .iter()
        .map(|won| (won.task, won.agent, won.price))
        .collect();
    let expected = [
        (tasks[0], key(2).public_key(), 2),
        (tasks[1], key(1).public_key(), 2),
    ];
    assert_eq!(won, expected);
    assert_eq!(world.state_of(tasks[2]), "open");
    // M-8: the bid on the task that is left has ended with the window.
    let windows = world.ledger.windows();
    let window = windows
        .iter()
        .find(|window| window.market == label("drones"))
        .unwrap();
    assert_eq!((window.number, window.opened), (1, Some(committed.height)));
    assert_eq!((window.open_tasks, window.live_bids), (1, 0));
}

/// M-11: the record binds all inputs. M-16: an assignment names the record and the attestations in
/// force. L-8: the record comes first, and each outcome is a leaf.
#[test]
fn m11_the_record_binds_every_input_and_the_assignments_name_the_record() {
    let mut world = World::with_drones([1, 2]);
    let tasks = world.submit(vec![spec("drones"); 2]);
    world.step();
    let first = world.bid(1, "drones", &[(tasks[0], 1), (tasks[1], 2)]);
    let second = world.bid(2, "drones", &[(tasks[0], 3), (tasks[1], 2000)]);
    let committed = world.until_clearing("drones");
    let [dossier] = &committed.dossiers[..] else {
        panic!("one dossier")
    };
    let leaves: Vec<_> = dossier.inputs.iter().map(cbor::encode).collect();
    assert_eq!(dossier.record.inputs, merkle::root(&leaves));
    assert_eq!(dossier.record.input_count, 8);
    assert_eq!((dossier.record.assigned, dossier.record.total), (2, 5));
    let bids = dossier.inputs.iter().filter_map(|input| match input {
        ClearingInput::Bid(bid) => Some((bid.task, bid.price, bid.operation, bid.excluded)),
        _ => None,
    });
    let mut expected = vec![
        (tasks[0], Some(1), first, None),
        (tasks[0], Some(3), second, None),
        (tasks[1], Some(2), first, None),
        (tasks[1], Some(2000), second, Some(Reason::PriceTooHigh)),
    ];
    if key(2).public_key() < key(1).public_key() {
        expected.swap(0, 1);
        expected.swap(2, 3);
    }
    assert_eq!(bids.collect::<Vec<_>>(), expected);
    assert_eq!(
        committed.outcomes[0],
        Outcome::Clearing(dossier.record.clone())
    );
    for assignment in assignments(&committed) {
        assert_eq!(assignment.clearing, dossier.record.hash());
        assert_eq!(assignment.attestations.len(), 1);
    }
    let leaves: Vec<_> = committed.outcomes.iter().map(cbor::encode).collect();
    assert_eq!(committed.leaves, leaves);
}

#[test]
fn m9_eligibility_is_judged_at_clearing_by_what_is_attested() {
    let mut world = World::with_drones([1, 2]);
    world.admit(3, Capabilities::new().amount("slots", 1).unwrap());
    world.step();
    let mut heavy = spec("spot");
    heavy.requires = Capabilities::new()
        .label("drone")
        .unwrap()
        .amount("payload_g", 600)
        .unwrap();
    let mut range = spec("spot");
    range.demand = Amounts::from([(label("range_m"), 10)]);
    let mut light = spec("spot");
    light.requires = Capabilities::new().label("drone").unwrap();
    let mut cheap = spec("spot");
    cheap.max_price = Some(3);
    let mut bulky = spec("spot");
    bulky.demand = slots(2);
    let tasks = world.submit(vec![heavy, range, light, cheap, bulky]);
    world.step();
    let offers: Vec<_> = tasks.iter().map(|task| (*task, 4)).collect();
    // Both bids claim too much: agent 1 reserves a range that nobody attested, and agent 3 is not a
    // drone.
    let budget = Amounts::from([(label("slots"), 1), (label("range_m"), 100)]);
    let liar = world.bid_under(1, "spot", budget, &offers);
    let other = world.bid(3, "spot", &offers);
    let committed = world.until_clearing("spot");
    let reasons = |operation| {
        let found = refusals(&committed)
            .into_iter()
            .find(|r| r.operation == operation)
            .unwrap();
        found
            .items
            .iter()
            .map(|(task, reason)| (task.unwrap().number, *reason))
            .collect::<Vec<_>>()
    };
    use Reason::{AmountTooLow, CapabilityNotAttested, OverBudget, PriceTooHigh};
    let expected = [
        (0, AmountTooLow),
        (1, CapabilityNotAttested),
        (3, PriceTooHigh),
        (4, OverBudget),
    ];
    assert_eq!(reasons(liar), expected);
    let expected = [
        (0, CapabilityNotAttested),
        (1, CapabilityNotAttested),
        (2, CapabilityNotAttested),
        (3, PriceTooHigh),
        (4, OverBudget),
    ];
    assert_eq!(reasons(other), expected);
    assert_eq!(assignments(&committed)[0].task, tasks[2]);
    // M-10: the budget is cut to what is free: nothing in a dimension that is not attested.
    let budgets = committed.dossiers[0]
        .inputs
        .iter()
        .filter_map(|input| match input {
            ClearingInput::Bidder(bidder) if bidder.agent == key(1).public_key() => {
                Some(&bidder.budget)
            }
            _ => None,
        });
    assert_eq!(
        budgets.collect::<Vec<_>>(),
        [&Amounts::from([(label("slots"), 1), (label("range_m"), 0)])]
    );
}

#[test]
fn m9_a_revocation_in_the_clearing_block_comes_first() {
    let mut world = World::with_drones([1]);
    let task = world.submit(vec![spec("spot")])[0];
    world.step();
    world.bid(1, "spot", &[(task, 4)]);
    world.step();
    let subject = key(1).public_key();
    let attestation = world.attestation(subject, drone(1)).id();
    world.say(
        &attester(),
        OperationBody::Revoke(Revoke {
            subject,
            attestation,
        }),
    );
    let committed = world.step();
    assert_eq!(committed.dossiers.len(), 1);
    assert_eq!(
        refusals(&committed)[0].items,
        [(Some(task), Reason::CapabilityNotAttested)]
    );
    assert!(assignments(&committed).is_empty());
}

#[test]
fn m12_first_price_gives_an_agent_as_many_tasks_as_its_budget_holds() {
    let mut world = World::with_drones([]);
    world.admit(1, drone(2));
    let tasks = world.submit(vec![spec("spot"); 3]);
    world.step();
    let offers: Vec<_> = tasks.iter().map(|task| (*task, 4)).collect();
    world.bid_under(1, "spot", slots(2), &offers);
    let committed = world.until_clearing("spot");
    assert_eq!(assignments(&committed).len(), 2);
    let more = world.bid(1, "spot", &[(tasks[2], 4)]);
    assert_eq!(reason_of(&world.step(), more), Some(Reason::BudgetExceeded));
}

#[test]
fn m4_a_later_bid_replaces_the_earlier_one_and_a_refused_one_does_not() {
    let mut world = World::with_drones([1]);
    let tasks = world.submit(vec![spec("spot"); 2]);
    world.step();
    world.bid(1, "spot", &[(tasks[0], 4), (tasks[1], 4)]);
    world.bid(1, "spot", &[(tasks[1], 9)]);
    world.bid_under(1, "spot", slots(7), &[(tasks[0], 1)]);
    let committed = world.until_clearing("spot");
    let won: Vec<_> = assignments(&committed)
        .iter()
        .map(|won| (won.task, won.price))
        .collect();
    assert_eq!(won, [(tasks[1], 9)]);
}

#[test]
fn a_task_taken_away_ends_the_bids_on_it() {
    let mut world = World::with_drones([1]);
    let tasks = world.submit(vec![spec("drones"); 2]);
    world.step();
    world.bid(1, "drones", &[(tasks[0], 4)]);
    world.cancel(tasks[0]);
    // L-4: in a block the phase of cancel comes before that of bids, so the bid is too late.
    let committed = world.step();
    assert_eq!(
        refusals(&committed)[0].items,
        [(Some(tasks[0]), Reason::LateBid)]
    );
    world.bid(1, "drones", &[(tasks[1], 4)]);
    world.step();
    world.cancel(tasks[1]);
    world.step();
    assert!(world.ledger.index_is_consistent());
    assert_eq!(world.ledger.next_due(), None);
    // The reservation ended with the last live bid, so the slot is free for another market.
    world.assigned(1);
}

#[test]
fn m7_tasks_beyond_one_clearing_take_their_turn() {
    let mut world = World::with_drones([1]);
    for _ in 0..17 {
        world.submit(vec![spec("spot"); 64]);
        world.step();
    }
    let first = world.ledger.open_tasks(&label("spot"), 1)[0].0;
    world.bid(1, "spot", &[(first, 2000)]);
    let committed = world.until_clearing("spot");
    let record = &committed.dossiers[0].record;
    assert_eq!((record.input_count, record.assigned), (1024 + 2, 0));
    let open = world.ledger.open_tasks(&label("spot"), 2000);
    assert_eq!(open.len(), 17 * 64);
    // The tasks that were in the clearing stand behind all others now.
    assert_eq!(open[64].0, first);
    assert!(world.ledger.index_is_consistent());
}

#[test]
fn m17_a_ledger_does_not_begin_with_a_mechanism_that_is_not_there() {
    let mut unknown = genesis();
    unknown.markets[0].mechanism = label("coin-toss");
    let market = unknown.markets[0].name.clone();
    let error = GenesisError::Mechanism {
        market,
        mechanism: label("coin-toss"),
    };
    assert_eq!(Ledger::genesis(unknown).unwrap_err(), error);
}
