//! Forges bids of other agents: in the blocks that it builds, and in batches for the mempools.
//!
//! Either the price in a bid is not the one that its bidder signed, or the whole bid is invented
//! and signed with the wrong key. The protocol bears it because every signature is checked before
//! an operation enters a mempool, and before a block gets a vote. The block convicts its proposer.

use quorate_crypto::merkle;
use quorate_ledger::Ledger;
use quorate_types::message::PeerMessage;
use quorate_types::operation::{Bid, Offer, Reveal, Seal, Solve};
use quorate_types::{
    Amounts, Block, Body, Operation, PublicKey, Sign1, SignedOperation, TaskId, cbor,
};

use super::doubles::Doubles;
use super::{Lie, Mouth, is_bid};

#[derive(Debug, Default)]
pub(super) struct ForgedBid {
    doubles: Doubles,
    /// The bidder of the latest bid that it heard of.
    victim: Option<PublicKey>,
}

impl Lie for ForgedBid {
    fn built(&mut self, mouth: &mut Mouth<'_>, block: &Block) {
        let mut double = block.clone();
        // If there is nothing to change, it invents a bid.
        if !raise_a_price(&mut double) {
            let Some(bid) = self.victim.and_then(|victim| invent(mouth, victim)) else {
                return;
            };

            // The invented bid takes the place of an operation in the same position, if there is
            // one.
            let place = bid.payload.order();
            double
                .operations
                .retain(|operation| operation.payload.order() != place);

            double.operations.push(bid);
            double
                .operations
                .sort_by_key(|operation| operation.payload.order());
        }

        // The root fits the changed operations, so that the signatures in them are judged.
        let leaves: Vec<_> = double.operations.iter().map(cbor::encode).collect();
        double.header.operations = merkle::root(&leaves);
        self.doubles.put(block, double);
    }

    fn hears(&mut self, _: &mut Mouth<'_>, _: PublicKey, said: &PeerMessage) -> Vec<PeerMessage> {
        if let PeerMessage::Operations(operations) = said
            && let Some(bid) = operations.iter().find(|op| is_bid(&op.payload.body))
        {
            self.victim = Some(bid.signer);
        }
        self.doubles.serve(said)
    }

    fn says(
        &mut self,
        mouth: &mut Mouth<'_>,
        _: PublicKey,
        message: PeerMessage,
    ) -> Vec<PeerMessage> {
        vec![self.doubles.replace(mouth, message)]
    }

    fn volunteers(&mut self, mouth: &mut Mouth<'_>) -> Vec<(PublicKey, PeerMessage)> {
        let Some(bid) = self.victim.and_then(|victim| invent(mouth, victim)) else {
            return Vec::new();
        };

        let peers = mouth.peers();
        mouth.lies += peers.len() as u64;

        peers
            .into_iter()
            .map(|peer| (peer, PeerMessage::Operations(vec![bid.clone()])))
            .collect()
    }
}

/// Changes the first bid, commitment, opening or solution in the block; `false` if there is none.
fn raise_a_price(block: &mut Block) -> bool {
    let mut bodies = block
        .operations
        .iter_mut()
        .map(|operation| &mut operation.payload.body);

    bodies.any(|body| match body {
        Body::Bid(Bid { offers, .. }) => offers.first_mut().is_some_and(|offer| {
            offer.price = offer.price.saturating_add(1);
            true
        }),
        Body::Seal(Seal { offers, .. }) => offers.first_mut().is_some_and(|offer| {
            offer.commitment.0[0] ^= 1;
            true
        }),
        Body::Reveal(Reveal { openings, .. }) => openings.first_mut().is_some_and(|opening| {
            opening.price = opening.price.saturating_add(1);
            true
        }),
        Body::Solve(Solve { pairs, .. }) => pairs.first_mut().is_some_and(|pair| {
            pair.agent.0[0] ^= 1;
            true
        }),
        _ => false,
    })
}

/// A bid of another agent at price 0, on an open task or on one that does not exist.
fn invent(mouth: &Mouth<'_>, victim: PublicKey) -> Option<SignedOperation> {
    let ledger: &Ledger = mouth.replica.ledger();
    let market = ledger.genesis_info().markets.first()?.name.clone();

    let open = ledger.open_tasks(&market, 1).first().map(|(task, _)| *task);
    let task = open.unwrap_or(TaskId {
        requester: victim,
        number: 0,
    });

    let bid = Bid {
        market,
        budget: Amounts::new(),
        offers: vec![Offer { task, price: 0 }],
    };

    let payload = Operation {
        swarm: ledger.swarm(),
        agent: victim,
        sequence: ledger.next_sequence(&victim),
        body: Body::Bid(bid),
    };

    // This is the liar's key, not the victim's, so the signature does not verify.
    let signature = mouth.key.sign(payload.clone()).signature;

    Some(Sign1 {
        signer: victim,
        payload,
        signature,
    })
}
