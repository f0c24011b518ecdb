//! Votes nil, whatever is proposed, and keeps to itself the certificates that show it otherwise:
//! its own blocks too, where they need one.
//!
//! Borne because the others are a quorum without it. It contradicts itself nowhere, so nobody can
//! convict it.

use quorate_crypto::verify_quorum;
use quorate_ledger::Proposal;
use quorate_types::message::PeerMessage;
use quorate_types::{Block, BlockId, Kind, PublicKey, QuorumCertificate, SignedStatement, Vote};

use super::{Lie, Mouth};

/// See the module.
#[derive(Debug, Default)]
pub(super) struct NilOnly {
    /// What others precommitted at the newest height that they did.
    precommits: Vec<SignedStatement>,
    /// The last block that it built on a commit with its own vote.
    withheld: Option<BlockId>,
}

impl NilOnly {
    /// The commit by what others voted, if they are a quorum by now.
    fn of_others(&self, mouth: &Mouth<'_>, commit: &QuorumCertificate) -> Option<Proved> {
        let same = self
            .precommits
            .iter()
            .filter(|signed| signed.statement == commit.statement);
        let votes = same.map(|signed| Vote {
            signer: signed.signer,
            signature: signed.signature,
        });
        let mut votes: Vec<Vote> = votes.collect();
        votes.sort_unstable();
        votes.dedup_by_key(|vote| vote.signer);
        let others = QuorumCertificate {
            statement: commit.statement.clone(),
            votes,
        };
        let set = mouth.replica.ledger().previous_validators();
        verify_quorum(others, set, &|_: &SignedStatement| false).ok()
    }
}

/// A commit that was checked.
type Proved = quorate_crypto::Verified<QuorumCertificate>;

/// Whether a certificate shows a vote of `me` for a block.
pub(super) fn shows(certificate: &QuorumCertificate, me: &PublicKey) -> bool {
    certificate.statement.block.is_some() && certificate.votes.iter().any(|vote| vote.signer == *me)
}

impl Lie for NilOnly {
    fn propose(&mut self, mouth: &mut Mouth<'_>, proposal: &mut Proposal) {
        let me = mouth.me();
        proposal
            .evidence
            .retain(|evidence| evidence.culprit() != me);
        let commit = proposal
            .previous_commit
            .as_mut()
            .filter(|commit| shows(commit, &me));
        if let Some(commit) = commit
            && let Some(others) = self.of_others(mouth, commit)
        {
            *commit = others;
        }
    }

    fn built(&mut self, mouth: &mut Mouth<'_>, block: &Block) {
        let commit = block.previous_commit.as_ref();
        let is_shown = commit.is_some_and(|commit| shows(commit, &mouth.me()));
        self.withheld = is_shown.then(|| block.header.id());
    }

    fn hears(&mut self, _: &mut Mouth<'_>, _: PublicKey, said: &PeerMessage) -> Vec<PeerMessage> {
        if let PeerMessage::Statement(signed) = said
            && signed.statement.kind == Kind::Precommit
        {
            let height = signed.statement.height;
            self.precommits
                .retain(|known| known.statement.height >= height && known != signed);
            self.precommits.push(signed.clone());
        }
        Vec::new()
    }

    fn says(
        &mut self,
        mouth: &mut Mouth<'_>,
        _: PublicKey,
        message: PeerMessage,
    ) -> Vec<PeerMessage> {
        let me = mouth.me();
        let gives_away = match &message {
            PeerMessage::Certificate(certificate) => shows(certificate, &me),
            PeerMessage::Decided(decided) => shows(&decided.commit, &me),
            PeerMessage::Block(block) => block
                .previous_commit
                .as_ref()
                .is_some_and(|commit| shows(commit, &me)),
            // Its replica knows what it meant to vote, and hears of what it said.
            PeerMessage::Evidence(evidence) => evidence.culprit() == me,
            PeerMessage::Statement(own) => {
                own.statement.kind == Kind::Proposal && own.statement.block == self.withheld
            }
            _ => false,
        };
        if gives_away {
            return Vec::new();
        }
        let Some(vote) = mouth.own_vote(&message) else {
            return vec![message];
        };
        let mut nil = vote.statement.clone();
        mouth.lies += u64::from(nil.block.is_some());
        nil.block = None;
        vec![mouth.sign(nil)]
    }
}
