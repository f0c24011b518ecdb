//! Laws that hold whatever members say, honest or not. Two ledgers execute random streams of
//! operations, and an observer checks the outcomes.
#![expect(clippy::unwrap_used, reason = "a test's helpers may fail the test")]

use std::collections::{BTreeMap, BTreeSet};

use crate::common::*;
use proptest::prelude::*;
use quorate_crypto::Verified;
use quorate_ledger::{Committed, Dossier, Ledger, Proposal};
use quorate_market::mechanism;
use quorate_types::operation::{
    Attest, Cancel, Lapse, OperationBody, Revoke, Submit, Suspicion, Withdraw,
};
use quorate_types::outcome::ClearingInput;
use quorate_types::*;

const AGENTS: u8 = 4;
/// The market before the last is sealed, and the last takes solutions.
const MARKETS: [&str; 4] = ["spot", "drones", "quiet", "fleet"];
const QUIET: usize = 2;
const FLEET: usize = 3;

/// An act of a member. Its numbers may point to tasks and bids that do not exist.
#[derive(Debug, Clone)]
enum Act {
    Submit {
        market: usize,
        demand: i64,
        picky: bool,
        deadline: Option<u64>,
    },
    Cancel {
        by: u8,
        task: u64,
    },
    Bid {
        by: u8,
        market: usize,
        budget: i64,
        offers: BTreeMap<u64, Price>,
    },
    Reveal {
        by: u8,
        offers: BTreeMap<u64, Price>,
    },
    Solve {
        by: u8,
        pairs: BTreeMap<u64, u8>,
    },
    Withdraw {
        by: u8,
        market: usize,
    },
    TaskReport {
        by: u8,
        task: u64,
        kind: u8,
        lie: u8,
    },
    Lapse {
        by: u8,
        task: u64,
        voters: u8,
    },
    Revoke {
        by: u8,
        subject: u8,
    },
    Attest {
        by: u8,
        slots: i64,
    },
    /// An operation that arrives one block late, so that later ones of its agent have to wait.
    Late {
        by: u8,
    },
}

fn act() -> impl Strategy<Value = Act> {
    let (by, task) = (1..=AGENTS, 0u64..12);
    let market = prop_oneof![3 => 0..QUIET, 1 => Just(QUIET), 1 => Just(FLEET)];
    let pairs = prop::collection::btree_map(task.clone(), by.clone(), 0..4);
    let submit = (
        market.clone(),
        0i64..4,
        any::<bool>(),
        prop::option::of(1u64..15_000),
    );
    let offers = prop::collection::btree_map(task.clone(), 0i64..1050, 0..12);
    let reveal = (by.clone(), offers.clone());
    let bid = (by.clone(), market.clone(), 0i64..4, offers);
    let report = (by.clone(), task.clone(), 0u8..7, 0u8..6);
    prop_oneof![
        3 => submit.prop_map(|(market, demand, picky, deadline)| {
            Act::Submit { market, demand, picky, deadline }
        }),
        1 => (prop_oneof![1 => Just(50), 2 => Just(1)], task.clone())
            .prop_map(|(by, task)| Act::Cancel { by, task }),
        8 => bid.prop_map(|(by, market, budget, offers)| {
            Act::Bid { by, market, budget, offers }
        }),
        8 => reveal.prop_map(|(by, offers)| Act::Reveal { by, offers }),
        4 => (by.clone(), pairs).prop_map(|(by, pairs)| Act::Solve { by, pairs }),
        1 => (by.clone(), market).prop_map(|(by, market)| Act::Withdraw { by, market }),
        12 => report.prop_map(|(by, task, kind, lie)| Act::TaskReport { by, task, kind, lie }),
        4 => (by.clone(), task, 0u8..5)
            .prop_map(|(by, task, voters)| Act::Lapse { by, task, voters }),
        1 => (prop_oneof![Just(200u8), Just(1)], by.clone())
            .prop_map(|(by, subject)| Act::Revoke { by, subject }),
        2 => (by.clone(), 0i64..4).prop_map(|(by, slots)| Act::Attest { by, slots }),
        1 => by.prop_map(|by| Act::Late { by }),
    ]
}

type Blocks = Vec<(Vec<Act>, Millis)>;

fn blocks() -> impl Strategy<Value = Blocks> {
    prop::collection::vec((prop::collection::vec(act(), 0..8), 1u64..600), 1..40)
}

fn task_id(number: u64) -> TaskId {
    TaskId {
        requester: key(50).public_key(),
        number,
    }
}

