//! Runs auctions again from dossiers that a ledger made, and each way in which that fails (C-17 to
//! C-20).

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

#[path = "../../../ledger/tests/suite/common/mod.rs"]
mod world;

use quorate_certificate::{
    Amount, Dossier, DossierError, Judgement, Mismatch, Replay, ReplayError, TrustRoot,
};
use quorate_crypto::merkle;
use quorate_types::operation::{Pair, Solve};
use quorate_types::outcome::{Assignment, ClearingInput};
use quorate_types::*;
use world::*;

/// The result of one clearing of a ledger.
struct Cleared {
    root: TrustRoot,
    dossier: Dossier,
    assignments: Vec<Assignment>,
}

impl Cleared {
    fn replay(&self) -> Result<Replay, ReplayError> {
        Replay::run(&self.dossier, &self.root)
    }

    /// The dossier with changed inputs, and a record that binds the changed inputs.
    fn bound(&self, change: impl FnOnce(&mut Vec<ClearingInput>)) -> Self {
        let mut dossier = self.dossier.clone();
        change(&mut dossier.inputs);
        let leaves: Vec<_> = dossier.inputs.iter().map(cbor::encode).collect();
        dossier.record.inputs = merkle::root(&leaves);
        dossier.record.input_count = leaves.len() as u64;
        Self {
            root: self.root.clone(),
            dossier,
            assignments: self.assignments.clone(),
        }
    }
}

/// A clearing by this mechanism of three tasks and five bidders, with ties and excluded bids.
fn cleared(mechanism: &str) -> Cleared {
    let genesis = Genesis {
        markets: vec![market("drones", mechanism, true)],
        ..genesis()
    };
    let root = TrustRoot::from_genesis(&genesis).unwrap();
    let mut world = World::with(genesis);
    world.admit(50, Capabilities::new());
    (1..=4).for_each(|number| drop(world.admit(number, drone(2))));
    world.admit(5, Capabilities::new().amount("slots", 1).unwrap());
    world.step();
    let limits = [900, 800, 700];
    let requires = Capabilities::new().label("drone").unwrap();
    let tasks = limits.map(|limit| TaskSpec {
        max_price: Some(limit),
        requires: requires.clone(),
        ..spec("drones")
    });
    let tasks = world.submit(tasks.to_vec());
    world.step();
    let all = |prices: [Price; 3]| [0, 1, 2].map(|at| (tasks[at], prices[at]));
    for (number, prices) in [
        (1, [100, 200, 300]),
        (2, [100, 220, 250]),
        (3, [150, 200, 999]),
    ] {
        world.bid_under(number, "drones", slots(2), &all(prices));
    }
    world.bid(4, "drones", &all([400, 410, 420]));
    // Nobody attested agent 5 the label that the tasks require.
    world.bid(5, "drones", &all([1, 1, 1]));
    let committed = world.until_clearing("drones");
    let [dossier] = &committed.dossiers[..] else {
        panic!("one dossier")
    };
    let (record, inputs) = (dossier.record.clone(), dossier.inputs.clone());
    let assignments = assignments(&committed).into_iter().cloned().collect();
    Cleared {
        root,
        dossier: Dossier { record, inputs },
        assignments,
    }
}

const MECHANISMS: [&str; 8] = [
    "first-price",
    "second-price",
    "sequential",
    "assignment",
    "vcg",
    "uniform-double",
    "mcafee",
    "gap",
];

#[test]
fn c18_each_mechanism_gives_what_its_ledger_gave() {
    assert_eq!(quorate_market::mechanisms().len(), MECHANISMS.len());
    for mechanism in MECHANISMS {
        let cleared = cleared(mechanism);
        let replay = cleared.replay().unwrap();
        assert!(!cleared.assignments.is_empty(), "{mechanism}");
        assert_eq!(
            replay.winners().count(),
            cleared.assignments.len(),
            "{mechanism}"
        );
        assert_eq!(replay.clearing(), cleared.dossier.record.hash());
        for assignment in &cleared.assignments {
            assert_eq!(replay.check(assignment), Ok(()), "{mechanism}");
        }
        let bytes = cleared.dossier.encode();
        let read = Dossier::decode(&bytes).unwrap();
        assert_eq!(Replay::run(&read, &cleared.root), Ok(replay), "{mechanism}");
    }
}

