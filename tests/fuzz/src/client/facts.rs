//! All outcomes that the swarm certified about four tasks, and one refusal.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use quorate_agent::{CertificateVerifier, Verifier};
use quorate_certificate::{Policy, TrustRoot, VerifiedCertificate};
use quorate_types::cose::Owned;
use quorate_types::operation::{Cancel, Lapse, Suspicion, TaskReport};
use quorate_types::outcome::{Assignment, Expiry, Receipt, Refusal};
use quorate_types::{
    ActiveMillis, FencingToken, Hash, OperationBody, OperationId, Outcome, Reason, TaskId, TaskSpec,
};

use crate::swarm::{LEASE, certify, genesis, jobs, key, operation, public};

/// The seed of the client's key.
pub(crate) const ME: u8 = 51;
/// The seed of the other requester's key.
const BOSS: u8 = 50;
/// The seed of the other agent's key.
const OTHER: u8 = 52;

/// The genuine certificates, each with the outcome that it proves. The verifier accepts them.
pub(crate) static FACTS: LazyLock<BTreeMap<Vec<u8>, Outcome>> = LazyLock::new(|| {
    let mut facts = BTreeMap::new();
    for (height, outcomes) in (2..).zip(history()) {
        for certificate in certify(height, &outcomes) {
            facts.insert(certificate.encode(), certificate.outcome);
        }
    }
    facts
});

/// A verifier that looks up genuine certificates, and verifies all others as an agent does.
pub(crate) struct FactVerifier;

impl Verifier for FactVerifier {
    fn verify(&self, certificate: &[u8]) -> Option<VerifiedCertificate> {
        static JUDGE: LazyLock<CertificateVerifier> = LazyLock::new(|| {
            let root = TrustRoot::from_genesis(genesis()).unwrap();
            CertificateVerifier::new(root, Policy::default())
        });
        static VERIFIED: LazyLock<BTreeMap<Vec<u8>, VerifiedCertificate>> = LazyLock::new(|| {
            let verify = |(bytes, of): (&Vec<u8>, &Outcome)| {
                let verified = JUDGE.verify(bytes).filter(|it| it.outcome() == of);
                (bytes.clone(), verified.expect("it is genuine"))
            };
            FACTS.iter().map(verify).collect()
        });
        let known = VERIFIED.get(certificate).cloned();
        known.or_else(|| JUDGE.verify(certificate))
    }
}

/// Two tasks of the other requester and two of the client, ascending.
pub(crate) fn tasks() -> [TaskId; 4] {
    let task = |seed, number| TaskId {
        requester: public(seed),
        number,
    };
    let mut tasks = [task(BOSS, 0), task(BOSS, 1), task(ME, 0), task(ME, 1)];
    tasks.sort_unstable();
    tasks
}

pub(crate) fn spec() -> TaskSpec {
    TaskSpec::new(jobs())
}

/// All certificates about a task.
pub(crate) fn about(task: TaskId) -> Vec<Owned> {
    let about = FACTS
        .iter()
        .filter(|(_, outcome)| outcome.task() == Some(task));
    about.map(|(bytes, _)| Owned(bytes.clone())).collect()
}

/// The outcomes of each height from 2 on. Each task is assigned to the client, to another agent and
/// to the client again, with every report on each assignment; then every end follows. The last
/// outcome is a refusal.
fn history() -> Vec<Vec<Outcome>> {
    let mut heights = Vec::new();
    for task in tasks() {
        for (token, agent) in [(1, ME), (2, OTHER), (3, ME)] {
            let height = 2 + heights.len() as u64;
            heights.push(vec![assignment(task, FencingToken(token), agent, height)]);
            heights.push(reports(task, FencingToken(token), agent));
        }
        heights.push(ends(task));
    }
    let operation = OperationId([5; 32]);
    let items = vec![(None, Reason::LateBid)];
    heights.push(vec![Outcome::Refusal(Refusal {
        operation,
        agent: public(ME),
        items,
    })]);
    heights
}

fn assignment(task: TaskId, token: FencingToken, agent: u8, height: u64) -> Outcome {
    Outcome::Assignment(Assignment {
        task,
        token,
        agent: public(agent),
        market: jobs(),
        price: 10,
        charge: 10,
        bid: OperationId([4; 32]),
        spec: spec().hash(),
        attestations: Vec::new(),
        assigned_at: ActiveMillis(height * 100),
        lease: LEASE,
        clearing: Hash::ZERO,
    })
}

fn reports(task: TaskId, token: FencingToken, agent: u8) -> Vec<Outcome> {
    let report = || TaskReport {
        task,
        token,
        detail: Owned(b"done".to_vec()),
    };
    let said = [
        OperationBody::Accept(report()),
        OperationBody::Complete(report()),
        OperationBody::Fail(report()),
    ];
    let mut outcomes: Vec<_> = said
        .map(|body| receipt(task, token, agent, (agent, body)))
        .into();
    let suspicion = Suspicion {
        swarm: genesis().swarm_id(),
        task,
        token,
        height: 1,
    };
    let mut suspicions: Vec<_> = (1..=3)
        .map(|seed| key(seed).sign(suspicion.clone()).into_inner())
        .collect();
    suspicions.sort_by_key(|signed| signed.signer);
    let lapse = OperationBody::Lapse(Lapse {
        task,
        token,
        suspicions,
    });
    outcomes.push(receipt(task, token, agent, (1, lapse)));
    outcomes
}

fn ends(task: TaskId) -> Vec<Outcome> {
    let mut ends = vec![Outcome::Expiry(Expiry {
        task,
        token: FencingToken(4),
        reason: Reason::DeadlinePassed,
    })];
    let owner = [BOSS, ME]
        .into_iter()
        .find(|seed| public(*seed) == task.requester);
    if let Some(owner) = owner {
        ends.push(receipt(
            task,
            FencingToken(3),
            ME,
            (owner, OperationBody::Cancel(Cancel { task })),
        ));
    }
    ends
}

fn receipt(
    task: TaskId,
    token: FencingToken,
    agent: u8,
    (by, body): (u8, OperationBody),
) -> Outcome {
    let operation = operation(by, 7, body).into_inner();
    Outcome::Receipt(Box::new(Receipt {
        task,
        token,
        agent: Some(public(agent)),
        operation,
    }))
}