/// The operation of an act, and the number of the agent that signs it.
fn operation(world: &World, act: &Act) -> (u8, OperationBody) {
    match act {
        Act::Submit {
            market,
            demand,
            picky,
            deadline,
        } => {
            let mut spec = spec(MARKETS[*market]);
            if *demand > 0 {
                spec.demand = slots(*demand);
            }
            if *picky {
                spec.requires = Capabilities::new().label("drone").unwrap();
            }
            spec.deadline = deadline.map(|after| world.ledger.block_time() + after);
            let first = world
                .ledger
                .account(&key(50).public_key())
                .map_or(0, |a| a.next_task);
            (
                50,
                OperationBody::Submit(Submit {
                    first,
                    tasks: vec![spec],
                }),
            )
        }
        Act::Cancel { by, task } => (
            *by,
            OperationBody::Cancel(Cancel {
                task: task_id(*task),
            }),
        ),
        Act::Bid {
            by,
            market: QUIET,
            budget,
            offers,
        } => (*by, seal(world, *by, *budget, offers)),
        Act::Reveal { by, offers } => (*by, reveal(world, *by, offers)),
        Act::Solve { by, pairs } => (*by, solve(world, pairs)),
        Act::Bid {
            by,
            market,
            budget,
            offers,
        } => {
            let offer = |(task, price): (&u64, &Price)| operation::Offer {
                task: task_id(*task),
                price: *price,
            };
            let bid = operation::Bid {
                market: label(MARKETS[*market]),
                budget: slots(*budget),
                offers: offers.iter().map(offer).collect(),
            };
            (*by, OperationBody::Bid(bid))
        }
        Act::Withdraw { by, market } => (
            *by,
            OperationBody::Withdraw(Withdraw {
                market: label(MARKETS[*market]),
            }),
        ),
        Act::TaskReport {
            by,
            task,
            kind,
            lie,
        } => report_by(world, *by, task_id(*task), *kind, *lie),
        Act::Lapse { by, task, voters } => (*by, lapse(world, task_id(*task), *voters)),
        Act::Revoke { by, subject } => {
            let subject = key(*subject).public_key();
            let attestation = world.attestation(subject, drone(2)).id();
            (
                *by,
                OperationBody::Revoke(Revoke {
                    subject,
                    attestation,
                }),
            )
        }
        Act::Attest { by, slots } => {
            let attestation = world.attestation(key(*by).public_key(), drone(*slots));
            (*by, OperationBody::Attest(Attest { attestation }))
        }
        Act::Late { by } => (
            *by,
            OperationBody::Withdraw(Withdraw {
                market: label("gap"),
            }),
        ),
    }
}

/// A report, mostly by the assignee under the right token; otherwise by a stranger (`lie` 0) or
/// under an old token (`lie` 1).
fn report_by(world: &World, by: u8, task: TaskId, kind: u8, lie: u8) -> (u8, OperationBody) {
    let view = world.ledger.task(task);
    let token = view.as_ref().map_or(FencingToken(1), |view| view.token);
    let holder = view.and_then(|view| Some(view.state.assignee()?.agent));
    let honest = (1..=AGENTS).find(|number| Some(key(*number).public_key()) == holder);
    let by = if lie == 0 { by } else { honest.unwrap_or(by) };

    let report = report(
        task,
        FencingToken(token.0.saturating_sub(u64::from(lie == 1))),
    );
    let body = match kind {
        0 => OperationBody::Accept(report),
        1 => OperationBody::Decline(report),
        2 => OperationBody::Complete(report),
        _ => OperationBody::Fail(report),
    };
    (by, body)
}

fn seal(world: &World, by: u8, budget: i64, offers: &BTreeMap<u64, Price>) -> OperationBody {
    let (swarm, agent) = (world.ledger.swarm(), key(by).public_key());
    let offers = offers.iter().map(|(task, price)| {
        let opening = opening(by, *task, *price);
        let commitment = opening.commitment(&swarm, &agent);
        operation::SealedOffer {
            task: opening.task,
            commitment,
        }
    });
    let (window, market) = (window(world, QUIET), label(MARKETS[QUIET]));
    let (budget, offers) = (slots(budget), offers.collect());
    OperationBody::Seal(operation::Seal {
        market,
        window,
        budget,
        offers,
    })
}

fn reveal(world: &World, by: u8, offers: &BTreeMap<u64, Price>) -> OperationBody {
    let openings = offers
        .iter()
        .map(|(task, price)| opening(by, *task, *price))
        .collect();
    let (window, market) = (window(world, QUIET), label(MARKETS[QUIET]));
    OperationBody::Reveal(operation::Reveal {
        market,
        window,
        openings,
    })
}

