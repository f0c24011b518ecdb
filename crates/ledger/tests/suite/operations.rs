//! Tests of each operation: its rules and its reason codes.

use crate::common::*;
use quorate_types::operation::{
    Attest, Lapse, OperationBody, Revoke, Submit, Suspicion, TaskReport, Withdraw,
};
use quorate_types::*;

/// The reason for which an operation that is alone in the next block is refused, if it is.
fn verdict(world: &mut World, by: u8, body: OperationBody) -> Option<Reason> {
    let operation = world.say(&key(by), body);
    let committed = world.step();
    reason_of(&committed, operation)
}

/// L-9: an agent is a member from its admission on. L-10: a second admission is refused. L-11: each
/// rule of attestations has its reason. L-7: each refusal is charged to the agent.
#[test]
fn l11_admission_makes_a_member_once_and_further_attestations_are_checked() {
    let mut world = World::with_drones([1]);
    let one = key(1).public_key();
    assert!(world.ledger.knows_agent(&one) && !world.ledger.knows_agent(&key(9).public_key()));
    let good = world.attestation(one, drone(2));
    let claims = |change: &dyn Fn(&mut Claims)| {
        let mut claims = good.payload.clone();
        change(&mut claims);
        attester().sign(claims).into_inner()
    };
    let mut forged = good.clone();
    forged.alter(|parts| parts.payload.capabilities = drone(9));
    let stranger = Claims {
        issuer: key(7).public_key(),
        ..good.payload.clone()
    };
    let table = [
        (
            key(7).sign(stranger).into_inner(),
            Some(Reason::UnknownAttester),
        ),
        (
            claims(&|c| c.subject = key(2).public_key()),
            Some(Reason::AttestationSubject),
        ),
        (
            claims(&|c| c.audience = SwarmId([7; 32])),
            Some(Reason::AttestationSubject),
        ),
        (
            claims(&|c| c.expires = START.seconds()),
            Some(Reason::AttestationExpired),
        ),
        (
            claims(&|c| c.not_before = START.seconds() + 600),
            Some(Reason::AttestationExpired),
        ),
        (forged, Some(Reason::AttestationSignature)),
        (good.clone(), None),
    ];
    for (attestation, expected) in table {
        let body = OperationBody::Attest(Attest { attestation });
        assert_eq!(verdict(&mut world, 1, body), expected);
    }
    let again = OperationBody::Admit(Attest { attestation: good });
    assert_eq!(verdict(&mut world, 1, again), Some(Reason::AlreadyAdmitted));
    assert_eq!(world.ledger.account(&one).unwrap().refusals, 7);
}

#[test]
fn an_agent_holds_so_many_attestations_and_void_ones_make_room() {
    let mut world = World::with_drones([1]);
    let one = key(1).public_key();
    let numbered = |world: &World, id: u8, expires| {
        let claims = world.attestation(one, drone(1)).payload.clone();
        let claims = Claims {
            id: vec![9, id],
            expires,
            ..claims
        };
        OperationBody::Attest(Attest {
            attestation: attester().sign(claims).into_inner(),
        })
    };
    let (long, short) = (START.seconds() + 3600, START.seconds() + 60);
    for id in 1..limits::ATTESTATIONS_PER_AGENT as u8 {
        let body = numbered(&world, id, if id == 1 { short } else { long });
        assert_eq!(verdict(&mut world, 1, body), None);
    }
    let body = numbered(&world, 99, long);
    assert_eq!(verdict(&mut world, 1, body), Some(Reason::QuotaExceeded));
    let (block, _) = world.propose_at(START + 61_000, 0);
    world.decide(block);
    let body = numbered(&world, 98, long);
    assert_eq!(verdict(&mut world, 1, body), None);
}

#[test]
fn l13_only_the_issuer_revokes_and_only_once() {
    let mut world = World::with_drones([1]);
    let subject = key(1).public_key();
    let attestation = world.attestation(subject, drone(1)).id();
    let revoke = || {
        OperationBody::Revoke(Revoke {
            subject,
            attestation,
        })
    };
    assert_eq!(verdict(&mut world, 1, revoke()), Some(Reason::NotIssuer));
    assert_eq!(verdict(&mut world, 200, revoke()), None);
    assert_eq!(
        verdict(&mut world, 200, revoke()),
        Some(Reason::AttestationRevoked)
    );
    let again = OperationBody::Attest(Attest {
        attestation: world.attestation(subject, drone(1)),
    });
    assert_eq!(
        verdict(&mut world, 1, again),
        Some(Reason::AttestationRevoked)
    );
}

