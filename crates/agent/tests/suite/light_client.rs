//! Tests of the light client against scripted validators.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test's helpers"
)]

use std::collections::BTreeSet;

use crate::common::{LEASE, STEP, World, bid, key, label, spec};
use quorate_agent::{Award, ClientAction, ClientError, ClientEvent, LossCause};
use quorate_types::cose::Owned;
use quorate_types::message::{
    AccountSummary, Answer, BlockNotice, Call, ClientMessage, Notice, Reply, Request,
};
use quorate_types::operation::{Offer, Withdraw};
use quorate_types::{
    ActiveMillis, Amounts, FencingToken, MonotonicMillis, OperationBody, Reason, Stage, TaskId,
    cbor, limits,
};

fn ready(world: &mut World, seed: u8) -> usize {
    let index = world.join(seed);
    world.run(100, |w| w.clients[index].is_ready());
    index
}

fn completed(world: &World, index: usize) -> BTreeSet<TaskId> {
    let events = world.events[index].iter();
    events
        .filter_map(|event| match event {
            ClientEvent::Completed { task, detail, .. } => {
                assert_eq!(detail, format!("{}", task.number).as_bytes());
                Some(*task)
            }
            _ => None,
        })
        .collect()
}

fn awards(world: &World, index: usize) -> Vec<Award> {
    let events = world.events[index].iter();
    events
        .filter_map(|event| match event {
            ClientEvent::Award(award) => Some(Award::clone(award)),
            _ => None,
        })
        .collect()
}

fn submit(world: &mut World, index: usize, count: usize) -> Vec<TaskId> {
    let specs = (0..count).map(|number| spec(&number.to_string())).collect();
    let now = world.now;
    world.clients[index].submit(specs, now).unwrap()
}

/// Checks that every task is done once, and that requester and agent hear of it once.
fn all_is_done(mut world: World, tasks: usize) {
    let requester = ready(&mut world, 10);
    let agent = ready(&mut world, 20);
    let ids = submit(&mut world, requester, tasks);
    assert_eq!(
        ids.iter().map(|id| id.number).collect::<Vec<_>>(),
        (0..tasks as u64).collect::<Vec<_>>()
    );
    world.run(4_000, |w| {
        w.work(agent);
        w.clients[requester].is_settled()
            && w.events[agent]
                .iter()
                .filter(|e| matches!(e, ClientEvent::Reported { .. }))
                .count()
                == tasks
    });
    assert_eq!(completed(&world, requester), ids.iter().copied().collect());
    let awards = awards(&world, agent);
    assert_eq!(
        awards.iter().map(|a| a.task).collect::<BTreeSet<_>>().len(),
        awards.len()
    );
    for task in world.swarm.tasks.values() {
        assert!(
            task.reports.contains(&"complete") && task.token == FencingToken(1),
            "{:?}",
            task.reports
        );
    }
    let kinds =
        |of: fn(&ClientEvent) -> bool| world.events[requester].iter().filter(|e| of(e)).count();
    assert_eq!(kinds(|e| matches!(e, ClientEvent::Completed { .. })), tasks);
    assert_eq!(kinds(|e| matches!(e, ClientEvent::Awarded { .. })), tasks);
    for client in &world.clients {
        assert_eq!(client.counters().bad_certificates, 0);
        assert_eq!(client.counters().unauthentic, 0);
    }
}

#[test]
fn tasks_are_submitted_awarded_and_done() {
    all_is_done(World::new(), 70);
}

#[test]
fn lost_and_repeated_messages_change_nothing() {
    let mut world = World::new();
    (world.loss, world.repeats) = (30, 50);
    all_is_done(world, 5);
}

#[test]
fn one_silent_validator_changes_nothing() {
    let mut world = World::new();
    world.silent.insert(world.validators[2]);
    all_is_done(world, 3);
}

