//! Runs a market that takes solutions end to end: validators, bidders and a requester over real
//! sockets, `quorate propose`, and members that propose poor and invalid solutions.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use crate::program::process::Process;
use crate::program::{fail, succeed};
use quorate::certificate::{Dossier, VerifiedCertificate};
use quorate::{
    Agent, Amounts, Award, CallForBids, Capabilities, DataDir, Hash, LeaseGuard, Node, NodeEvent,
    NodeHandle, Pair, Quote, SolutionInput, StandingBids, TaskError, TaskId, TaskOutput, TaskSpec,
    async_trait,
};
use quorate_types::outcome::ClearingInput;
use quorate_types::{PublicKey, Reason};
use serde_json::Value;

/// The longest time that a single step may take.
const LIMIT: Duration = Duration::from_secs(60);
const VALIDATORS: [&str; 4] = ["a", "b", "c", "d"];
const BIDDERS: [&str; 3] = ["ann", "ben", "cid"];
const OTHERS: [&str; 5] = ["desk", "poor", "wrong", "carl", "dora"];

const MARKETS: &str = "\
[[markets]]
name = \"grid\"
mechanism = \"gap\"
window_ms = 1500
solve_ms = 3000
lease_ms = 30000
attempts = 9

[[markets]]
name = \"plain\"
mechanism = \"gap\"
window_ms = 1000
lease_ms = 30000
attempts = 9
";

/// Makes the folders of four validators, an attester, and members with their attestations; all have
/// joined.
fn found(folder: &Path) {
    for name in VALIDATORS {
        let operator = format!("op-{name}");
        let listen = ["--listen", "/ip4/127.0.0.1/tcp/0"];
        succeed(
            folder,
            &[&["init", name, "--operator", &operator], &listen[..]].concat(),
        );
    }
    std::fs::write(folder.join("markets.toml"), MARKETS).unwrap();
    succeed(folder, &["init", "port", "--operator", "port"]);
    let cards = VALIDATORS.map(|name| format!("{name}/member.toml"));
    let cards: Vec<_> = cards.iter().map(String::as_str).collect();
    let genesis = ["genesis", "--name", "grid", "--market-file", "markets.toml"];
    let attester = ["--attester", "port/member.toml", "--validator"];
    succeed(folder, &[&genesis[..], &attester, &cards].concat());
    for name in VALIDATORS.into_iter().chain(["port"]) {
        succeed(folder, &["join", name, "genesis.toml"]);
    }
    for name in BIDDERS.into_iter().chain(OTHERS) {
        succeed(folder, &["init", name, "--operator", name]);
        let slots = if BIDDERS.contains(&name) {
            "slots=2"
        } else {
            "slots=0"
        };
        let (card, file) = (format!("{name}/member.toml"), format!("{name}.att"));
        let attest = [
            "attest", "port", "--agent", &card, "--out", &file, "--amount", slots,
        ];
        succeed(folder, &attest);
        succeed(
            folder,
            &["join", name, "genesis.toml", "--attestation", &file],
        );
    }
}

/// Starts the validators and writes the address of the first one into the members' configurations.
fn start(folder: &Path) -> Vec<Process> {
    let first = Process::start(folder, &["node", "a"], "a.log");
    let boot = first.wait_for("listening on ");
    let mut nodes = vec![first];
    for name in &VALIDATORS[1..] {
        let node = ["node", name, "--boot", &boot];
        nodes.push(Process::start(folder, &node, &format!("{name}.log")));
    }
    for name in BIDDERS.into_iter().chain(OTHERS) {
        succeed(folder, &["join", name, "genesis.toml", "--boot", &boot]);
    }
    nodes
}

/// A bidder whose prices give each way to do the tasks another sum, so that one way is the best.
struct Bidder(u64);

#[async_trait]
impl Agent for Bidder {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            amounts: slots(2),
            ..Capabilities::new()
        }
    }

    async fn bid(&mut self, call: &CallForBids) -> Option<Quote> {
        let number = call.task.number + 1;
        Some(call.quote(
            (number * number * 3_701 + self.0 * self.0 * 1_013 + number * self.0 * 5_303) as i64
                % 9_973,
        ))
    }

    async fn execute(&mut self, _: Award, _: LeaseGuard) -> Result<TaskOutput, TaskError> {
        Ok(TaskOutput::new("done"))
    }
}

fn slots(amount: i64) -> Amounts {
    Amounts::from([("slots".parse().unwrap(), amount)])
}