#[test]
fn l14_submit_opens_all_or_none_and_uses_its_numbers_up() {
    let mut world = World::with_drones([]);
    let submit = |first, tasks| OperationBody::Submit(Submit { first, tasks });
    let mut late = spec("spot");
    late.deadline = Some(START);
    let mut wrong = spec("spot");
    wrong.max_price = Some(-1);
    let table = [
        (submit(1, vec![spec("spot")]), Some(Reason::TaskNumber)),
        (submit(0, vec![]), Some(Reason::TaskMalformed)),
        (
            submit(0, vec![spec("spot"), wrong]),
            Some(Reason::TaskMalformed),
        ),
        (
            submit(2, vec![spec("spot"), spec("bridge")]),
            Some(Reason::UnknownMarket),
        ),
        (submit(4, vec![late]), Some(Reason::DeadlinePassed)),
        (
            submit(5, vec![spec("spot"); 65]),
            Some(Reason::TaskMalformed),
        ),
        (submit(5, vec![spec("spot"), spec("drones")]), None),
        (submit(5, vec![spec("spot")]), Some(Reason::TaskNumber)),
        (submit(7, vec![spec("spot")]), None),
    ];
    for (body, expected) in table {
        assert_eq!(verdict(&mut world, 50, body), expected);
    }
    assert_eq!(world.ledger.open_tasks(&label("spot"), 9).len(), 2);
    assert_eq!(world.ledger.open_tasks(&label("drones"), 9).len(), 1);
}

#[test]
fn l15_cancel_is_the_requesters_and_ends_open_and_running_tasks() {
    let mut world = World::with_drones([1]);
    let open = world.submit(vec![spec("drones")])[0];
    world.step();
    let (running, token) = world.assigned(1);
    let body = |task| OperationBody::Cancel(operation::Cancel { task });
    assert_eq!(
        verdict(&mut world, 1, body(open)),
        Some(Reason::NotRequester)
    );
    let nobody = TaskId { number: 99, ..open };
    assert_eq!(
        verdict(&mut world, 50, body(nobody)),
        Some(Reason::UnknownTask)
    );
    for task in [open, running] {
        assert_eq!(verdict(&mut world, 50, body(task)), None);
        assert_eq!(world.state_of(task), "canceled");
        assert_eq!(verdict(&mut world, 50, body(task)), Some(Reason::TaskEnded));
    }
    let late = OperationBody::Complete(report(running, token));
    assert_eq!(verdict(&mut world, 1, late), Some(Reason::TaskEnded));
    assert!(world.ledger.leases().is_empty());
    // The slot of the canceled task is free again.
    world.assigned(1);
}

/// M-2 and M-3: the reasons to refuse a whole bid. M-4: those to refuse a single offer.
#[test]
fn m4_bids_are_refused_in_whole_or_offer_by_offer() {
    let mut world = World::with_drones([1, 2]);
    let (won, _) = world.assigned(2);
    let tasks = world.submit(vec![spec("spot"), spec("spot"), spec("drones")]);
    world.step();
    let unknown = TaskId {
        number: 99,
        ..tasks[0]
    };
    let table = [
        (
            "bridge",
            slots(1),
            vec![(tasks[0], 1)],
            Some(Reason::UnknownMarket),
        ),
        ("spot", slots(1), vec![], Some(Reason::BidMalformed)),
        (
            "spot",
            slots(1),
            vec![(tasks[1], 1), (tasks[0], 1)],
            Some(Reason::BidMalformed),
        ),
        (
            "spot",
            slots(1),
            vec![(tasks[0], -1)],
            Some(Reason::BidMalformed),
        ),
        (
            "spot",
            slots(-1),
            vec![(tasks[0], 1)],
            Some(Reason::BidMalformed),
        ),
        (
            "spot",
            slots(2),
            vec![(tasks[0], 1)],
            Some(Reason::BudgetExceeded),
        ),
        (
            "spot",
            slots(1),
            vec![(won, 1), (tasks[0], 1)],
            Some(Reason::LateBid),
        ),
        (
            "spot",
            slots(1),
            vec![(tasks[0], 1), (unknown, 1)],
            Some(Reason::UnknownTask),
        ),
        (
            "spot",
            slots(1),
            vec![(tasks[0], 1), (tasks[2], 1)],
            Some(Reason::WrongMarket),
        ),
    ];
    let before = world.ledger.height();
    for (market, budget, offers, expected) in table {
        let operation = world.bid_under(1, market, budget, &offers);
        // The block times are close together, so that all bids fall into one window.
        let (block, _) = world.propose_at(world.ledger.block_time() + 1, 0);
        let committed = world.decide(block);
        assert_eq!(reason_of(&committed, operation), expected, "{offers:?}");
    }
    assert_eq!(world.ledger.height(), before + 9);
}