#[test]
fn tasks_are_cut_into_operations_by_count_and_bytes() {
    let mut world = World::new();
    let requester = ready(&mut world, 10);
    let long = "x".repeat(limits::TASK_PAYLOAD_BYTES);
    let now = world.now;
    world.clients[requester]
        .submit(vec![spec(&long); 40], now)
        .unwrap();
    world.run(20, |w| w.swarm.tasks.len() == 40);
    let too_long = spec(&format!("{long}x"));
    let refused = world.clients[requester].submit(vec![spec("1"), too_long], now);
    assert!(matches!(refused, Err(ClientError::Limits(_))));
    assert_eq!(submit(&mut world, requester, 1)[0].number, 40);
}

#[test]
fn nothing_is_said_before_the_swarm_knows_the_key() {
    let world = World::new();
    let mut client = world.client(10);
    assert_eq!(
        client.submit(vec![spec("1")], MonotonicMillis::ZERO),
        Err(ClientError::NotReady)
    );
    assert_eq!(
        client.bid(
            label("jobs"),
            Amounts::new(),
            Vec::new(),
            MonotonicMillis::ZERO
        ),
        Err(ClientError::NotReady)
    );
    assert_eq!(client.poll_action(), None);
    assert_eq!(client.poll_timeout(), None);
}

/// W-11: a validator proves nothing by its word; certificates do.
#[test]
fn a_lying_validator_is_believed_nothing() {
    let mut world = World::new();
    let requester = ready(&mut world, 10);
    let agent = ready(&mut world, 20);
    let task = submit(&mut world, requester, 1)[0];
    world.run(100, |w| {
        w.work(agent);
        w.clients[requester].is_settled()
    });
    let chain = world.swarm.certificates[&task].clone();
    let liar = world.validators[0];
    let before = (world.events[requester].len(), world.events[agent].len());
    let mut bad = 0;
    for certificate in chain {
        for at in (0..certificate.0.len()).step_by(7) {
            let mut forged = certificate.0.clone();
            forged[at] ^= 1;
            for index in [requester, agent] {
                let notice = Notice::Certificate(Owned(forged.clone()));
                world.clients[index].handle_notice(liar, notice, world.now);
            }
            bad += 1;
        }
        // The true certificate again: what was proved before makes no second event.
        for index in [requester, agent] {
            let notice = Notice::Certificate(certificate.clone());
            world.clients[index].handle_notice(liar, notice, world.now);
        }
    }
    world.exchange();
    assert_eq!(
        (world.events[requester].len(), world.events[agent].len()),
        before
    );
    assert_eq!(world.clients[agent].counters().bad_certificates, bad);
    // Answers on an account that was never asked for.
    let account = AccountSummary {
        next_sequence: 999,
        next_task: 999,
        assigned: Vec::new(),
    };
    for id in 0..200 {
        let reply = Reply {
            id,
            answer: Answer::Account(Some(account.clone())),
        };
        world.clients[requester].handle_reply(liar, reply, world.now);
    }
    assert_eq!(submit(&mut world, requester, 1)[0].number, 1);
    // Messages of a stranger are counted and ignored.
    let stranger = key(77).public_key();
    world.clients[agent].handle_connected(stranger, world.now);
    let block = BlockNotice {
        height: 1,
        block: quorate_types::BlockId([1; 32]),
        active_time: ActiveMillis(1),
    };
    let unexpected = world.clients[agent].counters().unexpected;
    world.clients[agent].handle_notice(stranger, Notice::Block(block), world.now);
    assert_eq!(world.clients[agent].counters().unexpected, unexpected + 1);
}

/// W-11: a call proves nothing. One with the highest window number must not hide later, true ones.
#[test]
fn a_lying_call_neither_hides_tasks_nor_ends_the_bidding() {
    let mut world = World::new();
    let requester = ready(&mut world, 10);
    let agent = ready(&mut world, 20);
    let liar = world.validators[3];
    let (market, tasks) = (label("jobs"), Vec::new());
    let lie = Call {
        market,
        window: u64::MAX,
        height: 1,
        stage: Stage::Bids,
        tasks,
    };
    world.clients[agent].handle_notice(liar, Notice::Call(lie), world.now);
    let ids = submit(&mut world, requester, 2);
    world.run(100, |w| {
        w.work(agent);
        w.clients[requester].is_settled()
    });
    assert_eq!(completed(&world, requester), ids.into_iter().collect());
}

