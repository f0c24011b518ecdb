//! Tests of the monitoring endpoint of a real validator, over raw TCP.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod exposition;
mod logs;
mod swarm;

use std::net::SocketAddr;
use std::time::Duration;

use quorate_node::{Node, Validator, ValidatorError};
use quorate_types::TaskSpec;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use exposition::Exposition;
use swarm::Swarm;

/// The longest time that a test waits for anything.
const LIMIT: Duration = Duration::from_secs(30);
/// The chapter of the book that must explain every metric to operators.
const BOOK: &str = include_str!("../../../../book/src/running-a-node.md");
/// More connections than the endpoint serves at a time.
const MANY: usize = 40;

/// An answer of the endpoint.
struct Answer {
    code: u16,
    /// The status line and the header lines, in lower case.
    head: String,
    body: String,
}

/// Sends bytes and returns everything that comes until the endpoint closes the connection.
async fn send(address: SocketAddr, bytes: &[u8]) -> String {
    let exchange = async {
        let mut stream = TcpStream::connect(address).await.unwrap();
        // A refusal may come, and end the connection, before everything is written.
        let _ = stream.write_all(bytes).await;
        let mut text = Vec::new();
        let _ = stream.read_to_end(&mut text).await;
        String::from_utf8(text).unwrap()
    };
    timeout(LIMIT, exchange).await.unwrap()
}

async fn request(address: SocketAddr, method: &str, path: &str) -> Answer {
    let request = format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\n\r\n");
    let text = send(address, request.as_bytes()).await;
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let code = head
        .strip_prefix("HTTP/1.1 ")
        .unwrap()
        .get(..3)
        .unwrap()
        .parse()
        .unwrap();
    Answer {
        code,
        head: head.to_lowercase(),
        body: body.to_owned(),
    }
}

async fn metrics(address: SocketAddr) -> Exposition {
    let answer = request(address, "GET", "/metrics").await;
    assert_eq!(answer.code, 200);
    assert!(
        answer
            .head
            .contains("content-type: text/plain; version=0.0.4"),
        "{}",
        answer.head
    );
    Exposition::parse(&answer.body)
}