/// An opening at one of three prices, so that a later act may open what an earlier one sealed.
fn opening(by: u8, task: u64, price: Price) -> operation::Opening {
    operation::Opening {
        task: task_id(task),
        price: price % 3,
        nonce: Nonce([by; 32]),
    }
}

/// A solution of standing bids if there are any, otherwise of pairs that need not exist.
fn solve(world: &World, pairs: &BTreeMap<u64, u8>) -> OperationBody {
    let (window, market) = (window(world, FLEET), label(MARKETS[FLEET]));
    let standing = world
        .ledger
        .standing_bids(&market, window)
        .unwrap_or_default();
    let bids = standing.iter().filter_map(|input| match input {
        ClearingInput::Bid(bid) => Some((bid.task, bid.agent)),
        _ => None,
    });
    let bids: Vec<_> = bids.collect();
    let pair = |(task, by): (&u64, &u8)| {
        let at = (*task as usize + usize::from(*by)).checked_rem(bids.len());
        at.map_or((task_id(*task), key(*by).public_key()), |at| bids[at])
    };
    let pairs: BTreeMap<_, _> = pairs.iter().map(pair).collect();
    let pairs = pairs
        .into_iter()
        .map(|(task, agent)| operation::Pair { task, agent });
    OperationBody::Solve(operation::Solve {
        market,
        window,
        pairs: pairs.collect(),
    })
}

fn window(world: &World, market: usize) -> u64 {
    let windows = world.ledger.windows();
    windows
        .iter()
        .find(|window| window.market == label(MARKETS[market]))
        .unwrap()
        .number
}

fn lapse(world: &World, task: TaskId, voters: u8) -> OperationBody {
    let (swarm, height) = (world.ledger.swarm(), world.ledger.height());
    let token = world
        .ledger
        .task(task)
        .map_or(FencingToken(1), |view| view.token);
    let suspicion = Suspicion {
        swarm,
        task,
        token,
        height,
    };
    let signed = (0..voters).map(|number| validator(number).sign(suspicion.clone()).into_inner());
    let mut suspicions: Vec<_> = signed.collect();
    suspicions.sort_by_key(|suspicion| suspicion.signer);
    OperationBody::Lapse(Lapse {
        task,
        token,
        suspicions,
    })
}

/// An observer that knows the outcomes alone and does not ask the ledger.
#[derive(Default)]
struct Observer {
    tokens: BTreeMap<TaskId, FencingToken>,
    holders: BTreeMap<TaskId, PublicKey>,
    failed: BTreeSet<(TaskId, PublicKey)>,
    ended: BTreeSet<TaskId>,
}

impl Observer {
    /// Checks that tokens grow by one (L-16), and that nobody gets a task that ended, that another
    /// agent holds, or on which it failed before (L-17). A receipt names the assignee before it
    /// (L-18).
    fn observe(&mut self, outcome: &Outcome) -> Result<(), TestCaseError> {
        match outcome {
            Outcome::Assignment(won) => {
                let last = self
                    .tokens
                    .insert(won.task, won.token)
                    .unwrap_or(FencingToken::ZERO);
                prop_assert_eq!(won.token, last.next());
                prop_assert!(!self.ended.contains(&won.task));
                prop_assert!(!self.failed.contains(&(won.task, won.agent)));
                prop_assert_eq!(self.holders.insert(won.task, won.agent), None);
            }
            Outcome::Receipt(receipt) => {
                let holder = self.holders.get(&receipt.task).copied();
                prop_assert_eq!(receipt.agent, holder);
                prop_assert_eq!(
                    receipt.token,
                    self.tokens
                        .get(&receipt.task)
                        .copied()
                        .unwrap_or(FencingToken::ZERO)
                );
                match &receipt.operation.payload.body {
                    OperationBody::Accept(_) => {}
                    OperationBody::Complete(_) | OperationBody::Cancel(_) => {
                        self.holders.remove(&receipt.task);
                        prop_assert!(self.ended.insert(receipt.task));
                    }
                    _ => {
                        self.holders.remove(&receipt.task);
                        self.failed.insert((receipt.task, holder.unwrap()));
                    }
                }
            }
            Outcome::Expiry(expiry) => {
                prop_assert!(!self.holders.contains_key(&expiry.task));
                prop_assert!(self.ended.insert(expiry.task));
            }
            Outcome::Clearing(_) | Outcome::Refusal(_) => {}
        }
        Ok(())
    }

