//! Solutions from outside: the clauses M-28 to M-31.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test's helpers may fail the test"
)]

use crate::common::*;
use quorate_ledger::{Committed, Dossier, WindowView};
use quorate_market::{gap_effort, gap_search};
use quorate_types::operation::{
    Attest, Opening, OperationBody, Pair, Reveal, Revoke, Seal, SealedOffer, Solve, Withdraw,
};
use quorate_types::outcome::{ClearingInput, SolutionInput};
use quorate_types::*;

const FLEET: &str = "fleet";

/// A world whose market `fleet` clears by `gap` and takes solutions. These agents have two slots
/// each.
fn world(agents: impl IntoIterator<Item = u8>) -> World {
    world_with(|market| market.solve_ms = Some(300), agents)
}

fn world_with(change: impl Fn(&mut Market), agents: impl IntoIterator<Item = u8>) -> World {
    let mut genesis = genesis();
    let mut fleet = market(FLEET, "gap", false);
    change(&mut fleet);
    genesis.markets.push(fleet);
    genesis.markets.sort_by(|a, b| a.name.cmp(&b.name));
    let mut world = World::with(genesis);
    world.admit(50, Capabilities::new());
    for number in agents {
        world.admit(number, drone(2));
    }
    world.step();
    world
}

fn window(world: &World) -> WindowView {
    let windows = world.ledger.windows();
    windows
        .into_iter()
        .find(|window| window.market == label(FLEET))
        .unwrap()
}

fn pairs(pairs: &[(TaskId, u8)]) -> Vec<Pair> {
    pairs
        .iter()
        .map(|&(task, by)| Pair {
            task,
            agent: key(by).public_key(),
        })
        .collect()
}

fn solve(world: &mut World, by: u8, pairs: Vec<Pair>) -> OperationId {
    let (market, window) = (label(FLEET), window(world).number);
    world.say(
        &key(by),
        OperationBody::Solve(Solve {
            market,
            window,
            pairs,
        }),
    )
}

/// Steps until the window is in this stage.
fn until(world: &mut World, stage: Stage) -> Committed {
    for _ in 0..20 {
        let committed = world.step();
        if window(world).stage == stage {
            return committed;
        }
    }
    panic!("no {stage:?} within 20 blocks");
}

/// Decides a block a millisecond after the last one, so that the last part of a window goes on.
fn brief(world: &mut World) -> Committed {
    let (block, _) = world.propose_at(world.ledger.block_time() + 1, 0);
    world.decide(block)
}

/// Submits tasks with these demands of slots, makes the bids of each agent on them, and steps until
/// solutions are taken.
fn called(world: &mut World, demands: &[i64], bids: &[(u8, &[Price])]) -> Vec<TaskId> {
    let specs = demands.iter().map(|demand| {
        let mut spec = spec(FLEET);
        spec.demand = slots(*demand);
        spec
    });
    let tasks = world.submit(specs.collect());
    world.step();
    for (by, prices) in bids {
        let offers: Vec<_> = tasks.iter().copied().zip(prices.iter().copied()).collect();
        world.bid_under(*by, FLEET, slots(2), &offers);
    }
    until(world, Stage::Solutions);
    tasks
}

/// Submits three tasks. Agents 1, 2 and 3 bid 10, 20 and 30 on each of them.
fn three(world: &mut World) -> Vec<TaskId> {
    let bids: [(u8, &[Price]); 3] = [(1, &[10; 3]), (2, &[20; 3]), (3, &[30; 3])];
    called(world, &[1; 3], &bids)
}

/// The items of the refusals of an operation.
fn items_of(committed: &Committed, operation: OperationId) -> Vec<(Option<TaskId>, Reason)> {
    let of = refusals(committed)
        .into_iter()
        .filter(|refusal| refusal.operation == operation);
    of.flat_map(|refusal| refusal.items.clone()).collect()
}

fn dossier(committed: &Committed) -> &Dossier {
    committed
        .dossiers
        .iter()
        .find(|dossier| dossier.record.market == label(FLEET))
        .unwrap()
}

fn solutions(committed: &Committed) -> Vec<SolutionInput> {
    let inputs = dossier(committed)
        .inputs
        .iter()
        .filter_map(|input| match input {
            ClearingInput::Solution(solution) => Some(solution.clone()),
            _ => None,
        });
    inputs.collect()
}