/// Hands a client the same call from each of the first `count` validators.
fn call_all(world: &mut World, agent: usize, count: usize, call: &Call) {
    for validator in world.validators.clone().into_iter().take(count) {
        world.clients[agent].handle_notice(validator, Notice::Call(call.clone()), world.now);
    }
}

/// The bodies of the operations that a client sends now, each of them once.
fn sealed(world: &mut World, agent: usize) -> Vec<OperationBody> {
    let mut said = std::collections::BTreeMap::new();
    while let Some(action) = world.clients[agent].poll_action() {
        if let ClientAction::Send { request, .. } = action
            && let Request::Submit(operation) = request.request
        {
            said.insert(operation.payload.sequence, operation.payload.body.clone());
        }
    }
    said.into_values().collect()
}

#[test]
fn m26_a_client_opens_its_commitments_once_a_correct_validator_says_that_no_more_are_taken() {
    let mut world = World::new();
    world.seal();
    let agent = ready(&mut world, 20);
    let task = |number| TaskId {
        requester: key(10).public_key(),
        number,
    };
    let tasks = (0..3)
        .map(|number| (task(number), spec("sealed")))
        .collect();
    let open = Call {
        market: label("jobs"),
        window: 4,
        height: 1,
        stage: Stage::Bids,
        tasks,
    };
    call_all(&mut world, agent, 4, &open);
    let offers = |prices: [i64; 3]| {
        let offers = (0..).zip(prices).map(|(number, price)| Offer {
            task: task(number),
            price,
        });
        offers.collect::<Vec<_>>()
    };
    let now = world.now;
    let bid = |world: &mut World, offers| {
        world.clients[agent]
            .bid(label("jobs"), Amounts::new(), offers, now)
            .unwrap();
        sealed(world, agent)
    };
    let [OperationBody::Seal(first)] = &bid(&mut world, offers([7, 8, 9])[..2].to_vec())[..] else {
        panic!("the bid must make exactly one seal")
    };
    // A bid at other prices in the same window keeps the commitments to the tasks of the first bid,
    // so that the same opening fits whichever seal the ledger took.
    let [OperationBody::Seal(second)] = &bid(&mut world, offers([1, 1, 9]))[..] else {
        panic!("the bid must make exactly one seal")
    };
    assert_eq!((first.window, &first.offers[..]), (4, &second.offers[..2]));
    assert_ne!(second.offers[0].commitment, second.offers[1].commitment);
    let opening = Call {
        stage: Stage::Openings,
        tasks: Vec::new(),
        ..open.clone()
    };
    call_all(&mut world, agent, 1, &opening);
    assert_eq!(
        sealed(&mut world, agent),
        [],
        "one of four validators may lie"
    );
    call_all(&mut world, agent, 2, &opening);
    let said = sealed(&mut world, agent);
    let [OperationBody::Reveal(reveal)] = &said[..] else {
        panic!("exactly one opening must be sent: {said:?}")
    };
    let (swarm, me) = (world.swarm.id(), world.clients[agent].public_key());
    let opened = reveal
        .openings
        .iter()
        .map(|of| (of.task, of.commitment(&swarm, &me)));
    let made = second
        .offers
        .iter()
        .map(|offer| (offer.task, offer.commitment));
    assert!(opened.eq(made));
    call_all(&mut world, agent, 4, &opening);
    assert_eq!(sealed(&mut world, agent), []);
    assert_eq!(
        bid(&mut world, offers([1, 1, 1])),
        [],
        "a late bid must not be sent: it would reveal its price for nothing"
    );
    // In the next window the commitments differ, even at the same prices.
    call_all(&mut world, agent, 4, &Call { window: 5, ..open });
    let said = bid(&mut world, offers([7, 8, 9]));
    let [OperationBody::Seal(third)] = &said[..] else {
        panic!("the bid must make exactly one seal: {said:?}")
    };
    assert_ne!(third.offers[0].commitment, first.offers[0].commitment);
}

