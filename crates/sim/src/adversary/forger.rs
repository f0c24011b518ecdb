//! Sends operations that are wrongly signed, or speak of what is none of its business: in another's
//! name, with a bit flipped, for another swarm, twice under one number, and on tasks of others.
//!
//! Borne because an operation enters a mempool only if its signer is its agent, its swarm is this
//! one and its signature verifies; the same number twice is one operation or none; and a report
//! counts only from the assignee.

use quorate_types::cose::Owned;
use quorate_types::operation::{Bid, Cancel, Offer, Report};
use quorate_types::{Amounts, Body, Operation, PublicKey, Sign1, SignedOperation, TaskId};

use super::{AgentLie, AgentMouth};

/// See the module.
#[derive(Debug)]
pub(super) struct Forger;

impl AgentLie for Forger {
    fn volunteers(&mut self, mouth: &mut AgentMouth<'_>) -> Vec<SignedOperation> {
        let others = mouth.others.clone();
        let (Some(next), Some(other)) = (mouth.next_sequence(), mouth.dice.pick(&others)) else {
            return Vec::new();
        };
        let Some(body) = harm(mouth, *other) else {
            return Vec::new();
        };
        let forged = match mouth.dice.below(6) {
            0 => vec![in_the_name_of(mouth, *other, body)],
            1 => {
                let mut signed = in_the_name_of(mouth, *other, body);
                signed.signer = mouth.me();
                vec![signed]
            }
            2 => {
                let mut signed = mouth.sign(next, body);
                signed.signature.0[mouth.dice.index(64)] ^= 1;
                vec![signed]
            }
            3 => {
                let mut foreign = mouth.operation(next, body);
                foreign.swarm.0[0] ^= 1;
                vec![mouth.key.sign(foreign).into_inner()]
            }
            4 => {
                let second = harm(mouth, mouth.me());
                let bodies = [Some(body), second].into_iter().flatten();
                bodies.map(|body| mouth.sign(next, body)).collect()
            }
            _ => vec![mouth.sign(next, body)],
        };
        mouth.lies += forged.len() as u64;
        forged
    }
}

/// An operation of another, with its next number and the liar's signature.
fn in_the_name_of(mouth: &AgentMouth<'_>, other: PublicKey, body: Body) -> SignedOperation {
    let sequence = mouth.ledger.next_sequence(&other);
    let payload = Operation {
        swarm: mouth.ledger.swarm(),
        agent: other,
        sequence,
        body,
    };
    let signature = mouth.key.sign(payload.clone()).signature;
    Sign1 {
        signer: other,
        payload,
        signature,
    }
}

/// What the agent itself must not say: done or failed of a task that another has, or that a task is
/// no longer wanted; without any, a bid for nothing on the task of another.
fn harm(mouth: &mut AgentMouth<'_>, other: PublicKey) -> Option<Body> {
    let me = mouth.me();
    let leases = mouth.ledger.leases();
    let leases: Vec<_> = leases
        .into_iter()
        .filter(|lease| lease.agent != me)
        .collect();
    let Some(lease) = mouth.dice.pick(&leases) else {
        let task = TaskId {
            requester: other,
            number: 0,
        };
        let offers = vec![Offer { task, price: 0 }];
        return Some(Body::Bid(Bid {
            market: mouth.market()?,
            budget: Amounts::new(),
            offers,
        }));
    };
    let detail = Owned(b"forged".to_vec());
    let report = Report {
        task: lease.task,
        token: lease.token,
        detail,
    };
    Some(match mouth.dice.below(3) {
        0 => Body::Complete(report),
        1 => Body::Fail(report),
        _ => Body::Cancel(Cancel { task: lease.task }),
    })
}