#[test]
fn m28_a_genesis_that_wants_solutions_of_another_mechanism_is_none() {
    let mut genesis = genesis();
    genesis.markets[0].solve_ms = Some(1);
    let error = quorate_ledger::Ledger::genesis(genesis).err().unwrap();
    assert!(error.to_string().contains("takes no solutions"), "{error}");
}

#[test]
fn m28_the_parts_of_a_window_follow_each_other() {
    use Stage::{Bids, Openings, Solutions};
    let table: [(Option<Millis>, Option<Millis>, &[Stage]); 4] = [
        (None, None, &[Bids]),
        (None, Some(300), &[Bids, Solutions]),
        (Some(300), None, &[Bids, Openings]),
        (Some(300), Some(300), &[Bids, Openings, Solutions]),
    ];
    for (reveal_ms, solve_ms, expected) in table {
        let change = |market: &mut Market| {
            (market.reveal_ms, market.solve_ms) = (reveal_ms, solve_ms);
        };
        let mut world = world_with(change, [1]);
        let task = world.submit(vec![spec(FLEET)])[0];
        world.step();
        let (swarm, agent) = (world.ledger.swarm(), key(1).public_key());
        let opening = Opening {
            task,
            price: 7,
            nonce: Nonce([1; 32]),
        };
        if reveal_ms.is_some() {
            let commitment = opening.commitment(&swarm, &agent);
            let offers = vec![SealedOffer { task, commitment }];
            let seal = Seal {
                market: label(FLEET),
                window: 0,
                budget: slots(1),
                offers,
            };
            world.say(&key(1), OperationBody::Seal(seal));
        } else {
            world.bid(1, FLEET, &[(task, 7)]);
        }
        let mut seen = vec![window(&world).stage];
        let mut begun = Vec::new();
        let committed = loop {
            let committed = world.step();
            let now = window(&world);
            if !committed.dossiers.is_empty() {
                break committed;
            }
            if seen.last() != Some(&now.stage) {
                seen.push(now.stage);
                begun.push(world.ledger.active_time());
                if now.stage == Openings {
                    let (market, openings) = (label(FLEET), vec![opening]);
                    world.say(
                        &key(1),
                        OperationBody::Reveal(Reveal {
                            market,
                            window: 0,
                            openings,
                        }),
                    );
                }
            }
            assert!(seen.len() <= 3);
        };
        assert_eq!(seen, expected);
        assert_eq!(assignments(&committed)[0].agent, agent);
        if seen.last() == Some(&Solutions) {
            assert!(world.ledger.active_time() >= *begun.last().unwrap() + 300);
        }
    }
}

#[test]
fn m28_the_window_rule_holds_for_the_last_part() {
    let mut world = world([1, 2, 3]);
    three(&mut world);
    for _ in 0..3 {
        world.step_of_one_builder();
        assert_eq!(
            window(&world).stage,
            Stage::Solutions,
            "one builder of four could have kept a solution out"
        );
    }
    assert!(!world.until_clearing(FLEET).dossiers.is_empty());
}

#[test]
fn m28_bids_stand_in_the_last_part() {
    let mut world = world([1, 2, 3, 4]);
    let tasks = three(&mut world);
    let late = world.bid(4, FLEET, &[(tasks[0], 1)]);
    let withdrawn = world.say(
        &key(1),
        OperationBody::Withdraw(Withdraw {
            market: label(FLEET),
        }),
    );
    let committed = world.step();
    assert_eq!(reason_of(&committed, late), Some(Reason::LateBid));
    assert_eq!(reason_of(&committed, withdrawn), Some(Reason::WithdrawLate));
    assert_eq!(window(&world).live_bids, 9);
}

#[test]
fn m28_a_window_whose_bids_are_gone_ends_without_a_clearing() {
    let mut world = world([1]);
    let bids: [(u8, &[Price]); 1] = [(1, &[5])];
    let tasks = called(&mut world, &[1], &bids);
    solve(&mut world, 50, pairs(&[(tasks[0], 1)]));
    world.submit(vec![spec(FLEET)]);
    world.step();
    let before = window(&world).number;
    world.cancel(tasks[0]);
    let committed = world.step();
    assert!(committed.dossiers.is_empty());
    let now = window(&world);
    assert_eq!(
        (now.number, now.stage, now.open_tasks),
        (before + 1, Stage::Bids, 1)
    );
    // The solution for the earlier window is gone too.
    world.bid(
        1,
        FLEET,
        &[(
            TaskId {
                number: tasks[0].number + 1,
                ..tasks[0]
            },
            5,
        )],
    );
    assert!(solutions(&world.until_clearing(FLEET)).is_empty());
}