/// A requester, an agent, and a task that the agent won. The agent died before it reported, and has
/// restarted with the same key.
fn restarted() -> (World, usize, usize, TaskId) {
    let mut world = World::new();
    let requester = ready(&mut world, 10);
    let agent = ready(&mut world, 20);
    let task = submit(&mut world, requester, 1)[0];
    world.run(100, |w| {
        let now = w.now;
        if let Some(ClientEvent::Call(call)) = w.events[agent].last().cloned() {
            bid(&mut w.clients[agent], &call, now);
        }
        !awards(w, agent).is_empty()
    });
    world.restart(agent, 20);
    (world, requester, agent, task)
}

#[test]
fn giving_back_is_said_again_where_a_predecessor_had_its_number() {
    let (mut world, _, agent, task) = restarted();
    let given_back = |w: &World| {
        let failed = |body: &OperationBody| match body {
            OperationBody::Fail(report) => report.task == task,
            _ => false,
        };
        let mut waiting = w.swarm.pool.iter();
        waiting
            .find(|(_, signed)| failed(&signed.payload.body))
            .map(|(slot, _)| slot.1)
    };
    world.run(200, |w| given_back(w).is_some());
    let number = given_back(&world).unwrap();
    // While the failure is on its way, an operation that the agent sent before it died takes its
    // number.
    world.swarm.inject(
        &key(20),
        number,
        OperationBody::Withdraw(Withdraw {
            market: label("jobs"),
        }),
    );
    world.run(10, |w| {
        !w.swarm.pool.contains_key(&(key(20).public_key(), number))
    });
    assert!(!world.swarm.tasks[&task].reports.contains(&"fail"));
    world.run(200, |w| w.swarm.tasks[&task].reports.contains(&"fail"));
    assert!(
        awards(&world, agent).is_empty(),
        "an award from before the restart must not be worked on"
    );
}

#[test]
fn a_restart_with_the_same_key_goes_on_and_gives_back_what_it_held() {
    let (mut world, requester, agent, task) = restarted();
    world.run(200, |w| w.swarm.tasks[&task].reports.contains(&"fail"));
    assert!(
        awards(&world, agent).is_empty(),
        "an award from before the restart must not be worked on"
    );
    world.run(400, |w| {
        w.work(agent);
        w.clients[requester].is_settled()
    });
    let returned = |event: &ClientEvent| {
        matches!(
            event,
            ClientEvent::Returned {
                token: FencingToken(1),
                ..
            }
        )
    };
    assert!(world.events[requester].iter().any(returned));
    assert_eq!(world.swarm.tasks[&task].token, FencingToken(2));
    // The requester restarts too, and continues its task numbers.
    world.restart(requester, 10);
    world.run(20, |w| w.clients[requester].is_ready());
    assert_eq!(submit(&mut world, requester, 1)[0].number, 1);
    world.run(100, |w| w.swarm.tasks.len() == 2);
}

#[test]
fn a_number_that_a_predecessor_used_costs_a_new_one() {
    let mut world = World::new();
    let requester = ready(&mut world, 10);
    let body = OperationBody::Withdraw(Withdraw {
        market: label("jobs"),
    });
    world.swarm.inject(&key(10), 1, body);
    submit(&mut world, requester, 1);
    world.run(100, |w| w.swarm.tasks.len() == 1);
}

