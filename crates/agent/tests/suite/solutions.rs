//! Solving a market as a light client: when it believes that solutions are wanted, how it fetches
//! the bids, and which solutions it proposes (M-28 to M-31, W-16).

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test's helpers"
)]

use std::sync::Arc;

use crate::common::fetching::{Fetching, decided};
use crate::common::{World, key, label};
use quorate_agent::{ClientAction, ClientError, ClientEvent, StandingBids};
use quorate_types::cose::Owned;
use quorate_types::message::{Answer, Call, ClientRequest, FetchBids, Notice, Part, Request};
use quorate_types::operation::{Pair, Solve};
use quorate_types::outcome::{BidInput, BidderInput, ClearingInput, SolutionInput, TaskInput};
use quorate_types::{
    Amounts, Hash, OperationBody, OperationId, PublicKey, SignedOperation, Stage, TaskId, cbor,
    limits,
};

/// The only window whose bids the validators of these tests have.
const WINDOW: u64 = 4;

fn task(number: u64) -> TaskId {
    TaskId {
        requester: key(10).public_key(),
        number,
    }
}

fn agent() -> PublicKey {
    key(20).public_key()
}

fn amounts(slots: i64) -> Amounts {
    Amounts::from([(label("slots"), slots)])
}

fn bid(number: u64, price: i64) -> ClearingInput {
    let (operation, excluded) = (OperationId([0; 32]), None);
    let (task, agent, price) = (task(number), agent(), Some(price));
    ClearingInput::Bid(BidInput {
        task,
        agent,
        price,
        operation,
        excluded,
    })
}

fn task_input(number: u64) -> ClearingInput {
    let (task, demand) = (task(number), amounts(1));
    ClearingInput::Task(TaskInput {
        task,
        spec: Hash::ZERO,
        demand,
        limit: 9,
    })
}

fn bidder(slots: i64) -> ClearingInput {
    ClearingInput::Bidder(BidderInput {
        agent: agent(),
        budget: amounts(slots),
    })
}

fn solution(by: u8, tasks: u64) -> ClearingInput {
    let pairs = (0..tasks)
        .map(|number| Pair {
            task: task(number),
            agent: agent(),
        })
        .collect();
    let operation = OperationId([by; 32]);
    ClearingInput::Solution(SolutionInput {
        agent: PublicKey([by; 32]),
        operation,
        pairs,
    })
}

/// The inputs of a clearing: `tasks` tasks with one bid each, one bidder, and one solution.
fn inputs(tasks: u64) -> Vec<ClearingInput> {
    let bids = (0..tasks).map(|number| bid(number, 7));
    let tasks = (0..tasks).map(task_input);
    tasks
        .chain([bidder(1)])
        .chain(bids)
        .chain([solution(1, 1)])
        .collect()
}

/// The part that a correct validator sends; `None` for another market or window.
fn part(whole: &[u8], wanted: &FetchBids) -> Option<Part> {
    let rest = whole.get(wanted.from as usize..)?;
    let part = rest[..rest.len().min(limits::PART_BYTES)].to_vec();
    let is_here = wanted.market == label("jobs") && wanted.window == WINDOW;
    is_here.then_some(Part {
        total: whole.len() as u64,
        bytes: Owned(part),
    })
}

fn fetch(fetching: &mut Fetching, window: u64) {
    fetching
        .client
        .fetch_bids(label("jobs"), window, fetching.now);
    fetching.drain();
}

/// Answers as a correct validator does until no question is open. Returns the validator, which must
/// be the same for all questions.
fn say_all(fetching: &mut Fetching, inputs: &[ClearingInput]) -> PublicKey {
    let (whole, first) = (cbor::encode(&inputs.to_vec()), fetching.asked[0].0);
    while !fetching.asked.is_empty() {
        let (to, ClientRequest { id, request }) = fetching.question();
        assert_eq!(to, first);
        let Request::Bids(wanted) = request else {
            panic!("{request:?}")
        };
        fetching.answer(to, id, Answer::Bids(part(&whole, &wanted)));
    }
    first
}

fn answers(fetching: &Fetching) -> Vec<Option<Arc<StandingBids>>> {
    let found = fetching.events.iter().filter_map(|event| match event {
        ClientEvent::StandingBids { market, found, .. } if *market == label("jobs") => {
            Some(found.clone())
        }
        _ => None,
    });
    found.collect()
}