/// Fetches the metrics until they satisfy `wanted`.
async fn until(address: SocketAddr, wanted: impl Fn(&Exposition) -> bool) -> Exposition {
    let poll = async {
        loop {
            let page = metrics(address).await;
            if wanted(&page) {
                return page;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(LIMIT, poll).await.unwrap()
}

async fn start(swarm: &Swarm) -> (Validator, SocketAddr) {
    let validator = swarm.start().await.unwrap();
    let address = validator.monitor_address().unwrap();
    (validator, address)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metrics_follow_the_format_and_grow_with_the_height() {
    let swarm = Swarm::of(1);
    let (validator, address) = start(&swarm).await;
    let first = until(address, |page| page.value("quorate_commits_total") >= 1.0).await;
    let height = first.value("quorate_height");
    let later = until(address, |page| page.value("quorate_height") > height).await;
    let of = |page: &Exposition, name: &str| page.value(name);
    assert!(of(&later, "quorate_commits_total") >= of(&first, "quorate_commits_total"));
    assert!(of(&later, "quorate_commit_seconds_count") >= 1.0);
    for (name, value) in [
        ("quorate_validators", 1.0),
        ("quorate_validators_connected", 1.0),
        ("quorate_power_connected", 1.0),
        ("quorate_peers_connected", 0.0),
        ("quorate_undecodable_frames_total", 0.0),
        ("quorate_market_open_tasks{market=\"harbour\"}", 0.0),
        (
            "quorate_refusals_total{code=\"300\",reason=\"late_bid\"}",
            0.0,
        ),
        ("quorate_sent_frames_total{lane=\"consensus\"}", 0.0),
    ] {
        assert_eq!(of(&later, name), value, "{name}");
    }
    let undocumented = later
        .families()
        .find(|name| !BOOK.contains(&format!("`{name}`")));
    assert_eq!(undocumented, None, "a metric is not in the book");
    let start = of(&later, "process_start_time_seconds");
    assert!((1.6e9..1e10).contains(&start), "{start}");
    validator.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_blocks_do_is_counted_by_kind() {
    let swarm = Swarm::of(1);
    let (validator, address) = start(&swarm).await;
    let boot = timeout(LIMIT, swarm::listening(&validator)).await.unwrap();
    let desk = Node::builder(swarm.requester(boot)).start().await.unwrap();
    let task = TaskSpec::new("harbour".parse().unwrap());
    timeout(LIMIT, desk.submit(task)).await.unwrap().unwrap();
    let submitted = "quorate_operations_total{kind=\"submit\"}";
    let page = until(address, |page| page.value(submitted) >= 1.0).await;
    assert_eq!(page.value("quorate_operations_total{kind=\"admit\"}"), 1.0);
    assert_eq!(page.value("quorate_peers_connected"), 1.0);
    assert_eq!(page.value("quorate_validators_connected"), 1.0);
    assert!(page.value("quorate_received_frames_total{lane=\"client\"}") > 0.0);
    assert!(page.value("quorate_signatures_total") > 0.0);
    until(address, |page| {
        page.value("quorate_market_open_tasks{market=\"harbour\"}") >= 1.0
    })
    .await;
    desk.shutdown().await;
    validator.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_validator_alone_in_its_committee_of_one_is_healthy() {
    let swarm = Swarm::of(1);
    let (validator, address) = start(&swarm).await;
    until(address, |page| page.value("quorate_height") >= 1.0).await;
    let answer = request(address, "GET", "/health").await;
    assert_eq!((answer.code, answer.body.as_str()), (200, "ok\n"));
    let answer = request(address, "HEAD", "/health").await;
    assert_eq!((answer.code, answer.body.as_str()), (200, ""));
    assert!(answer.head.contains("content-length: 3"), "{}", answer.head);
    validator.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn health_says_that_the_quorum_is_missing() {
    let swarm = Swarm::of(2);
    let (validator, address) = start(&swarm).await;
    let answer = request(address, "GET", "/health").await;
    let line = "no quorum: validators with 1 of 2 power are connected, this one included\n";
    assert_eq!((answer.code, answer.body.as_str()), (503, line));
    validator.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn status_is_one_json_object() {
    let swarm = Swarm::of(2);
    let (validator, address) = start(&swarm).await;
    let answer = request(address, "GET", "/status?pretty").await;
    assert_eq!(answer.code, 200);
    assert!(
        answer.head.contains("content-type: application/json"),
        "{}",
        answer.head
    );
    let status: Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(status["swarm"], validator.swarm().to_string());
    assert_eq!(status["key"], validator.public_key().to_string());
    assert_eq!((&status["height"], &status["pool"]), (&0.into(), &0.into()));
    assert_eq!(status["version"], env!("CARGO_PKG_VERSION"));
    let validators = status["validators"].as_array().unwrap();
    let connected = validators
        .iter()
        .filter(|member| member["connected"] == true);
    let connected: Vec<_> = connected.map(|member| &member["key"]).collect();
    assert_eq!((validators.len(), connected), (2, vec![&status["key"]]));
    assert_eq!(
        (&validators[0]["power"], &validators[0]["benched"]),
        (&1.into(), &false.into())
    );
    assert_eq!(status["markets"][0]["market"], "harbour");
    assert_eq!(status["markets"][0]["open_tasks"], 0);
    assert_eq!(status["markets"][0]["stage"], "bids");
    validator.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_paths_and_methods_are_refused() {
    let swarm = Swarm::of(1);
    let (validator, address) = start(&swarm).await;
    for (method, path, code) in [
        ("GET", "/", 404),
        ("GET", "/metrics/", 404),
        ("POST", "/nowhere", 404),
        ("POST", "/metrics", 405),
        ("DELETE", "/status", 405),
        ("OPTIONS", "/health", 405),
    ] {
        let answer = request(address, method, path).await;
        assert_eq!(answer.code, code, "{method} {path}");
        assert_eq!(
            answer.head.contains("allow: get, head"),
            code == 405,
            "{method} {path}"
        );
    }
    validator.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn garbage_and_oversized_requests_do_no_harm() {
    let swarm = Swarm::of(1);
    let (validator, address) = start(&swarm).await;
    let long = format!(
        "GET /metrics HTTP/1.1\r\nX: {}\r\n\r\n",
        "x".repeat(1 << 20)
    );
    let many = format!("GET /metrics HTTP/1.1\r\n{}\r\n", "X: x\r\n".repeat(1_000));
    let hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n";
    let nonsense = b"quorate\r\n\r\n";
    for bytes in [
        &hello[..],
        nonsense,
        long.as_bytes(),
        many.as_bytes(),
        b"PRI * HTTP/2.0\r\n\r\n",
    ] {
        let answer = send(address, bytes).await;
        let refused = answer.is_empty() || answer.starts_with("HTTP/1.1 4");
        assert!(refused, "{answer}");
    }
    assert!(metrics(address).await.value("quorate_height") >= 0.0);
    validator.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_clients_are_cut_off_and_others_have_their_turn() {
    let swarm = Swarm::of(1);
    let (validator, address) = start(&swarm).await;
    let mut slow = Vec::new();
    for _ in 0..MANY {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"GET /metrics HT").await.unwrap();
        slow.push(stream);
    }
    let height = metrics(address).await.value("quorate_height");
    for mut stream in slow {
        let mut rest = Vec::new();
        // The endpoint may close the connection or reset it.
        let _ = timeout(LIMIT, stream.read_to_end(&mut rest)).await.unwrap();
        assert!(!String::from_utf8_lossy(&rest).contains("quorate_height"));
    }
    until(address, |page| page.value("quorate_height") > height).await;
    validator.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_ends_with_the_validator_and_two_cannot_share_an_address() {
    let swarm = Swarm::of(2);
    let (validator, address) = start(&swarm).await;
    assert!(address.port() != 0);
    swarm.monitor_on(1, address);
    match swarm.start_number(1).await {
        Err(ValidatorError::Monitor { address: named, .. }) => assert_eq!(named, address),
        other => panic!("{other:?}"),
    }
    validator.shutdown().await.unwrap();
    assert!(TcpStream::connect(address).await.is_err());
    let second = swarm.start_number(1).await.unwrap();
    assert_eq!(second.monitor_address(), Some(address));
    second.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn there_is_none_unless_it_is_configured() {
    let swarm = Swarm::of(1);
    swarm.without_monitor();
    let validator = swarm.start().await.unwrap();
    assert_eq!(validator.monitor_address(), None);
    validator.shutdown().await.unwrap();
}
