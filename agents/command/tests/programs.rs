//! Tests of programs as agents, with real processes.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "helpers of tests")]

use std::future::Future;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use quorate_agent::{
    Agent, Award, CallForBids, LeaseControl, LeaseGuard, LeaseLost, TaskError, Timer,
};
use quorate_command::{CommandAgent, CommandConfig, ProgramError};
use quorate_types::cose::Owned;
use quorate_types::{ActiveMillis, Amounts, FencingToken, Hash, PublicKey, TaskId, TaskSpec};

struct RealTime;

impl Timer for RealTime {
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(duration))
    }
}

/// The beginning of every program: its imports, and a function that writes an answer.
const READ: &str =
    "import sys, json, time, os\ndef answer(**a): print(json.dumps(a), flush=True)\n";

/// An agent that runs these lines of Python.
fn python(lines: &str) -> CommandAgent {
    let mut config = CommandConfig::new("python3");
    config.arguments = vec!["-c".into(), format!("{READ}{lines}").into()];
    config.patience = Duration::from_secs(10);
    CommandAgent::start(config).unwrap()
}

fn spec(payload: &[u8]) -> TaskSpec {
    TaskSpec {
        payload: Owned(payload.to_vec()),
        ..TaskSpec::new("jobs".parse().unwrap())
    }
}

fn task() -> TaskId {
    TaskId {
        requester: PublicKey([7; 32]),
        number: 3,
    }
}

fn call(payload: &[u8]) -> CallForBids {
    let spec = spec(payload);
    let market = spec.market.clone();
    CallForBids {
        market,
        window: 1,
        task: task(),
        spec,
        free: Amounts::new(),
    }
}

fn award(payload: &[u8]) -> Award {
    Award {
        task: task(),
        spec: spec(payload),
        token: FencingToken(2),
        price: 5,
        idempotency_key: Hash::ZERO,
        certificate: quorate_certificate::example().unwrap(),
        lease: Duration::from_secs(10),
        assigned_at: ActiveMillis(1),
    }
}

fn lease() -> (LeaseGuard, LeaseControl) {
    LeaseGuard::new(Arc::new(RealTime))
}

/// Whether Python is installed. The programs are written in it, so without it nothing is tested.
fn has_python() -> bool {
    let found = Command::new("python3").arg("--version").output().is_ok();
    if !found {
        eprintln!("skipped: no python3");
    }
    found
}

/// Runs a test with a bound on its time, unless there is no Python.
fn run(test: impl Future<Output = ()>) {
    if !has_python() {
        return;
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        tokio::time::timeout(Duration::from_secs(60), test)
            .await
            .expect("the test must end within a minute");
    });
}

#[test]
fn the_example_bids_and_works() {
    run(async {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/agent.py");
        let mut config = CommandConfig::new("python3");
        config.arguments = vec![script.into()];
        config.patience = Duration::from_secs(10);
        let mut agent = CommandAgent::start(config).unwrap();
        assert_eq!(
            agent.bid(&call(b"hello")).await.map(|offer| offer.price),
            Some(5)
        );
        let (guard, _control) = lease();
        let outcome = agent.execute(award(b"hello"), guard).await.unwrap();
        assert_eq!(outcome.detail, b"HELLO");
    });
}

#[test]
fn late_and_foreign_answers_are_skipped() {
    run(async {
        let mut agent = python(
            "for line in sys.stdin:\n  a = json.loads(line)\n  answer(type='bid', id=a['id'] - 1, \
             price=1)\n  print()\n  answer(type='pass', id=a['id'])",
        );
        assert_eq!(agent.bid(&call(b"x")).await, None);
        assert_eq!(agent.bid(&call(b"x")).await, None);
    });
}

#[test]
fn every_field_of_an_award_arrives() {
    run(async {
        let mut agent = python(
            "for line in sys.stdin:\n  a = json.loads(line)\n  answer(type='outcome', id=a['id'], \
             detail=[a['task'][-2:], a['token'], a['price'], a['lease_ms'], a['assigned_at'], \
             a['certificate'], a['payload_hex'], 'payload' in a])",
        );
        let (guard, _control) = lease();
        let outcome = agent.execute(award(&[0xff, 0x00]), guard).await.unwrap();
        let certificate = hex::encode(quorate_certificate::example().unwrap().bytes());
        let expected = format!(r#"["/3",2,5,10000,1,"{certificate}","ff00",false]"#);
        assert_eq!(String::from_utf8(outcome.detail).unwrap(), expected);
    });
}

/// The action of a program on a task, and a part of the reason of the failure that follows.
const FAILURES: &[(&str, &str)] = &[
    (
        "answer(type='error', id=a['id'], reason='no paint')",
        "no paint",
    ),
    ("sys.exit(3)", "ended"),
    ("os.kill(os.getpid(), 9)", "ended"),
    ("print('done', flush=True)", "not a valid answer"),
    ("answer(type='bid', id=a['id'], price=1)", "with a bid"),
    ("print('x' * 70000, flush=True)", "more than 65536 bytes"),
    (
        "sys.stdout.write('x' * 70000); sys.stdout.flush(); time.sleep(60)",
        "more than 65536",
    ),
];

#[test]
fn a_program_that_fails_fails_the_task_and_starts_again() {
    run(async {
        for (action, reason) in FAILURES {
            let mut agent = python(&format!(
                "for line in sys.stdin:\n  a = json.loads(line)\n  if a['type'] == 'call': \
                 answer(type='bid', id=a['id'], price=9)\n  else:\n    {action}"
            ));
            let (guard, _control) = lease();
            let error = agent.execute(award(b"x"), guard).await.unwrap_err();
            assert!(error.to_string().contains(reason), "{action}: {error}");
            let offer = agent.bid(&call(b"x")).await;
            assert_eq!(offer.map(|offer| offer.price), Some(9), "{action}");
        }
    });
}

#[test]
fn a_lost_lease_ends_the_task_and_the_program_hears_of_it() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let begun = folder.path().join("begun");
        let mut agent = python(&format!(
            "lost = 0\nfor line in sys.stdin:\n  a = json.loads(line)\n  \
             if a['type'] == 'execute': open({begun:?}, 'w').close()\n  \
             if a['type'] == 'lost': lost = a['id']\n  \
             if a['type'] == 'call': answer(type='bid', id=a['id'], price=lost)"
        ));
        let (guard, control) = lease();
        let lose = async {
            while !begun.exists() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            control.lose();
        };
        let (result, ()) = tokio::join!(agent.execute(award(b"x"), guard), lose);
        assert_eq!(result, Err(TaskError::LeaseLost(LeaseLost)));
        assert_eq!(
            agent.bid(&call(b"x")).await.map(|offer| offer.price),
            Some(1)
        );
    });
}

#[test]
fn a_silent_program_passes() {
    run(async {
        let mut config = CommandConfig::new("python3");
        config.arguments = vec!["-c".into(), "import sys; sys.stdin.read()".into()];
        config.patience = Duration::from_millis(50);
        let mut agent = CommandAgent::start(config).unwrap();
        assert_eq!(agent.bid(&call(b"x")).await, None);
    });
}

#[test]
fn a_program_that_is_not_there_is_an_error() {
    run(async {
        let missing = CommandAgent::start(CommandConfig::new("/nonexistent/agent"));
        assert!(matches!(missing, Err(ProgramError::Io { .. })));
    });
}
