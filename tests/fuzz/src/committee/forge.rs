//! Forges messages: breaks a signature or the bond of a header to its body.

use quorate_types::message::PeerMessage;
use quorate_types::{BlockId, Evidence, QuorumCertificate, Signature};

use crate::choices::Choices;

/// Spoils a signature, or pairs a header with another body. Returns `false` if the message carries
/// nothing that can be spoiled.
pub(super) fn forge(message: &mut PeerMessage, choices: &mut Choices<'_>) -> bool {
    match message {
        PeerMessage::Statement(signed) => match choices.below(4) {
            0 => signed.statement.round = signed.statement.round.wrapping_add(1),
            1 => {
                let mut id = signed.statement.block.unwrap_or(BlockId([0; 32]));
                id.0[0] ^= 1;
                signed.statement.block = Some(id);
            }
            2 => signed.statement.height = signed.statement.height.wrapping_add(1),
            _ => spoil(&mut signed.signature, choices),
        },
        PeerMessage::Certificate(certificate) => return spoil_vote(certificate, choices),
        PeerMessage::Block(block) => match block.operations.pop() {
            Some(_) => {}
            None => block.header.operations.0[0] ^= 1,
        },
        PeerMessage::Operations(operations) => {
            operations
                .iter_mut()
                .for_each(|operation| operation.alter(|of| spoil(&mut of.signature, choices)));
            return !operations.is_empty();
        }
        PeerMessage::Decided(decided) => match choices.below(2) {
            0 => return spoil_vote(&mut decided.commit, choices),
            _ => return decided.block.operations.pop().is_some(),
        },
        PeerMessage::Evidence(evidence) => match &mut **evidence {
            Evidence::Conflict(pair) => spoil(&mut pair.second.signature, choices),
            Evidence::BadBlock(bad) => spoil(&mut bad.proposal.signature, choices),
        },
        PeerMessage::Suspicion(suspicion) => {
            suspicion.alter(|of| spoil(&mut of.signature, choices));
        }
        // The other messages are not signed.
        _ => return false,
    }
    true
}

fn spoil(signature: &mut Signature, choices: &mut Choices<'_>) {
    let at = choices.below(signature.0.len());
    signature.0[at] ^= choices.byte().max(1);
}

fn spoil_vote(certificate: &mut QuorumCertificate, choices: &mut Choices<'_>) -> bool {
    let at = choices.below(certificate.votes.len());
    let Some(vote) = certificate.votes.get_mut(at) else {
        return false;
    };
    spoil(&mut vote.signature, choices);
    true
}