#[test]
fn c17_no_input_can_be_left_out_or_changed() {
    let cleared = cleared("second-price");
    let count = cleared.dossier.inputs.len();
    for at in 0..count {
        let mut short = cleared.dossier.clone();
        short.inputs.remove(at);
        let (found, recorded) = (count as u64 - 1, count as u64);
        let expected = Err(ReplayError::Dossier(DossierError::Count {
            found,
            recorded,
        }));
        assert_eq!(
            Replay::run(&short, &cleared.root),
            expected,
            "without input {at}"
        );
        short.record.input_count -= 1;
        let expected = Err(ReplayError::Dossier(DossierError::Root));
        assert_eq!(
            Replay::run(&short, &cleared.root),
            expected,
            "without input {at}"
        );
    }
    let mut changed = cleared.dossier.clone();
    let Some(ClearingInput::Bid(bid)) = changed.inputs.last_mut() else {
        panic!("a bid is last")
    };
    bid.price = Some(17);
    let error = Replay::run(&changed, &cleared.root).unwrap_err();
    assert_eq!(error, ReplayError::Dossier(DossierError::Root));
    assert_eq!(
        (error.code(), error.judgement()),
        ("dossier_root", Judgement::NotAuthentic)
    );
}

#[test]
fn c17_another_rule_cannot_be_evaluated() {
    let mut cleared = cleared("first-price");
    cleared.dossier.record.version = 9;
    let error = cleared.replay().unwrap_err();
    let mechanism = label("first-price");
    assert_eq!(
        error,
        ReplayError::Version {
            mechanism,
            recorded: 9,
            known: 1
        }
    );
    assert_eq!(error.judgement(), Judgement::CannotEvaluate);
    cleared.dossier.record.mechanism = label("ouija");
    let own = Market {
        mechanism: label("ouija"),
        ..market("drones", "vcg", true)
    };
    cleared.root = root_with(own);
    let error = cleared.replay().unwrap_err();
    assert_eq!(error, ReplayError::Mechanism(label("ouija")));
    assert_eq!(
        (error.code(), error.judgement()),
        ("unknown_mechanism", Judgement::CannotEvaluate)
    );
}

/// A genesis of another swarm, with this market alone.
fn root_with(market: Market) -> TrustRoot {
    TrustRoot::from_genesis(&Genesis {
        markets: vec![market],
        ..genesis()
    })
    .unwrap()
}

#[test]
fn c17_the_rule_is_that_of_the_market_in_the_genesis() {
    let mut cleared = cleared("first-price");
    let rule = market("drones", "first-price", true);
    for other in [
        Market {
            mechanism: label("second-price"),
            ..rule.clone()
        },
        Market {
            reserve: None,
            ..rule.clone()
        },
        Market {
            reserve: Some(999),
            ..rule.clone()
        },
        Market {
            name: label("planes"),
            ..rule
        },
    ] {
        cleared.root = root_with(other);
        let error = cleared.replay().unwrap_err();
        assert_eq!(error, ReplayError::Market(label("drones")));
        assert_eq!(
            (error.code(), error.judgement()),
            ("market_rule", Judgement::NotAuthentic)
        );
    }
}

#[test]
fn c17_what_no_clearing_has_is_refused_before_it_is_run() {
    let cleared = cleared("assignment");
    type Change = fn(&mut Vec<ClearingInput>);
    let table: [(&str, Change); 9] = [
        ("a task twice", |inputs| inputs.insert(1, inputs[0].clone())),
        ("tasks out of order", |inputs| inputs.swap(0, 1)),
        ("a task behind a bidder", |inputs| inputs.swap(2, 3)),
        ("bidders out of order", |inputs| inputs.swap(3, 4)),
        ("a bidder behind a bid", |inputs| inputs.swap(7, 8)),
        ("bids out of order", |inputs| inputs.swap(8, 9)),
        ("a limit above all limits", |inputs| {
            let ClearingInput::Task(task) = &mut inputs[0] else {
                panic!("a task is first")
            };
            task.limit = i64::MAX;
        }),
        ("a negative demand", |inputs| {
            let ClearingInput::Task(task) = &mut inputs[0] else {
                panic!("a task is first")
            };
            task.demand = slots(-1);
        }),
        ("a negative budget", |inputs| {
            let ClearingInput::Bidder(bidder) = &mut inputs[3] else {
                panic!("a bidder")
            };
            bidder.budget = slots(-1);
        }),
    ];
    for (what, change) in table {
        let error = cleared.bound(change).replay().unwrap_err();
        assert!(matches!(error, ReplayError::Input(_)), "{what}: {error:?}");
        assert_eq!(error.judgement(), Judgement::NotAuthentic);
    }
}

#[test]
fn c17_a_bid_that_takes_part_is_a_bid() {
    let cleared = cleared("assignment");
    let changed = |change: fn(&mut outcome::BidInput)| {
        let changed = cleared.bound(|inputs| {
            let live = inputs.iter_mut().find_map(|input| match input {
                ClearingInput::Bid(bid) if bid.excluded.is_none() => Some(bid),
                _ => None,
            });
            change(live.unwrap());
        });
        changed.replay().unwrap_err()
    };
    for (what, error) in [
        ("without a price", changed(|bid| bid.price = None)),
        ("below nothing", changed(|bid| bid.price = Some(-1))),
        (
            "above all limits",
            changed(|bid| bid.price = Some(i64::MAX)),
        ),
        ("by nobody", changed(|bid| bid.agent = PublicKey([0; 32]))),
        (
            "on nothing",
            changed(|bid| bid.task.requester = PublicKey([0; 32])),
        ),
    ] {
        assert!(matches!(error, ReplayError::Input(_)), "{what}: {error:?}");
    }
}

