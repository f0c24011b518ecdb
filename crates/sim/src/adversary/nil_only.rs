//! Votes nil, whatever is proposed, and keeps to itself the certificates that show it otherwise.
//!
//! Borne because the others are a quorum without it. It contradicts itself nowhere, so nobody can
//! convict it.

use quorate_types::message::PeerMessage;
use quorate_types::{PublicKey, QuorumCertificate};

use super::{Lie, Mouth};

/// See the module.
#[derive(Debug)]
pub(super) struct NilOnly;

impl Lie for NilOnly {
    fn says(
        &mut self,
        mouth: &mut Mouth<'_>,
        _: PublicKey,
        message: PeerMessage,
    ) -> Vec<PeerMessage> {
        let me = mouth.me();
        let shows = |certificate: &QuorumCertificate| {
            certificate.statement.block.is_some()
                && certificate.votes.iter().any(|vote| vote.signer == me)
        };
        match &message {
            PeerMessage::Certificate(certificate) if shows(certificate) => return Vec::new(),
            PeerMessage::Decided(decided) if shows(&decided.commit) => return Vec::new(),
            _ => {}
        }
        let Some(vote) = mouth.own_vote(&message) else { return vec![message] };
        let mut nil = vote.statement.clone();
        mouth.lies += u64::from(nil.block.is_some());
        nil.block = None;
        vec![mouth.sign(nil)]
    }
}
