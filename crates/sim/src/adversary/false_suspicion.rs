//! Suspects every assignee again and again, even if it is alive, and now and then asks to end an
//! assignment on its suspicion alone.
//!
//! The protocol bears it because a lapse takes the suspicions of more than two thirds of the power,
//! and the lease must be over in active time as well.

use quorate_types::message::PeerMessage;
use quorate_types::operation::{Lapse, Suspicion};
use quorate_types::{Body, Operation, PublicKey};

use super::{Lie, Mouth};

/// Of a thousand occasions, the number on which it asks for a lapse.
const LAPSES_PERMILLE: u64 = 300;

#[derive(Debug)]
pub(super) struct FalseSuspicion;

impl Lie for FalseSuspicion {
    fn volunteers(&mut self, mouth: &mut Mouth<'_>) -> Vec<(PublicKey, PeerMessage)> {
        let ledger = mouth.replica.ledger();
        let (swarm, height, peers) = (ledger.swarm(), ledger.height(), mouth.peers());

        let mut said = Vec::new();

        for lease in ledger.leases() {
            let suspicion = Suspicion {
                swarm,
                task: lease.task,
                token: lease.token,
                height,
            };

            let message = PeerMessage::Suspicion(mouth.key.sign(suspicion).into_inner());
            said.extend(peers.iter().map(|peer| (*peer, message.clone())));
        }

        if let Some(lapse) = lapse(mouth) {
            said.extend(peers.iter().map(|peer| (*peer, lapse.clone())));
        }

        mouth.lies += said.len() as u64;
        said
    }
}

/// A lapse of some assignment, with the liar's suspicion and no other.
fn lapse(mouth: &mut Mouth<'_>) -> Option<PeerMessage> {
    let (me, ledger) = (mouth.me(), mouth.replica.ledger());
    let (swarm, height, sequence) = (ledger.swarm(), ledger.height(), ledger.next_sequence(&me));
    let leases = ledger.leases();

    if !mouth.dice.chance(LAPSES_PERMILLE) {
        return None;
    }

    let lease = mouth.dice.pick(&leases)?;
    let (task, token) = (lease.task, lease.token);

    let own = mouth
        .key
        .sign(Suspicion {
            swarm,
            task,
            token,
            height,
        })
        .into_inner();

    let body = Body::Lapse(Lapse {
        task,
        token,
        suspicions: vec![own],
    });

    let operation = mouth
        .key
        .sign(Operation {
            swarm,
            agent: me,
            sequence,
            body,
        })
        .into_inner();

    Some(PeerMessage::Operations(vec![operation]))
}