/// A clearing by `gap` of three tasks and three bidders that are all alike, so that only the tie
/// rule decides among the six ways. One member proposes a worse way, then another one the best.
fn solved() -> Cleared {
    let market = Market {
        solve_ms: Some(600),
        ..market("drones", "gap", true)
    };
    let genesis = Genesis {
        markets: vec![market],
        ..genesis()
    };
    let root = TrustRoot::from_genesis(&genesis).unwrap();
    let mut world = World::with(genesis);
    world.admit(50, Capabilities::new());
    (1..=3).for_each(|number| drop(world.admit(number, drone(1))));
    world.step();
    let tasks = world.submit(vec![spec("drones"); 3]);
    world.step();
    for number in 1..=3 {
        world.bid(number, "drones", &[0, 1, 2].map(|at| (tasks[at], 100)));
    }
    while world.ledger.windows()[0].stage != Stage::Solutions {
        world.step();
    }
    let swarm = world.ledger.swarm();
    let ties = quorate_market::TieSeed {
        swarm,
        market: label("drones"),
    };
    let ways = [
        [1, 2, 3],
        [1, 3, 2],
        [2, 1, 3],
        [2, 3, 1],
        [3, 1, 2],
        [3, 2, 1],
    ];
    let mut ways = ways.map(|way| {
        let pairs = [0, 1, 2].map(|at| (tasks[at], key(way[at]).public_key()));
        let mut keys = pairs.map(|(task, agent)| ties.key(&task, &agent));
        keys.sort();
        (
            keys,
            pairs.map(|(task, agent)| Pair { task, agent }).to_vec(),
        )
    });
    ways.sort();
    let mut committed = world.step();
    for (by, way) in [(2, 5), (1, 0)] {
        let pairs = ways[way].1.clone();
        world.say(
            &key(by),
            OperationBody::Solve(Solve {
                market: label("drones"),
                window: 0,
                pairs,
            }),
        );
        // The second solution comes in the last block of the window.
        committed = world.step();
    }
    let [dossier] = &committed.dossiers[..] else {
        panic!("one dossier")
    };
    let dossier = Dossier {
        record: dossier.record.clone(),
        inputs: dossier.inputs.clone(),
    };
    let assignments = assignments(&committed).into_iter().cloned().collect();
    Cleared {
        root,
        dossier,
        assignments,
    }
}

#[test]
fn c18_the_solution_taken_is_the_one_that_the_record_names() {
    let mut cleared = solved();
    let replay = cleared.replay().unwrap();
    for assignment in &cleared.assignments {
        assert_eq!(replay.check(assignment), Ok(()));
    }
    assert_eq!(cleared.dossier.inputs.len(), 3 + 3 + 9 + 2);
    let solutions: Vec<_> = cleared.dossier.inputs[15..].to_vec();
    let taken = cleared.dossier.record.solution;
    let of = |input: &ClearingInput| match input {
        ClearingInput::Solution(solution) => (solution.agent, Some(solution.operation)),
        _ => panic!("solutions are last"),
    };
    let [(first, one), (second, other)] = [of(&solutions[0]), of(&solutions[1])];
    assert!(first < second);
    let right = if first == key(1).public_key() {
        one
    } else {
        other
    };
    assert_eq!(taken, right);
    for wrong in [None, if taken == one { other } else { one }] {
        cleared.dossier.record.solution = wrong;
        let error = cleared.replay().unwrap_err();
        assert_eq!(
            (&error, error.code()),
            (&ReplayError::Solution, "replayed_solution")
        );
        assert_eq!(error.judgement(), Judgement::NotAuthentic);
    }
    // If the solution that was taken is left out of the inputs, the mechanism takes another one or
    // none, which is not the one that the record names.
    cleared.dossier.record.solution = taken;
    let at = if taken == one { 15 } else { 16 };
    let without = cleared.bound(|inputs| drop(inputs.remove(at)));
    assert_eq!(without.replay(), Err(ReplayError::Solution));
}

