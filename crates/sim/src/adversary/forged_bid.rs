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
    Amounts, Block, Label, Operation, OperationBody, PublicKey, Sign1, Signed, SignedOperation,
    TaskId, cbor,
};

use super::doubles::Doubles;
use super::{LiarContext, Lie, is_bid};

#[derive(Debug, Default)]
pub(super) struct ForgedBid {
    doubles: Doubles,
    /// The bidder of the latest bid that it heard of.
    victim: Option<PublicKey>,
}

impl Lie for ForgedBid {
    fn built(&mut self, context: &mut LiarContext<'_>, block: &Block) {
        let mut double = block.clone();

        // If there is nothing to change, it invents a bid.
        if !raise_a_price(&mut double) {
            let Some(bid) = self.victim.and_then(|victim| invent(context, victim)) else {
                return;
            };

            put_in_place(&mut double.operations, bid);
        }

        // The root fits the changed operations, so that the signatures in them are judged.
        let leaves: Vec<_> = double.operations.iter().map(cbor::encode).collect();
        double.header.operations = merkle::root(&leaves);
        self.doubles.put(block, double);
    }

    fn hears(
        &mut self,
        _: &mut LiarContext<'_>,
        _: PublicKey,
        said: &PeerMessage,
    ) -> Vec<PeerMessage> {
        if let PeerMessage::Operations(operations) = said
            && let Some(bid) = operations.iter().find(|op| is_bid(&op.payload.body))
        {
            self.victim = Some(bid.signer);
        }
        self.doubles.serve(said)
    }

    fn says(
        &mut self,
        context: &mut LiarContext<'_>,
        _: PublicKey,
        message: PeerMessage,
    ) -> Vec<PeerMessage> {
        vec![self.doubles.replace(context, message)]
    }

    fn volunteers(&mut self, context: &mut LiarContext<'_>) -> Vec<(PublicKey, PeerMessage)> {
        match self.victim.and_then(|victim| invent(context, victim)) {
            Some(bid) => context.lie_to_all(&PeerMessage::Operations(vec![bid])),
            None => Vec::new(),
        }
    }
}

/// Puts an operation into its position, in place of the operation there, if there is one.
fn put_in_place(operations: &mut Vec<SignedOperation>, new: SignedOperation) {
    let place = new.payload.order();
    operations.retain(|operation| operation.payload.order() != place);

    operations.push(new);
    operations.sort_by_key(|operation| operation.payload.order());
}

/// Changes the first bid, commitment, opening or solution in the block; `false` if there is none.
fn raise_a_price(block: &mut Block) -> bool {
    let mut operations = block.operations.iter_mut();
    operations.any(|operation| operation.alter(|parts| change(&mut parts.payload.body)))
}

/// Changes the first item of a bid, commitment, opening or solution; `false` if there is none.
fn change(body: &mut OperationBody) -> bool {
    let changed = match body {
        OperationBody::Bid(Bid { offers, .. }) => offers
            .first_mut()
            .map(|offer| offer.price = offer.price.saturating_add(1)),

        OperationBody::Seal(Seal { offers, .. }) => {
            offers.first_mut().map(|offer| offer.commitment.0[0] ^= 1)
        }

        OperationBody::Reveal(Reveal { openings, .. }) => openings
            .first_mut()
            .map(|opening| opening.price = opening.price.saturating_add(1)),

        OperationBody::Solve(Solve { pairs, .. }) => {
            pairs.first_mut().map(|pair| pair.agent.0[0] ^= 1)
        }

        _ => None,
    };

    changed.is_some()
}

/// A bid of another agent at price 0, on an open task or on one that does not exist.
fn invent(context: &LiarContext<'_>, victim: PublicKey) -> Option<SignedOperation> {
    let ledger: &Ledger = context.replica.ledger();
    let market = ledger.genesis_info().markets.first()?.name.clone();
    let task = any_task(ledger, &market, victim);

    let bid = Bid {
        market,
        budget: Amounts::new(),
        offers: vec![Offer { task, price: 0 }],
    };

    let payload = Operation {
        swarm: ledger.swarm(),
        agent: victim,
        sequence: ledger.next_sequence(&victim),
        body: OperationBody::Bid(bid),
    };

    // This is the liar's key, not the victim's, so the signature does not verify.
    let signature = context.key.sign(payload.clone()).signature;

    Some(Sign1::from(Signed {
        signer: victim,
        payload,
        signature,
    }))
}

/// The first open task of the market or, if there is none, a task of the requester that may not
/// exist.
fn any_task(ledger: &Ledger, market: &Label, requester: PublicKey) -> TaskId {
    let open = ledger.open_tasks(market, 1);
    let invented = TaskId {
        requester,
        number: 0,
    };

    open.first().map_or(invented, |(task, _)| *task)
}