fn found(fetching: &Fetching) -> Arc<StandingBids> {
    let answers = answers(fetching);
    let [Some(found)] = &answers[..] else {
        panic!("{answers:?}")
    };
    Arc::clone(found)
}

#[test]
fn w16_what_is_to_be_solved_comes_in_parts_and_by_its_kinds() {
    let (world, mut inputs) = (decided(), inputs(limits::TASKS_PER_CLEARING as u64));
    inputs.extend([solution(2, 900), solution(3, 900)]);
    assert!(
        cbor::encode(&inputs).len() > limits::PART_BYTES,
        "the inputs must need more than one part"
    );
    let mut fetching = Fetching::new(&world);
    fetch(&mut fetching, WINDOW);
    fetch(&mut fetching, WINDOW);
    say_all(&mut fetching, &inputs);
    let StandingBids {
        tasks,
        bidders,
        bids,
        solutions,
    } = &*found(&fetching);
    let again = tasks.iter().cloned().map(ClearingInput::Task);
    let again = again.chain(bidders.iter().cloned().map(ClearingInput::Bidder));
    let again = again.chain(bids.iter().cloned().map(ClearingInput::Bid));
    let again = again.chain(solutions.iter().cloned().map(ClearingInput::Solution));
    assert!(again.eq(inputs));
}

/// A lie costs its sender the turn: the client asks another validator and gets the true bids. The
/// inputs must be in the order of C-16.
#[test]
fn w16_a_lie_is_seen_and_the_next_is_asked() {
    let (world, whole) = (decided(), inputs(3));
    let encoded = cbor::encode(&whole);
    let part = |total: usize, bytes: &[u8]| Part {
        total: total as u64,
        bytes: Owned(bytes.into()),
    };
    let of = |inputs: Vec<ClearingInput>| {
        let bytes = cbor::encode(&inputs);
        part(bytes.len(), &bytes)
    };
    let with = |input: ClearingInput| of(whole.iter().cloned().chain([input]).collect());
    let solutions = (1..=5).map(|by| solution(by, 1)).collect();
    let ClearingInput::Task(mut idle) = task_input(0) else {
        panic!("not a task")
    };
    idle.demand.clear();
    let idle = ClearingInput::Task(idle);
    let table = [
        ("bytes that are no inputs", part(3, &[1, 2, 3])),
        ("nothing", part(encoded.len(), &[])),
        ("more than it says", part(encoded.len() - 1, &encoded)),
        (
            "more than there may be",
            part(limits::DOSSIER_BYTES + 1, &encoded),
        ),
        ("a task behind the others", with(task_input(9))),
        ("a task behind bids", of(vec![bid(0, 1), task_input(1)])),
        ("a bidder behind bids", of(vec![bid(0, 1), bidder(1)])),
        ("a bid behind solutions", with(bid(9, 1))),
        (
            "tasks that do not ascend",
            of(vec![task_input(1), task_input(0)]),
        ),
        ("a bidder twice", of(vec![bidder(1), bidder(1)])),
        ("a bid twice", of(vec![bid(0, 1), bid(0, 2)])),
        ("a task that takes nothing", of(vec![idle])),
        ("a price below all", of(vec![bid(0, -1)])),
        ("an amount above all", of(vec![bidder(limits::AMOUNT + 1)])),
        ("more solutions than are kept", of(solutions)),
        ("a solution of nothing", of(vec![solution(1, 0)])),
        (
            "two solutions of one agent",
            of(vec![solution(1, 1), solution(1, 1)]),
        ),
    ];
    for (what, lie) in table {
        let mut fetching = Fetching::new(&world);
        let unexpected = fetching.client.counters().unexpected;
        fetch(&mut fetching, WINDOW);
        let liar = fetching.say(Answer::Bids(Some(lie)));
        assert_eq!(
            fetching.client.counters().unexpected,
            unexpected + 1,
            "{what}"
        );
        assert_eq!(answers(&fetching), [], "{what}");
        let correct = say_all(&mut fetching, &whole);
        assert_ne!(correct, liar, "{what}");
        assert_eq!(found(&fetching).tasks.len(), 3, "{what}");
    }
}