#[test]
fn m29_a_solution_is_refused_with_its_reason() {
    let mut world = world([1, 2, 3]);
    let early = solve(&mut world, 50, pairs(&[]));
    assert_eq!(
        reason_of(&world.step(), early),
        Some(Reason::BidMalformed),
        "the form comes first"
    );
    let tasks = three(&mut world);
    let other = world.submit(vec![spec("drones")])[0];
    world.bid(1, "drones", &[(other, 5)]);
    let [a, b, c] = tasks[..] else {
        panic!("three tasks")
    };
    let unknown = TaskId { number: 99, ..a };
    type Refused = &'static [Reason];
    let table: [(Vec<Pair>, Refused, Option<TaskId>); 9] = [
        (pairs(&[]), &[Reason::BidMalformed], None),
        (pairs(&[(b, 1), (a, 1)]), &[Reason::BidMalformed], None),
        (pairs(&[(a, 1), (a, 2)]), &[Reason::BidMalformed], None),
        (pairs(&[(a, 1), (b, 50)]), &[Reason::NoBid], Some(b)),
        (
            pairs(&[(a, 1), (unknown, 1)]),
            &[Reason::NoBid],
            Some(unknown),
        ),
        (pairs(&[(a, 1), (other, 1)]), &[Reason::NoBid], Some(other)),
        // The agent has two slots, not three.
        (
            pairs(&[(a, 1), (b, 1), (c, 1)]),
            &[Reason::OverBudget],
            Some(c),
        ),
        (pairs(&[(a, 1), (b, 1), (c, 2)]), &[], None),
        (pairs(&[(a, 1), (b, 1)]), &[Reason::NotBetter], None),
    ];
    for (given, reasons, of) in table {
        let expected: Vec<_> = reasons.iter().map(|reason| (of, *reason)).collect();
        let said = solve(&mut world, 50, given.clone());
        assert_eq!(items_of(&brief(&mut world), said), expected, "{given:?}");
        assert_eq!(window(&world).stage, Stage::Solutions);
    }
}

#[test]
fn m29_only_tasks_that_will_be_cleared_count() {
    let mut world = world_with(|market| market.solve_ms = Some(5_000), [1, 2, 3]);
    let mut tasks = Vec::new();
    for _ in 0..limits::TASKS_PER_CLEARING / 64 {
        tasks.extend(world.submit(vec![spec(FLEET); 64]));
        brief(&mut world);
    }
    // These stand behind as many tasks as a clearing takes.
    let behind = world.submit(vec![spec(FLEET); 2]);
    brief(&mut world);
    world.bid(1, FLEET, &[(tasks[0], 10)]);
    world.bid_under(2, FLEET, slots(2), &[(behind[0], 900), (behind[1], 900)]);
    for _ in 0..4 {
        world.step();
    }
    assert_eq!(window(&world).stage, Stage::Solutions);
    let more = solve(&mut world, 2, pairs(&[(behind[0], 2), (behind[1], 2)]));
    let expected = [
        (Some(behind[0]), Reason::NoBid),
        (Some(behind[1]), Reason::NoBid),
    ];
    assert_eq!(items_of(&brief(&mut world), more), expected);
    let honest = solve(&mut world, 3, pairs(&[(tasks[0], 1)]));
    assert_eq!(items_of(&brief(&mut world), honest), []);
}

#[test]
fn m29_only_for_its_window_and_in_its_part() {
    let mut world = world([1, 2, 3]);
    let task = world.submit(vec![spec(FLEET)])[0];
    let say = |world: &mut World, window: u64, market: &str| {
        let market = label(market);
        let body = OperationBody::Solve(Solve {
            market,
            window,
            pairs: pairs(&[(task, 1)]),
        });
        let said = world.say(&key(2), body);
        reason_of(&world.step(), said)
    };
    assert_eq!(
        say(&mut world, 0, FLEET),
        Some(Reason::NotSolving),
        "bids are still taken"
    );
    assert_eq!(
        say(&mut world, 0, "spot"),
        Some(Reason::NotSolving),
        "the market takes no solutions"
    );
    assert_eq!(say(&mut world, 0, "nowhere"), Some(Reason::UnknownMarket));
    world.bid(1, FLEET, &[(task, 5)]);
    until(&mut world, Stage::Solutions);
    assert_eq!(
        say(&mut world, 1, FLEET),
        Some(Reason::NotSolving),
        "another window"
    );
    assert_eq!(say(&mut world, 0, FLEET), None);
}