/// Starts the bidders: nodes with two slots each.
async fn bidders(folder: &Path) -> Vec<NodeHandle> {
    let mut nodes = Vec::new();
    for (index, name) in (1..).zip(BIDDERS) {
        let node = Node::builder(DataDir::new(folder.join(name)));
        let node = node
            .agent(Bidder(index))
            .agent(Bidder(index))
            .start()
            .await
            .unwrap();
        node.ready().await.unwrap();
        nodes.push(node);
    }
    nodes
}

/// Starts a node without agents.
async fn member(folder: &Path, name: &str) -> NodeHandle {
    let node = Node::builder(DataDir::new(folder.join(name)))
        .start()
        .await
        .unwrap();
    node.ready().await.unwrap();
    node
}

/// Proposes the solution that `choose` makes for the first window that takes solutions. Returns the
/// number of the window, and the node.
async fn propose(
    node: NodeHandle,
    choose: fn(&StandingBids, PublicKey) -> Vec<Pair>,
) -> (u64, NodeHandle) {
    let mut events = node.subscribe();
    loop {
        let NodeEvent::Solve { market, window } = events.recv().await.unwrap() else {
            continue;
        };
        let Some(standing) = node.standing_bids(market.clone(), window).await.unwrap() else {
            continue;
        };
        let pairs = choose(&standing, node.public_key());
        node.solve(market, window, pairs).await.unwrap();
        return (window, node);
    }
}

/// Chooses the dearest bid alone: a solution that holds, but is worse than any other.
fn poor(standing: &StandingBids, _: PublicKey) -> Vec<Pair> {
    let live = standing.bids.iter().filter(|bid| bid.excluded.is_none());
    let dearest = live.max_by_key(|bid| bid.price).unwrap();
    vec![Pair {
        task: dearest.task,
        agent: dearest.agent,
    }]
}

/// Chooses itself for every task, though it has bid on none.
fn wrong(standing: &StandingBids, me: PublicKey) -> Vec<Pair> {
    standing
        .tasks
        .iter()
        .map(|task| Pair {
            task: task.task,
            agent: me,
        })
        .collect()
}

/// Proposes the solution that `choose` makes; returns the items of the refusal that follows.
async fn refusal(
    node: NodeHandle,
    choose: fn(&StandingBids, PublicKey) -> Vec<Pair>,
) -> Vec<(Option<TaskId>, Reason)> {
    let mut events = node.subscribe();
    let (_, _node) = propose(node, choose).await;
    loop {
        if let NodeEvent::Refused { items, .. } = events.recv().await.unwrap() {
            return items;
        }
    }
}

/// Has six tasks awarded that take one or two slots each, and keeps the certificates and dossiers
/// in `kept`. Returns the dossiers by their windows.
async fn requested(folder: &Path, desk: &NodeHandle) -> BTreeMap<u64, Dossier> {
    let kept = folder.join("kept");
    std::fs::create_dir(&kept).unwrap();
    let spec = |demand| TaskSpec {
        demand: slots(demand),
        ..TaskSpec::new("grid".parse().unwrap())
    };
    let tasks = desk
        .submit_all([2, 1, 1, 2, 1, 1].map(spec).to_vec())
        .await
        .unwrap();
    let mut dossiers = BTreeMap::new();
    for task in tasks {
        let certificate = task.awarded().await.unwrap();
        let name = format!("award-{}.cbor", task.id().number);
        std::fs::write(kept.join(name), certificate.bytes()).unwrap();
        let found = desk.dossier(clearing(&certificate)).await.unwrap().unwrap();
        let dossier = Dossier::decode(&found.dossier).unwrap();
        let window = dossier.record.window;
        std::fs::write(kept.join(format!("{window}.dossier")), &found.dossier).unwrap();
        dossiers.insert(window, dossier);
    }
    dossiers
}

fn clearing(certificate: &VerifiedCertificate) -> Hash {
    certificate.assignment().unwrap().clearing
}

fn solutions(dossier: &Dossier) -> Vec<&SolutionInput> {
    let inputs = dossier.inputs.iter().filter_map(|input| match input {
        ClearingInput::Solution(solution) => Some(solution),
        _ => None,
    });
    inputs.collect()
}