#[test]
fn c17_a_solution_is_one_that_a_clearing_has() {
    let mut cleared = solved();
    let taken = cleared.root.clone();
    cleared.root = root_with(market("drones", "gap", true));
    assert_eq!(
        cleared.replay(),
        Err(ReplayError::Input(15)),
        "in a market that takes no solutions"
    );
    cleared.root = taken;
    type Change = fn(&mut Vec<ClearingInput>);
    fn pairs(input: &mut ClearingInput) -> &mut Vec<Pair> {
        let ClearingInput::Solution(solution) = input else {
            panic!("solutions are last")
        };
        &mut solution.pairs
    }
    let table: [(&str, Change); 7] = [
        ("out of order", |inputs| inputs.swap(15, 16)),
        ("of one agent twice", |inputs| {
            inputs.push(inputs[16].clone())
        }),
        ("before a bid", |inputs| inputs.swap(14, 15)),
        ("before a bidder", |inputs| inputs.swap(5, 15)),
        ("of no pairs", |inputs| pairs(&mut inputs[15]).clear()),
        ("unsorted", |inputs| pairs(&mut inputs[15]).reverse()),
        ("more than are kept", |inputs| {
            for byte in 250..253 {
                let mut further = inputs[16].clone();
                let ClearingInput::Solution(solution) = &mut further else {
                    panic!("one is last")
                };
                solution.agent = PublicKey([byte; 32]);
                inputs.push(further);
            }
        }),
    ];
    for (what, change) in table {
        let error = cleared.bound(change).replay().unwrap_err();
        assert!(matches!(error, ReplayError::Input(_)), "{what}: {error:?}");
    }
}

/// A committee that runs another rule than its record says, or that counts wrong.
#[test]
fn c18_the_record_says_what_the_auction_gives() {
    let mut cleared = cleared("first-price");
    cleared.dossier.record.assigned = 2;
    let error = ReplayError::Assigned {
        recorded: 2,
        replayed: 3,
    };
    assert_eq!(cleared.replay(), Err(error.clone()));
    assert_eq!(
        (error.code(), error.judgement()),
        ("replayed_count", Judgement::NotAuthentic)
    );
    cleared.dossier.record.assigned = 3;
    let replayed = cleared.dossier.record.total;
    cleared.dossier.record.total += 1;
    let error = ReplayError::Total {
        recorded: replayed + 1,
        replayed,
    };
    assert_eq!(cleared.replay(), Err(error.clone()));
    assert_eq!(
        (error.code(), error.judgement()),
        ("replayed_total", Judgement::NotAuthentic)
    );
}

#[test]
fn c19_a_certified_assignment_is_the_one_that_the_auction_gives() {
    let cleared = cleared("second-price");
    let replay = cleared.replay().unwrap();
    let right = &cleared.assignments[0];
    let loser = key(4).public_key();
    let amount = |what, certified, replayed| Mismatch::Amount {
        what,
        certified,
        replayed,
    };
    type Change = Box<dyn Fn(&mut Assignment)>;
    let change = |change: fn(&mut Assignment)| -> Change { Box::new(change) };
    let table: [(Change, Mismatch); 8] = [
        (
            change(|of| of.clearing = Hash::ZERO),
            Mismatch::Clearing(Hash::ZERO),
        ),
        (change(|of| of.task.number = 77), Mismatch::Unassigned),
        (
            Box::new(move |of| of.agent = loser),
            Mismatch::Agent {
                certified: loser,
                replayed: right.agent,
            },
        ),
        (
            change(|of| of.price += 1),
            amount(Amount::Price, right.price + 1, right.price),
        ),
        (
            change(|of| of.charge += 1),
            amount(Amount::Charge, right.charge + 1, right.charge),
        ),
        (change(|of| of.market = label("spot")), Mismatch::Reference),
        (change(|of| of.spec = Hash::ZERO), Mismatch::Reference),
        (
            change(|of| of.bid = OperationId([7; 32])),
            Mismatch::Reference,
        ),
    ];
    for (change, expected) in table {
        let mut wrong = right.clone();
        change(&mut wrong);
        assert_eq!(replay.check(&wrong), Err(expected));
    }
}

#[test]
fn c19_the_dossier_of_another_clearing_says_nothing_of_an_assignment() {
    let (one, other) = (cleared("first-price"), cleared("vcg"));
    let replay = other.replay().unwrap();
    let expected = Mismatch::Clearing(one.dossier.record.hash());
    assert_eq!(replay.check(&one.assignments[0]), Err(expected));
}

/// Ties depend on the swarm, which comes from the trust root and not from the dossier.
#[test]
fn c18_ties_are_those_of_the_swarm() {
    let cleared = cleared("first-price");
    let winners = |root: &TrustRoot| {
        let replay = Replay::run(&cleared.dossier, root).unwrap();
        replay
            .winners()
            .map(|award| award.agent)
            .collect::<Vec<_>>()
    };
    let own = winners(&cleared.root);
    let other = |attempts| {
        root_with(Market {
            attempts,
            ..market("drones", "first-price", true)
        })
    };
    assert!(
        (3..20).any(|attempts| winners(&other(attempts)) != own),
        "two bids of 100 tie"
    );
}