#[test]
fn m29_pairs_are_judged_as_bids_are() {
    let mut world = world([1, 2]);
    let mut dear = spec(FLEET);
    dear.max_price = Some(15);
    let mut picky = spec(FLEET);
    picky.requires = Capabilities::new().label("boat").unwrap();
    let tasks = world.submit(vec![spec(FLEET), dear, picky]);
    world.step();
    for by in [1, 2] {
        let offers: Vec<_> = tasks
            .iter()
            .map(|task| (*task, 10 * Price::from(by)))
            .collect();
        world.bid_under(by, FLEET, slots(2), &offers);
    }
    until(&mut world, Stage::Solutions);
    let given = pairs(&[(tasks[0], 1), (tasks[1], 2), (tasks[2], 1)]);
    let said = solve(&mut world, 50, given);
    let expected = [
        (Some(tasks[1]), Reason::PriceTooHigh),
        (Some(tasks[2]), Reason::CapabilityNotAttested),
    ];
    assert_eq!(items_of(&world.step(), said), expected);
}

#[test]
fn m30_each_is_better_than_the_last_and_the_four_best_are_kept() {
    let mut world = world([1, 2, 3]);
    let tasks = three(&mut world);
    let [a, b, c] = tasks[..] else {
        panic!("three tasks")
    };
    // Solutions of one task, of two, and of three for 80, 70, 50 and 40. Members 3 and 1 bring two
    // each, of which the later one is kept.
    let ladder = [
        (50, pairs(&[(a, 3)])),
        (1, pairs(&[(a, 3), (b, 3)])),
        (2, pairs(&[(a, 3), (b, 3), (c, 2)])),
        (3, pairs(&[(a, 3), (b, 2), (c, 2)])),
        (3, pairs(&[(a, 2), (b, 2), (c, 1)])),
        (1, pairs(&[(a, 2), (b, 1), (c, 1)])),
    ];
    for (by, given) in &ladder {
        let said = solve(&mut world, *by, given.clone());
        assert_eq!(items_of(&brief(&mut world), said), [], "{by}");
        let again = solve(&mut world, 50, given.clone());
        let refused = brief(&mut world);
        assert_eq!(
            items_of(&refused, again),
            [(None, Reason::NotBetter)],
            "another one that is as good"
        );
    }
    let committed = world.until_clearing(FLEET);
    let mut kept: Vec<_> = solutions(&committed)
        .into_iter()
        .map(|one| one.pairs)
        .collect();
    kept.sort();
    let mut expected: Vec<_> = [&ladder[0], &ladder[2], &ladder[4], &ladder[5]]
        .map(|(_, given)| given.clone())
        .into();
    expected.sort();
    assert_eq!(kept, expected);
    let agents: Vec<_> = solutions(&committed)
        .into_iter()
        .map(|one| one.agent)
        .collect();
    assert!(agents.is_sorted());
}

#[test]
fn m30_of_more_than_four_the_worst_goes() {
    let mut world = world([1, 2, 3, 4]);
    let tasks = three(&mut world);
    let [a, b, c] = tasks[..] else {
        panic!("three tasks")
    };
    let ladder = [
        (50, pairs(&[(a, 3)])),
        (1, pairs(&[(a, 3), (b, 3)])),
        (2, pairs(&[(a, 3), (b, 3), (c, 2)])),
        (3, pairs(&[(a, 3), (b, 2), (c, 2)])),
        (4, pairs(&[(a, 2), (b, 2), (c, 1)])),
    ];
    for (by, given) in &ladder {
        let said = solve(&mut world, *by, given.clone());
        assert_eq!(items_of(&brief(&mut world), said), []);
    }
    let kept = solutions(&world.until_clearing(FLEET));
    assert_eq!(kept.len(), limits::SOLUTIONS_PER_WINDOW);
    assert!(!kept.iter().any(|one| one.agent == key(50).public_key()));
}

#[test]
fn m30_what_lost_its_pairs_since_keeps_out_nothing() {
    let mut world = world([1, 2, 3]);
    let bids: [(u8, &[Price]); 2] = [(1, &[10, 10, 10]), (2, &[20, 20, 20])];
    let tasks = called(&mut world, &[1; 3], &bids);
    let [a, b, c] = tasks[..] else {
        panic!("three tasks")
    };
    solve(&mut world, 3, pairs(&[(a, 1), (b, 2), (c, 2)]));
    brief(&mut world);
    let worse = solve(&mut world, 50, pairs(&[(a, 1), (b, 1)]));
    assert_eq!(
        reason_of(&brief(&mut world), worse),
        Some(Reason::NotBetter)
    );
    world.cancel(c);
    brief(&mut world);
    let better = solve(&mut world, 50, pairs(&[(a, 1), (b, 1)]));
    assert_eq!(items_of(&brief(&mut world), better), []);
}