#[test]
fn w16_who_sends_it_byte_by_byte_is_passed_over() {
    let (world, whole) = (decided(), inputs(3));
    let mut fetching = Fetching::new(&world);
    fetch(&mut fetching, WINDOW);
    let liar = fetching.asked[0].0;
    let byte = Part {
        total: limits::DOSSIER_BYTES as u64,
        bytes: Owned(vec![0]),
    };
    assert_eq!(fetching.say(Answer::Bids(Some(byte))), liar);
    assert_ne!(say_all(&mut fetching, &whole), liar);
    assert_eq!(found(&fetching).tasks.len(), 3);
}

#[test]
fn w16_who_is_slow_is_heard_while_nobody_else_has_answered() {
    let (world, whole) = (decided(), cbor::encode(&inputs(3)));
    let mut fetching = Fetching::new(&world);
    fetch(&mut fetching, WINDOW);
    let (slow, first) = fetching.question();
    while fetching.asked.is_empty() {
        fetching.tick();
    }
    assert_ne!(
        fetching.asked[0].0, slow,
        "a slow validator must be passed over"
    );
    let Request::Bids(wanted) = first.request else {
        panic!("the request must be for bids")
    };
    let late = part(&whole, &wanted);
    fetching.answer(slow, first.id, Answer::Bids(late.clone()));
    assert_eq!(found(&fetching).tasks.len(), 3);
    // The validator that was asked meanwhile answers too, but nobody waits for it any more.
    fetching.say(Answer::Bids(late));
    assert_eq!(answers(&fetching).len(), 1);
}

#[test]
fn w16_an_answer_to_something_else_is_none() {
    let (world, whole) = (decided(), inputs(3));
    let mut fetching = Fetching::new(&world);
    fetch(&mut fetching, WINDOW);
    let unexpected = fetching.client.counters().unexpected;
    let asked = fetching.say(Answer::Dossier(None));
    assert_eq!(fetching.client.counters().unexpected, unexpected + 1);
    while fetching.asked.is_empty() {
        fetching.tick();
    }
    assert_ne!(say_all(&mut fetching, &whole), asked);
    assert_eq!(found(&fetching).tasks.len(), 3);
}

#[test]
fn w16_who_is_silent_is_passed_over_within_two_intervals() {
    let (world, whole) = (decided(), inputs(3));
    let mut fetching = Fetching::new(&world);
    fetch(&mut fetching, WINDOW);
    let (silent, ClientRequest { id, .. }) = fetching.question();
    let asked_at = fetching.now;
    while fetching.asked.is_empty() {
        fetching.tick();
    }
    assert!(
        fetching.now <= asked_at + 2_000,
        "the next must be asked within two intervals"
    );
    assert_ne!(fetching.asked[0].0, silent);
    // A late answer must not be mixed with the answers of the next validator.
    fetching.answer(silent, id, Answer::Bids(None));
    say_all(&mut fetching, &whole);
    assert_eq!(found(&fetching).tasks.len(), 3);
}

#[test]
fn w16_in_the_end_there_is_an_answer_that_the_window_is_over() {
    let world = decided();
    let mut fetching = Fetching::new(&world);
    fetch(&mut fetching, WINDOW);
    let mut asked = Vec::new();
    while answers(&fetching).is_empty() {
        match fetching.asked.is_empty() {
            true => fetching.tick(),
            false => asked.push(fetching.say(Answer::Bids(None))),
        }
    }
    assert_eq!(answers(&fetching), [None]);
    for validator in &fetching.validators {
        let times = asked.iter().filter(|key| *key == validator).count();
        assert_eq!(
            times, 3,
            "the window may not have reached the validator yet"
        );
    }
}

#[test]
fn each_window_begins_with_another_validator() {
    let world = decided();
    let mut fetching = Fetching::new(&world);
    let mut first = std::collections::BTreeSet::new();
    for window in 0..4 {
        fetch(&mut fetching, window);
        first.insert(fetching.say(Answer::Bids(None)));
        fetching.asked.clear();
    }
    assert_eq!(
        first.len(),
        4,
        "the first validators must differ: a liar then spoils one window in four at most"
    );
}

/// Makes a world with one client that is a member; returns the index of the client.
fn member() -> (World, usize) {
    let mut world = World::new();
    let index = world.join(20);
    world.run(100, |w| w.clients[index].is_ready());
    (world, index)
}

fn call(window: u64, stage: Stage) -> Notice {
    let (market, height, tasks) = (label("jobs"), 1, Vec::new());
    Notice::Call(Call {
        market,
        window,
        height,
        stage,
        tasks,
    })
}