/// M-5: a bid that is withdrawn frees its budget; without a live bid there is nothing to withdraw.
#[test]
fn m3_a_budget_is_reserved_across_markets_until_withdrawn() {
    let mut world = World::with_drones([1]);
    let tasks = world.submit(vec![spec("spot"), spec("drones")]);
    world.step();
    world.bid(1, "drones", &[(tasks[1], 1)]);
    let second = world.bid(1, "spot", &[(tasks[0], 1)]);
    let (block, _) = world.propose_at(world.ledger.block_time() + 1, 0);
    // Both are in one block. The bid with the lower sequence number comes first, so the other one
    // finds no free slot.
    let committed = world.decide(block);
    assert_eq!(reason_of(&committed, second), Some(Reason::BudgetExceeded));
    let withdraw = |market: &str| {
        OperationBody::Withdraw(Withdraw {
            market: label(market),
        })
    };
    let none = world.say(&key(1), withdraw("spot"));
    let some = world.say(&key(1), withdraw("drones"));
    let (block, _) = world.propose_at(world.ledger.block_time() + 1, 0);
    let committed = world.decide(block);
    assert_eq!(reason_of(&committed, none), Some(Reason::NoBid));
    assert_eq!(reason_of(&committed, some), None);
    let third = world.bid(1, "spot", &[(tasks[0], 1)]);
    let (block, _) = world.propose_at(world.ledger.block_time() + 1, 0);
    assert_eq!(reason_of(&world.decide(block), third), None);
}

#[test]
fn l16_reports_need_the_token_in_force_the_assignee_and_the_right_state() {
    let mut world = World::with_drones([1, 2]);
    let (task, token) = world.assigned(1);
    let unknown = TaskId { number: 99, ..task };
    let long = TaskReport {
        detail: cose::Owned(vec![0; 4097]),
        ..report(task, token)
    };
    let table: [(u8, OperationBody, Option<Reason>); 12] = [
        (
            1,
            OperationBody::Accept(report(unknown, token)),
            Some(Reason::UnknownTask),
        ),
        (
            1,
            OperationBody::Accept(report(task, token.next())),
            Some(Reason::StaleToken),
        ),
        (
            1,
            OperationBody::Accept(report(task, FencingToken::ZERO)),
            Some(Reason::StaleToken),
        ),
        (
            2,
            OperationBody::Accept(report(task, token)),
            Some(Reason::NotAssignee),
        ),
        (
            1,
            OperationBody::Complete(long),
            Some(Reason::ResultMalformed),
        ),
        (1, OperationBody::Accept(report(task, token)), None),
        (
            1,
            OperationBody::Accept(report(task, token)),
            Some(Reason::WrongState),
        ),
        (
            1,
            OperationBody::Decline(report(task, token)),
            Some(Reason::WrongState),
        ),
        (
            2,
            OperationBody::Complete(report(task, token)),
            Some(Reason::NotAssignee),
        ),
        (1, OperationBody::Complete(report(task, token)), None),
        (
            1,
            OperationBody::Complete(report(task, token)),
            Some(Reason::TaskEnded),
        ),
        (
            1,
            OperationBody::Fail(report(task, token.next())),
            Some(Reason::StaleToken),
        ),
    ];
    for (by, body, expected) in table {
        assert_eq!(verdict(&mut world, by, body), expected);
    }
    assert_eq!(world.state_of(task), "completed");
}

#[test]
fn l17_who_fails_is_excluded_and_attempts_are_used_up() {
    let mut world = World::with_drones([1, 2]);
    let (task, token) = world.assigned(1);
    assert_eq!(
        verdict(&mut world, 1, OperationBody::Decline(report(task, token))),
        None
    );
    assert_eq!(world.state_of(task), "open");
    world.bid(1, "spot", &[(task, 1)]);
    world.bid(2, "spot", &[(task, 9)]);
    let committed = world.until_clearing("spot");
    let [won] = assignments(&committed)[..] else {
        panic!("one assignment")
    };
    assert_eq!(
        (won.agent, won.token, won.price),
        (key(2).public_key(), token.next(), 9)
    );
    let items = [(Some(task), Reason::ExcludedAfterFailure)];
    assert_eq!(refusals(&committed)[0].items, items);
    // The token of the first assignee is no longer in force.
    assert_eq!(
        verdict(&mut world, 1, OperationBody::Complete(report(task, token))),
        Some(Reason::StaleToken)
    );
    world.say(&key(2), OperationBody::Fail(report(task, token.next())));
    let committed = world.step();
    let expiry = outcome::Expiry {
        task,
        token: token.next(),
        reason: Reason::AttemptsUsedUp,
    };
    assert_eq!(committed.outcomes[1], Outcome::Expiry(expiry));
    assert_eq!(world.state_of(task), "failed");
}

/// Suspicions of these validators about an assignment, sorted by key.
fn suspicions(of: &[u8], suspicion: &Suspicion) -> Vec<Sign1<Suspicion>> {
    let signed = of
        .iter()
        .map(|number| validator(*number).sign(suspicion.clone()).into_inner());
    let mut signed: Vec<_> = signed.collect();
    signed.sort_by_key(|suspicion| suspicion.signer);
    signed
}