/// A validator that is catching up reports numbers of the past. The first two answers that a new
/// client gets may be from it and one other, which together have more than a third of the power.
#[test]
fn a_validator_that_is_behind_does_not_make_old_numbers_new() {
    let mut world = World::new();
    let before = ready(&mut world, 10);
    submit(&mut world, before, 3);
    world.run(100, |w| w.swarm.tasks.len() == 3);

    let (mut client, now) = (world.client(10), world.now);
    let current = AccountSummary {
        next_sequence: 2,
        next_task: 3,
        assigned: Vec::new(),
    };
    let old = AccountSummary {
        next_sequence: 1,
        next_task: 0,
        assigned: Vec::new(),
    };
    let told = [old, current.clone(), current.clone(), current];
    for (validator, account) in world.validators.clone().into_iter().zip(told) {
        client.handle_connected(validator, now);
        let asked = std::iter::from_fn(|| client.poll_action()).find_map(|action| match action {
            ClientAction::Send { to, request }
                if matches!(request.request, Request::Account(_)) =>
            {
                (to == validator).then_some(request.id)
            }
            _ => None,
        });
        let answer = Answer::Account(Some(account));
        client.handle_reply(
            validator,
            Reply {
                id: asked.unwrap(),
                answer,
            },
            now,
        );
        if client.is_ready() {
            break;
        }
    }
    let tasks = client.submit(vec![spec("4")], now).unwrap();
    assert_eq!(tasks[0].number, 3);
}

/// A client that reaches no quorum goes by the validators that it reaches, after a while.
#[test]
fn two_validators_in_reach_are_enough() {
    let mut world = World::new();
    world.silent.extend(world.validators[..2].to_vec());
    let requester = world.join(10);
    world.run(100, |w| w.clients[requester].is_ready());
    submit(&mut world, requester, 1);
    world.run(100, |w| w.swarm.tasks.len() == 1);
}

#[test]
fn a_refusal_is_told_with_its_reason() {
    let mut world = World::new();
    let requester = ready(&mut world, 10);
    let body = quorate_types::operation::Submit {
        first: 5,
        tasks: vec![spec("1")],
    };
    world.swarm.inject(&key(10), 1, OperationBody::Submit(body));
    let refused = |event: &ClientEvent| match event {
        ClientEvent::Refused { items, .. } => items == &[(None, Reason::TaskNumber)],
        _ => false,
    };
    world.run(10, |w| w.events[requester].iter().any(refused));
    assert_eq!(
        world.events[requester]
            .iter()
            .filter(|event| refused(event))
            .count(),
        1
    );
}

/// A world in which client 1 holds the task of client 0 and has accepted it.
fn holding() -> (World, TaskId) {
    let mut world = World::new();
    let requester = ready(&mut world, 10);
    let agent = ready(&mut world, 20);
    let task = submit(&mut world, requester, 1)[0];
    world.run(100, |w| {
        let offers = vec![Offer { task, price: 3 }];
        let (now, budget) = (w.now, Amounts::new());
        let called = w.events[agent]
            .iter()
            .any(|e| matches!(e, ClientEvent::Call(c) if !c.tasks.is_empty()));
        let Some(state) = w.swarm.tasks.get(&task) else {
            return false;
        };
        if called && state.agent.is_none() {
            w.clients[agent]
                .bid(label("jobs"), budget, offers, now)
                .unwrap();
        }
        w.swarm.tasks[&task].reports.contains(&"accept")
    });
    (world, task)
}

#[test]
fn a_superseded_award_is_lost_and_no_longer_reported_on() {
    let (mut world, task) = holding();
    world.swarm.reassign(task, key(30).public_key());
    let lost = ClientEvent::LeaseLost {
        task,
        token: FencingToken(1),
        cause: LossCause::Superseded,
    };
    world.run(5, |w| w.events[1].contains(&lost));
    let now = world.now;
    let late = world.clients[1].complete(task, FencingToken(1), Vec::new(), now);
    assert_eq!(
        late,
        Err(ClientError::NotHeld {
            task,
            token: FencingToken(1)
        })
    );
    assert_eq!(
        world.events[1]
            .iter()
            .filter(|event| **event == lost)
            .count(),
        1
    );
}

#[test]
fn a_canceled_task_is_lost() {
    let (mut world, task) = holding();
    let now = world.now;
    world.clients[0].cancel(task, now).unwrap();
    let lost = ClientEvent::LeaseLost {
        task,
        token: FencingToken(1),
        cause: LossCause::Ended,
    };
    let failed = |event: &ClientEvent| matches!(event, ClientEvent::Failed { reason: None, .. });
    world.run(5, |w| {
        w.events[1].contains(&lost) && w.events[0].iter().any(failed)
    });
    world.run(30, |w| w.clients[0].is_settled());
}