/// The windows for which the client has learned, since the last call, that solutions are wanted.
fn wanted(world: &mut World, client: usize) -> Vec<u64> {
    world.exchange();
    let windows = world.events[client]
        .drain(..)
        .filter_map(|event| match event {
            ClientEvent::Solve { market, window } if market == label("jobs") => Some(window),
            _ => None,
        });
    windows.collect()
}

#[test]
fn m28_that_solutions_are_wanted_is_believed_of_more_than_a_third_of_the_power() {
    let (mut world, client) = member();
    let (now, validators) = (world.now, world.validators.clone());
    let tell = |world: &mut World, from: usize, window, stage| {
        world.clients[client].handle_notice(validators[from], call(window, stage), now);
        wanted(world, client)
    };
    assert_eq!(
        tell(&mut world, 3, 99, Stage::Solutions),
        [],
        "one of four validators may lie"
    );
    for from in 0..3 {
        assert_eq!(tell(&mut world, from, 7, Stage::Bids), []);
    }
    assert_eq!(
        tell(&mut world, 0, 7, Stage::Solutions),
        [7],
        "with the liar's higher window, two of four say so"
    );
    assert_eq!(
        tell(&mut world, 1, 7, Stage::Solutions),
        [],
        "the event must come once"
    );
    for from in 0..3 {
        assert_eq!(tell(&mut world, from, 8, Stage::Bids), []);
    }
    assert_eq!(tell(&mut world, 2, 8, Stage::Solutions), [8]);
}

/// The operations that a client sends now, each of them once.
fn said(world: &mut World, client: usize) -> Vec<SignedOperation> {
    let mut said = std::collections::BTreeMap::new();
    while let Some(action) = world.clients[client].poll_action() {
        if let ClientAction::Send { request, .. } = action
            && let Request::Submit(operation) = request.request
        {
            said.insert(operation.payload.sequence, *operation);
        }
    }
    said.into_values().collect()
}

fn pairs(count: u64) -> Vec<Pair> {
    (0..count)
        .rev()
        .map(|number| Pair {
            task: task(number),
            agent: agent(),
        })
        .collect()
}

#[test]
fn m29_pairs_are_sorted_and_said_for_their_window() {
    let (mut world, client) = member();
    let now = world.now;
    world.clients[client]
        .solve(label("jobs"), 7, pairs(3), now)
        .unwrap();
    let operations = said(&mut world, client);
    let [operation] = &operations[..] else {
        panic!("{operations:?}")
    };
    let mut sorted = pairs(3);
    sorted.reverse();
    let solve = Solve {
        market: label("jobs"),
        window: 7,
        pairs: sorted,
    };
    assert_eq!(operation.payload.body, OperationBody::Solve(solve));
}

#[test]
fn m29_what_no_operation_holds_is_not_said() {
    let (mut world, client) = member();
    let now = world.now;
    let solve = |world: &mut World, pairs| {
        let result = world.clients[client].solve(label("jobs"), 7, pairs, now);
        (result, said(world, client))
    };
    let twice = vec![
        pairs(1)[0],
        Pair {
            agent: key(21).public_key(),
            ..pairs(1)[0]
        },
    ];
    let most = limits::TASKS_PER_CLEARING as u64;
    for (pairs, count) in [(vec![], 0), (twice, 2), (pairs(most + 1), most + 1)] {
        let refused = Err(ClientError::Pairs(count as usize));
        assert_eq!(solve(&mut world, pairs), (refused, vec![]));
    }
    let (result, _) = solve(&mut world, pairs(most));
    assert!(
        matches!(result, Err(ClientError::Operation(bytes)) if bytes > limits::OPERATION_BYTES)
    );
    // The limit is on the bytes of the whole operation: some 880 pairs fit, one more does not.
    let mut some = 860..900;
    let over = some.find(|count| solve(&mut world, pairs(*count)).0.is_err());
    assert!(
        over.is_some_and(|count| count > 860),
        "some 880 fit: {over:?}"
    );
}

#[test]
fn a_stranger_solves_nothing() {
    let world = World::new();
    let mut client = world.client(20);
    let refused = client.solve(label("jobs"), 7, pairs(1), world.now);
    assert_eq!(refused, Err(ClientError::NotReady));
}