#[test]
fn l19_lapse_takes_a_lease_that_is_over_and_more_than_two_thirds_of_the_power() {
    let mut world = World::with_drones([1, 2]);
    let (task, token) = world.assigned(1);
    let assigned_at = world.ledger.height();
    let swarm = world.ledger.swarm();
    let about = Suspicion {
        swarm,
        task,
        token,
        height: assigned_at,
    };
    let lapse = |suspicions| {
        OperationBody::Lapse(Lapse {
            task,
            token,
            suspicions,
        })
    };
    let all = suspicions(&[0, 1, 2], &about);
    assert_eq!(
        verdict(&mut world, 2, lapse(all.clone())),
        Some(Reason::LeaseRunning)
    );
    for _ in 0..5 {
        world.step();
    }
    let mut forged = all.clone();
    let other = forged[0].signature;
    forged[1].alter(|parts| parts.signature = other);
    let mut unsorted = all.clone();
    unsorted.reverse();
    let mut foreign = all.clone();
    foreign.push(key(1).sign(about.clone()).into_inner());
    foreign.sort_by_key(|suspicion| suspicion.signer);
    let other = |change: &dyn Fn(&mut Suspicion)| {
        let mut suspicion = about.clone();
        change(&mut suspicion);
        suspicions(&[0, 1, 2], &suspicion)
    };
    let few = Some(Reason::SuspicionsTooFew);
    let table = [
        (suspicions(&[0, 1], &about), few),
        (vec![], few),
        (vec![all[0].clone(); 3], Some(Reason::SuspicionSignature)),
        (unsorted, Some(Reason::SuspicionSignature)),
        (foreign, Some(Reason::SuspicionSignature)),
        (forged, Some(Reason::SuspicionSignature)),
        (other(&|s| s.token = s.token.next()), few),
        (other(&|s| s.swarm = SwarmId([3; 32])), few),
        (other(&|s| s.height = assigned_at - 1), few),
        (other(&|s| s.height += 1000), few),
        (all.clone(), None),
        (all, Some(Reason::StaleToken)),
    ];
    for (suspicions, expected) in table {
        assert_eq!(verdict(&mut world, 2, lapse(suspicions)), expected);
    }
    assert_eq!(world.state_of(task), "open");
    assert_eq!(
        world.ledger.task(task).unwrap().excluded,
        [key(1).public_key()]
    );
}

#[test]
fn l3_a_swarm_that_stood_still_expires_no_lease() {
    let mut genesis = genesis();
    genesis.parameters.max_step_ms = 500;
    let mut world = World::with(genesis);
    world.admit(50, Capabilities::new());
    world.admit(1, drone(1));
    world.step();
    let (task, token) = world.assigned(1);
    // 50 minutes of block time are half a second of active time.
    let (block, _) = world.propose_at(world.ledger.block_time() + 3_000_000, 0);
    world.decide(block);
    let (swarm, height) = (world.ledger.swarm(), world.ledger.height());
    let about = Suspicion {
        swarm,
        task,
        token,
        height,
    };
    let suspicions = suspicions(&[0, 1, 2, 3], &about);
    let body = OperationBody::Lapse(Lapse {
        task,
        token,
        suspicions,
    });
    assert_eq!(verdict(&mut world, 1, body), Some(Reason::LeaseRunning));
}

#[test]
fn l15_open_tasks_expire_at_their_deadline_and_running_ones_do_not() {
    let mut world = World::with_drones([1]);
    let mut timed = spec("spot");
    timed.deadline = Some(world.ledger.block_time() + 4 * STEP);
    let tasks = world.submit(vec![timed.clone(), timed]);
    world.step();
    assert_eq!(
        world.ledger.next_due(),
        Some(world.ledger.block_time() + 3 * STEP)
    );
    world.bid(1, "spot", &[(tasks[0], 1)]);
    world.until_clearing("spot");
    let mut expired = Vec::new();
    for _ in 0..5 {
        expired.extend(world.step().outcomes);
    }
    let (task, reason) = (tasks[1], Reason::DeadlinePassed);
    assert_eq!(
        expired,
        [Outcome::Expiry(outcome::Expiry {
            task,
            token: FencingToken::ZERO,
            reason
        })]
    );
    assert_eq!(
        (world.state_of(tasks[0]), world.state_of(tasks[1])),
        ("assigned", "expired")
    );
    // A task that opens again after its deadline expires at once.
    world.say(
        &key(1),
        OperationBody::Decline(report(tasks[0], FencingToken(1))),
    );
    world.step();
    assert_eq!(world.state_of(tasks[0]), "expired");
    assert_eq!(world.ledger.next_due(), None);
}