#[test]
fn m31_what_holds_no_more_at_the_clearing_does_not_count() {
    let mut world = world([1, 2, 3]);
    let tasks = three(&mut world);
    solve(
        &mut world,
        50,
        pairs(&[(tasks[0], 2), (tasks[1], 2), (tasks[2], 1)]),
    );
    brief(&mut world);
    let subject = key(2).public_key();
    let attestation = world.attestation(subject, drone(2)).id();
    world.say(
        &attester(),
        OperationBody::Revoke(Revoke {
            subject,
            attestation,
        }),
    );
    let committed = world.until_clearing(FLEET);
    assert_eq!(
        solutions(&committed)[0].pairs.len(),
        3,
        "the solution stands as it came"
    );
    let won: Vec<_> = assignments(&committed)
        .iter()
        .map(|won| won.agent)
        .collect();
    assert_eq!(won.len(), 3);
    assert!(!won.contains(&subject));
    assert_eq!(dossier(&committed).record.solution, None);
}

/// Submits 160 tasks, on which 16 agents all bid. A longer search finds more in this round.
fn crowd(world: &mut World) -> Vec<TaskId> {
    let mut state = 88_172_645_463_325_252_u64;
    let mut roll = |low: i64, high: i64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        low + (state % (high - low + 1) as u64) as i64
    };
    let mut tasks = Vec::new();
    let mut demanded = 0;
    for _ in 0..4 {
        let specs = (0..40).map(|_| {
            let demand = roll(5, 25);
            demanded += demand;
            TaskSpec {
                demand: slots(demand),
                ..spec(FLEET)
            }
        });
        let specs = specs.collect();
        tasks.extend(world.submit(specs));
        world.step();
    }
    let budget = demanded * 8 / 10 / 16;
    for by in 1..=16 {
        let attestation = world.attestation(key(by).public_key(), drone(budget));
        world.say(&key(by), OperationBody::Attest(Attest { attestation }));
        let offers: Vec<_> = tasks.iter().map(|task| (*task, roll(10, 50))).collect();
        world.bid_under(by, FLEET, slots(budget), &offers);
    }
    tasks
}

/// The pairs that the search finds for the inputs of a dossier with fifty times its effort.
fn longer(world: &World, inputs: &[ClearingInput]) -> Vec<Pair> {
    let round = round_of(world.ledger.swarm(), &label(FLEET), inputs);
    let found = gap_search(&round, 50 * gap_effort(round.bids.len()));
    found
        .winners
        .iter()
        .map(|won| Pair {
            task: won.task,
            agent: won.agent,
        })
        .collect()
}

#[test]
fn m31_a_better_solution_is_what_is_committed() {
    let mut plain = world(1..=16);
    crowd(&mut plain);
    until(&mut plain, Stage::Solutions);
    let number = window(&plain).number;
    let standing = plain.ledger.standing_bids(&label(FLEET), number).unwrap();
    assert_eq!(plain.ledger.standing_bids(&label(FLEET), number + 1), None);
    let mut solved = plain.clone();

    let baseline = plain.until_clearing(FLEET);
    assert_eq!(
        dossier(&baseline).inputs,
        standing,
        "a solver is told the inputs that are cleared"
    );
    let better = longer(&solved, &standing);
    let said = solve(&mut solved, 50, better.clone());
    let committed = solved.until_clearing(FLEET);
    let (before, after) = (&dossier(&baseline).record, &dossier(&committed).record);
    assert_eq!((before.solution, after.solution), (None, Some(said)));
    assert!((after.assigned, -after.total) > (before.assigned, -before.total));
    let won = assignments(&committed).into_iter();
    let won: Vec<_> = won
        .map(|won| Pair {
            task: won.task,
            agent: won.agent,
        })
        .collect();
    assert_eq!(won, better);
    assert!(
        assignments(&committed)
            .iter()
            .all(|won| won.price == won.charge),
        "paid as bid"
    );
    let kept = SolutionInput {
        agent: key(50).public_key(),
        operation: said,
        pairs: better,
    };
    assert_eq!(
        dossier(&committed).inputs.last(),
        Some(&ClearingInput::Solution(kept))
    );
}