    /// Checks that the ledger says of every task what the outcomes say (L-15).
    fn compare(&self, ledger: &Ledger) -> Result<(), TestCaseError> {
        let requester = key(50).public_key();
        let count = ledger
            .account(&requester)
            .map_or(0, |account| account.next_task);
        let mut open = BTreeSet::new();
        for task in (0..count).map(task_id) {
            let Some(view) = ledger.task(task) else {
                // A refused submission uses its numbers up (L-14), so the task never existed.
                prop_assert!(!self.tokens.contains_key(&task) && !self.ended.contains(&task));
                continue;
            };
            prop_assert_eq!(
                view.token,
                self.tokens
                    .get(&task)
                    .copied()
                    .unwrap_or(FencingToken::ZERO)
            );
            prop_assert_eq!(view.state.has_ended(), self.ended.contains(&task));
            let holder = view.state.assignee().map(|assignee| assignee.agent);
            prop_assert_eq!(holder.as_ref(), self.holders.get(&task));
            if holder.is_none() && !view.state.has_ended() {
                open.insert(task);
            }
        }
        let listed = MARKETS
            .iter()
            .flat_map(|name| ledger.open_tasks(&label(name), 1000));
        prop_assert_eq!(listed.map(|(task, _)| task).collect::<BTreeSet<_>>(), open);
        let leases = ledger
            .leases()
            .into_iter()
            .map(|lease| (lease.task, lease.agent));
        prop_assert_eq!(&leases.collect::<BTreeMap<_, _>>(), &self.holders);
        Ok(())
    }
}

/// Checks that the tasks that an agent holds fit into the greatest amount ever attested (L-12).
fn check_capacity(ledger: &Ledger, most: &BTreeMap<PublicKey, i64>) -> Result<(), TestCaseError> {
    let mut taken: BTreeMap<PublicKey, i64> = BTreeMap::new();
    for lease in ledger.leases() {
        let spec = ledger.task(lease.task).unwrap().spec;
        let demand = spec.demand.get(&label("slots")).copied().unwrap_or(1);
        *taken.entry(lease.agent).or_default() += demand;
    }
    for (agent, taken) in taken {
        prop_assert!(
            taken <= most.get(&agent).copied().unwrap_or(0),
            "{taken} by {agent}"
        );
    }
    Ok(())
}

/// Runs the auction again from the dossier alone. Returns the winners with their prices.
fn rerun(swarm: SwarmId, dossier: &Dossier) -> Vec<(TaskId, PublicKey, Price)> {
    let round = round_of(swarm, &dossier.record.market, &dossier.inputs);
    let clearing = mechanism(&dossier.record.mechanism).unwrap().clear(&round);
    clearing
        .winners
        .iter()
        .map(|award| (award.task, award.agent, award.payment))
        .collect()
}

fn check_clearings(ledger: &Ledger, committed: &Committed) -> Result<(), TestCaseError> {
    for dossier in &committed.dossiers {
        let record = dossier.record.hash();
        let of = assignments(committed)
            .into_iter()
            .filter(|won| won.clearing == record);
        let won: Vec<_> = of.map(|won| (won.task, won.agent, won.price)).collect();
        prop_assert_eq!(won, rerun(ledger.swarm(), dossier));
    }
    Ok(())
}

/// The block that another ledger builds from the same operations, given in another order.
fn reproposed(other: &Ledger, world: &World, block: &Block, twist: usize) -> Verified<Block> {
    let mut operations = world.waiting.clone();
    operations.reverse();
    let middle = twist % operations.len().max(1);
    operations.rotate_left(middle);
    let proposal = Proposal {
        block_time: block.header.block_time,
        builder: block.header.builder,
        missed_turns: block.header.missed_turns,
        previous_commit: world.last_commit.clone(),
        operations,
        evidence: Vec::new(),
    };
    other.propose(proposal).0
}

fn world() -> World {
    let mut genesis = genesis();
    let (reveal_ms, window_ms) = (Some(300), 100);
    let rule = market(MARKETS[QUIET], "second-price", true);
    genesis.markets.push(Market {
        reveal_ms,
        window_ms,
        ..rule
    });
    let solve_ms = Some(300);
    let rule = market(MARKETS[FLEET], "gap", true);
    genesis.markets.push(Market {
        solve_ms,
        window_ms,
        ..rule
    });
    genesis.markets.sort_by(|a, b| a.name.cmp(&b.name));
    World::with(genesis)
}

