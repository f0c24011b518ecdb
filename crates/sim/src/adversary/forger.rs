//! Sends operations that are wrongly signed or that it has no right to: in the name of another,
//! with a bit flipped, for another swarm, two under one number, and on tasks of others.
//!
//! The protocol bears it because an operation enters a mempool only if its signer is its agent, its
//! swarm is this one and its signature verifies. Of two operations under one number at most one
//! counts, and a report counts only from the assignee.

use quorate_types::cose::Owned;
use quorate_types::operation::{Bid, Cancel, Offer, Report};
use quorate_types::{Amounts, Body, Operation, PublicKey, Sign1, SignedOperation, TaskId};

use super::{AgentLie, AgentMouth};

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
            // The agent and the signer are another, the signature is the liar's.
            0 => vec![in_the_name_of(mouth, *other, body)],

            1 => {
                // The agent is another, the signer is the liar.
                let mut signed = in_the_name_of(mouth, *other, body);
                signed.signer = mouth.me();
                vec![signed]
            }

            2 => {
                let mut signed = mouth.sign(next, body);
                // One bit of the signature is flipped.
                signed.signature.0[mouth.dice.index(64)] ^= 1;
                vec![signed]
            }

            3 => {
                let mut foreign = mouth.operation(next, body);
                // The operation is for another swarm.
                foreign.swarm.0[0] ^= 1;
                vec![mouth.key.sign(foreign).into_inner()]
            }

            4 => {
                // Two operations under one number.
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

/// An operation in another agent's name, with that agent's next number and the liar's signature.
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

/// An operation that the liar has no right to: it says that a task of another assignee is done, has
/// failed or is canceled. If no other agent has a task, it is a bid at price 0 on a task of
/// `other`.
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