/// Parses the lines of `quorate propose --json`.
fn objects(lines: &[String]) -> Vec<Value> {
    lines
        .iter()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn m31_a_poor_solution_is_kept_a_wrong_one_refused_and_the_best_wins() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path();
    found(folder);
    let nodes = start(folder);
    let run = async {
        let workers = bidders(folder).await;
        let desk = member(folder, "desk").await;
        let loser = member(folder, "poor").await;
        let solver = Process::start(
            folder,
            &[
                "propose",
                "carl",
                "--market",
                "grid",
                "--windows",
                "1",
                "--json",
            ],
            "carl.log",
        );
        solver.wait_for("{\"event\":\"ready\"");
        let endless = Process::start(folder, &["propose", "dora"], "dora.log");
        endless.wait_for("ready ");
        let poor_key = loser.public_key();
        let proposed = tokio::spawn(propose(loser, poor));
        let refused = tokio::spawn(refusal(member(folder, "wrong").await, wrong));

        let dossiers = requested(folder, &desk).await;
        let (window, _loser) = proposed.await.unwrap();
        let items = refused.await.unwrap();
        assert!(!items.is_empty());
        for (task, reason) in items {
            assert_eq!((task.is_some(), reason), (true, Reason::NoBid));
        }
        let dossier = &dossiers[&window];
        let kept: Vec<_> = solutions(dossier)
            .into_iter()
            .map(|kept| kept.agent)
            .collect();
        assert_eq!((kept, dossier.record.solution), (vec![poor_key], None));
        check_solver(solver, window, dossier);
        endless.wait_for(&format!("looked     grid, window {window}: "));
        assert_eq!(endless.terminate(), Some(0));
        drop(workers);
        window
    };
    let window = tokio::time::timeout(2 * LIMIT, run).await.unwrap();
    check_replay(folder, window);
    for node in nodes {
        assert_eq!(node.terminate(), Some(0));
    }
}

/// Checks that the solver reported the window, and that nothing is better than the solution that
/// the mechanism finds.
fn check_solver(solver: Process, window: u64, dossier: &Dossier) {
    let (lines, code) = solver.finish();
    let said = objects(&lines);
    let [line] = &said[..] else {
        panic!("{said:?}")
    };
    assert_eq!(code, Some(0));
    assert_eq!(
        (&line["event"], &line["market"]),
        (&"window".into(), &"grid".into())
    );
    assert_eq!(
        (&line["window"], &line["outcome"]),
        (&window.into(), &"not_better".into())
    );
    assert_eq!(
        (&line["optimal"], &line["found"]),
        (&true.into(), &line["baseline"]),
        "{line}"
    );
    let record = &dossier.record;
    assert_eq!(line["baseline"]["tasks"], record.assigned, "{line}");
    assert_eq!(line["baseline"]["total"], record.total, "{line}");
}

/// Runs the auctions again with the genesis alone.
fn check_replay(folder: &Path, window: u64) {
    let replay = ["audit", "replay", "kept", "--trust", "genesis.toml"];
    let said: Value =
        serde_json::from_str(&succeed(folder, &[&replay[..], &["--json"]].concat())).unwrap();
    assert_eq!(
        (&said["verdict"], &said["verified"]),
        (&"verified".into(), &6.into()),
        "{said}"
    );
    let auctions = said["auctions"].as_array().unwrap();
    let auction = auctions
        .iter()
        .find(|auction| auction["window"] == window)
        .unwrap();
    assert_eq!(
        (&auction["solutions"], &auction["solution"]),
        (&1.into(), &Value::Null)
    );
    let text = succeed(folder, &replay);
    assert!(text.contains("; none of 1 solutions was better"), "{text}");
}

#[test]
fn what_cannot_propose_is_told_why() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path();
    found(folder);
    let solver = |name, more: &[&str]| fail(folder, &[&["propose", name], more].concat());
    assert!(solver("nobody", &[]).contains("run quorate join first"));
    assert!(solver("a", &[]).contains("is a validator's"));
    assert!(solver("carl", &[]).contains("`boot` is empty"));
    succeed(folder, &["init", "stranger", "--operator", "stranger"]);
    succeed(folder, &["join", "stranger", "genesis.toml"]);
    assert!(solver("stranger", &[]).contains("has no attestation"));
    succeed(
        folder,
        &[
            "join",
            "carl",
            "genesis.toml",
            "--boot",
            "/ip4/127.0.0.1/tcp/1",
        ],
    );
    let error = solver("carl", &["--market", "moon"]);
    assert!(
        error.contains("there is no market of that name; the swarm has grid, plain, tasks"),
        "{error}"
    );
    let error = solver("carl", &["--market", "plain"]);
    assert!(
        error.contains("--market plain: takes no solutions") && error.contains("do: grid"),
        "{error}"
    );
}