fn run(blocks: Blocks) -> Result<(), TestCaseError> {
    let mut world = world();
    world.admit(50, Capabilities::new());
    let mut most = BTreeMap::new();
    for number in 1..=AGENTS {
        world.admit(number, drone(2));
        most.insert(key(number).public_key(), 2);
    }
    let mut other = world.ledger.clone();
    let (mut observer, mut said) = (Observer::default(), std::mem::take(&mut world.waiting));
    for (acts, wait) in blocks {
        let mut withheld = Vec::new();
        for act in &acts {
            if let Act::Attest { by, slots } = act {
                let amount = most.entry(key(*by).public_key()).or_default();
                *amount = (*amount).max(*slots);
            }
            let (by, body) = operation(&world, act);
            let operation = world.sign(&key(by), body);
            let late = matches!(act, Act::Late { .. });
            if late { &mut withheld } else { &mut said }.push(operation);
        }
        // All operations are handed in again: none that was committed is committed a second time.
        world.waiting = said.clone();
        said.extend(withheld);
        let before: BTreeMap<PublicKey, u64> = said
            .iter()
            .map(|one| (one.signer, world.ledger.next_sequence(&one.signer)))
            .collect();
        let (block, proposed) = world.propose_at(world.ledger.block_time() + wait, 0);
        for operation in &block.operations {
            prop_assert!(operation.payload.sequence >= before[&operation.signer]);
        }
        let again = reproposed(&other, &world, &block, acts.len());
        prop_assert_eq!(again.header.id(), block.header.id());
        let execution = other.execute(&block).unwrap();
        prop_assert_eq!(execution.outcomes(), proposed.outcomes());
        other.commit(execution).unwrap();
        let committed = world.decide(block);
        prop_assert_eq!(world.ledger.state_root(), other.state_root());
        prop_assert!(world.ledger.index_is_consistent());
        for outcome in &committed.outcomes {
            observer.observe(outcome)?;
        }
        observer.compare(&world.ledger)?;
        check_capacity(&world.ledger, &most)?;
        check_clearings(&world.ledger, &committed)?;
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, max_shrink_iters: 200, ..Default::default() })]
    #[test]
    fn ledgers_agree_and_tasks_capacity_and_tokens_are_conserved(blocks in blocks()) {
        run(blocks)?;
    }
}

/// Checks that the generator reaches the outcomes that the laws are about.
#[test]
fn the_generator_reaches_every_outcome() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;
    let mut runner = TestRunner::deterministic();
    let mut seen = BTreeSet::new();
    for _ in 0..240 {
        let blocks = blocks().new_tree(&mut runner).unwrap().current();
        let mut world = world();
        world.admit(50, Capabilities::new());
        (1..=AGENTS).for_each(|number| {
            world.admit(number, drone(2));
        });
        for (acts, wait) in blocks {
            for act in &acts {
                let (by, body) = operation(&world, act);
                world.say(&key(by), body);
            }
            let (block, _) = world.propose_at(world.ledger.block_time() + wait, 0);
            let committed = world.decide(block);
            let inputs = committed
                .dossiers
                .iter()
                .flat_map(|dossier| &dossier.inputs);
            if inputs
                .into_iter()
                .any(|input| matches!(input, ClearingInput::Solution(_)))
            {
                seen.insert("a solution".to_owned());
            }
            for outcome in committed.outcomes {
                seen.insert(match outcome {
                    Outcome::Assignment(_) => "assignment".to_owned(),
                    Outcome::Clearing(record) => format!("clearing {}", record.market),
                    Outcome::Receipt(receipt) => receipt.operation.payload.body.name().to_owned(),
                    Outcome::Refusal(refusal) => refusal.items[0].1.name().to_owned(),
                    Outcome::Expiry(expiry) => expiry.reason.name().to_owned(),
                });
            }
        }
    }
    let wanted = [
        "assignment",
        "clearing spot",
        "clearing drones",
        "clearing quiet",
        "clearing fleet",
        "a solution",
        "not_solving",
        "not_better",
        "unopened",
        "wrong_opening",
        "not_opening",
        "barred",
        "accept",
        "decline",
        "complete",
        "fail",
        "lapse",
        "cancel",
        "deadline_passed",
        "attempts_used_up",
        "late_bid",
        "budget_exceeded",
        "excluded_after_failure",
        "price_too_high",
        "stale_token",
        "not_assignee",
        "task_ended",
        "over_budget",
    ];
    let missing: Vec<_> = wanted
        .iter()
        .filter(|name| !seen.contains(**name))
        .collect();
    assert!(missing.is_empty(), "{missing:?} of {seen:?}");
}
