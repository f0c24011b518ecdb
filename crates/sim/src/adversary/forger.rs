//! Sends operations that are wrongly signed or that it has no right to: in the name of another,
//! with a bit flipped, for another swarm, two under one number, and on tasks of others.
//!
//! The protocol bears it because an operation enters a mempool only if its signer is its agent, its
//! swarm is this one and its signature verifies. Of two operations under one number at most one
//! counts, and a report counts only from the assignee.

use quorate_types::cose::Owned;
use quorate_types::operation::{Bid, Cancel, Offer, TaskReport};
use quorate_types::{
    Amounts, Operation, OperationBody, PublicKey, Sign1, Signed, SignedOperation, TaskId,
};

use super::{AgentLiarContext, AgentLie};

#[derive(Debug, Default)]
pub(super) struct Forger;

impl AgentLie for Forger {
    fn volunteers(&mut self, context: &mut AgentLiarContext<'_>) -> Vec<SignedOperation> {
        let others = context.others.clone();
        let (Some(next), Some(other)) = (context.next_sequence(), context.dice.pick(&others))
        else {
            return Vec::new();
        };

        let Some(body) = harm(context, *other) else {
            return Vec::new();
        };

        let forged = forge(context, next, *other, body);
        context.lies += forged.len() as u64;
        forged
    }
}

/// Operations that carry this body or another harm, forged in one of six ways.
fn forge(
    context: &mut AgentLiarContext<'_>,
    next: u64,
    other: PublicKey,
    body: OperationBody,
) -> Vec<SignedOperation> {
    match context.dice.below(6) {
        // The agent and the signer are another, the signature is the liar's.
        0 => vec![in_the_name_of(context, other, body)],

        1 => {
            // The agent is another, the signer is the liar.
            let mut signed = in_the_name_of(context, other, body);
            let me = context.me();
            signed.alter(|parts| parts.signer = me);
            vec![signed]
        }

        2 => {
            let mut signed = context.sign(next, body);
            // One bit of the signature is flipped.
            let at = context.dice.index(64);
            signed.alter(|parts| parts.signature.0[at] ^= 1);
            vec![signed]
        }

        3 => {
            let mut foreign = context.operation(next, body);
            // The operation is for another swarm.
            foreign.swarm.0[0] ^= 1;
            vec![context.key.sign(foreign).into_inner()]
        }

        4 => {
            // Two operations under one number.
            let second = harm(context, context.me());
            let bodies = [Some(body), second].into_iter().flatten();
            bodies.map(|body| context.sign(next, body)).collect()
        }

        _ => vec![context.sign(next, body)],
    }
}

/// An operation in another agent's name, with that agent's next number and the liar's signature.
fn in_the_name_of(
    context: &AgentLiarContext<'_>,
    other: PublicKey,
    body: OperationBody,
) -> SignedOperation {
    let sequence = context.ledger.next_sequence(&other);
    let payload = Operation {
        swarm: context.ledger.swarm(),
        agent: other,
        sequence,
        body,
    };

    let signature = context.key.sign(payload.clone()).signature;
    Sign1::from(Signed {
        signer: other,
        payload,
        signature,
    })
}

/// An operation that the liar has no right to: it says that a task of another assignee is done, has
/// failed or is canceled. If no other agent has a task, it is a bid at price 0 on a task of
/// `other`.
fn harm(context: &mut AgentLiarContext<'_>, other: PublicKey) -> Option<OperationBody> {
    let me = context.me();

    let leases = context.ledger.leases().into_iter();
    let leases: Vec<_> = leases.filter(|lease| lease.agent != me).collect();

    let Some(lease) = context.dice.pick(&leases) else {
        return bid_for_nothing(context, other);
    };

    let report = TaskReport {
        task: lease.task,
        token: lease.token,
        detail: Owned(b"forged".to_vec()),
    };

    Some(match context.dice.below(3) {
        0 => OperationBody::Complete(report),
        1 => OperationBody::Fail(report),
        _ => OperationBody::Cancel(Cancel { task: lease.task }),
    })
}

/// A bid at price 0 on the first task of a requester.
fn bid_for_nothing(context: &AgentLiarContext<'_>, requester: PublicKey) -> Option<OperationBody> {
    let task = TaskId {
        requester,
        number: 0,
    };

    Some(OperationBody::Bid(Bid {
        market: context.market()?,
        budget: Amounts::new(),
        offers: vec![Offer { task, price: 0 }],
    }))
}
