//! Suspects every assignee again and again, even if it is alive, and now and then asks to end an
//! assignment on its suspicion alone.
//!
//! The protocol bears it because a lapse takes the suspicions of more than two thirds of the power,
//! and the lease must be over in active time as well.

use quorate_types::message::PeerMessage;
use quorate_types::operation::{Lapse, Suspicion};
use quorate_types::{FencingToken, Operation, OperationBody, PublicKey, Sign1, TaskId};

use super::{LiarContext, Lie};

/// Of a thousand occasions, the number on which it asks for a lapse.
const LAPSES_PERMILLE: u64 = 300;

#[derive(Debug, Default)]
pub(super) struct FalseSuspicion;

impl Lie for FalseSuspicion {
    fn volunteers(&mut self, context: &mut LiarContext<'_>) -> Vec<(PublicKey, PeerMessage)> {
        let mut said = Vec::new();

        for lease in context.replica.ledger().leases() {
            let own = suspect(context, lease.task, lease.token);
            said.extend(context.lie_to_all(&PeerMessage::Suspicion(own)));
        }

        if let Some(lapse) = lapse(context) {
            said.extend(context.lie_to_all(&lapse));
        }

        said
    }
}

/// The liar's suspicion of the assignee of a task, now.
fn suspect(context: &LiarContext<'_>, task: TaskId, token: FencingToken) -> Sign1<Suspicion> {
    let ledger = context.replica.ledger();

    let suspicion = Suspicion {
        swarm: ledger.swarm(),
        task,
        token,
        height: ledger.height(),
    };

    context.key.sign(suspicion).into_inner()
}

/// A lapse of some assignment, with the liar's suspicion and no other.
fn lapse(context: &mut LiarContext<'_>) -> Option<PeerMessage> {
    if !context.dice.chance(LAPSES_PERMILLE) {
        return None;
    }

    let me = context.me();
    let ledger = context.replica.ledger();
    let leases = ledger.leases();
    let lease = context.dice.pick(&leases)?;

    let lapse = Lapse {
        task: lease.task,
        token: lease.token,
        suspicions: vec![suspect(context, lease.task, lease.token)],
    };

    let operation = Operation {
        swarm: ledger.swarm(),
        agent: me,
        sequence: ledger.next_sequence(&me),
        body: OperationBody::Lapse(lapse),
    };

    let signed = context.key.sign(operation).into_inner();
    Some(PeerMessage::Operations(vec![signed]))
}