#[test]
fn an_award_is_lost_when_too_few_validators_are_heard_for_the_lease() {
    let (mut world, task) = holding();
    let lost = ClientEvent::LeaseLost {
        task,
        token: FencingToken(1),
        cause: LossCause::OutOfReach,
    };
    // Hearing two of four validators is enough to keep the award, hearing one is not.
    world
        .silent
        .extend([world.validators[0], world.validators[1]]);
    for _ in 0..2 * LEASE / STEP {
        world.step();
    }
    assert!(!world.events[1].contains(&lost));
    world.silent.insert(world.validators[2]);
    let since = world.now;
    world.run((LEASE / STEP + 2) as usize, |w| w.events[1].contains(&lost));
    assert!(world.now >= since + (LEASE - STEP));
    // The agent may still report that it stopped.
    let now = world.now;
    assert_eq!(
        world.clients[1].fail(task, FencingToken(1), b"out of reach".to_vec(), now),
        Ok(())
    );
}

/// An agent that sends heartbeats keeps its leases, even of a task that it does not know it won: so
/// it must find out.
#[test]
fn an_award_of_which_no_notice_came_is_found_by_an_idle_client() {
    let mut world = World::new();
    let requester = ready(&mut world, 10);
    let agent = ready(&mut world, 20);
    world.uninformed = Some(agent);
    let task = submit(&mut world, requester, 1)[0];
    world.run(400, |w| {
        let now = w.now;
        if let Some(ClientEvent::Call(call)) = w.events[agent].last().cloned() {
            bid(&mut w.clients[agent], &call, now);
        }
        !awards(w, agent).is_empty()
    });
    assert_eq!(
        (
            awards(&world, agent)[0].task,
            world.swarm.tasks[&task].token
        ),
        (task, FencingToken(1))
    );
}

#[test]
fn heartbeats_come_four_times_in_a_lease_while_an_award_is_held() {
    let (mut world, _) = holding();
    world.swarm.heartbeats.clear();
    let steps = 4 * LEASE / STEP;
    for _ in 0..steps {
        world.step();
    }
    // The agent sends four in each lease to each of four validators; the idle requester sends one
    // in 5 seconds to each.
    let agent = 16 * 4;
    let requester = (4 * LEASE / 5_000) as usize * 4;
    let found = world.swarm.heartbeats.len();
    assert!(
        (agent + requester - 8..=agent + requester + 8).contains(&found),
        "{found}"
    );
}

#[test]
fn a_frame_is_an_answer_or_a_notice_and_nothing_else() {
    let mut world = World::new();
    let client = world.join(10);
    let validator = world.validators[0];
    let now = world.now;
    let client = &mut world.clients[client];
    let frames = [
        ClientMessage::Notice(Notice::Certificate(Owned(vec![0xff; 9]))),
        ClientMessage::Reply(Reply {
            id: 99,
            answer: Answer::Account(None),
        }),
    ];
    for frame in frames {
        let bytes = cbor::encode(&frame);
        client.handle_frame(validator, &bytes, now).unwrap();
        assert!(client.handle_frame(validator, &bytes[1..], now).is_err());
    }
    let counters = client.counters();
    assert_eq!((counters.bad_certificates, counters.unexpected), (1, 1));
}

#[test]
fn no_message_panics_before_anyone_is_connected() {
    let world = World::new();
    let mut client = world.client(10);
    for validator in world.validators.clone() {
        client.handle_notice(
            validator,
            Notice::Certificate(Owned(vec![0xff; 9])),
            MonotonicMillis::ZERO,
        );
        let reply = Reply {
            id: 1,
            answer: Answer::Account(None),
        };
        client.handle_reply(validator, reply, MonotonicMillis::ZERO);
        client.handle_disconnected(validator);
    }
    client.handle_timeout(MonotonicMillis::MAX);
    assert_eq!(client.counters().unexpected, 8);
}
