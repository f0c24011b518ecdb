//! Votes nil, whatever is proposed, and withholds the certificates that show its replica's votes
//! for a block, together with those of its own blocks that carry one.
//!
//! The protocol bears it because the other validators are a quorum without it. It never contradicts
//! itself, so nobody can convict it.

use quorate_crypto::verify_commit;
use quorate_ledger::Proposal;
use quorate_types::message::PeerMessage;
use quorate_types::{
    Block, BlockId, CommitProof, Kind, PublicKey, QuorumCertificate, SignedStatement, Vote,
};

use super::{LiarContext, Lie};

#[derive(Debug, Default)]
pub(super) struct NilOnly {
    /// Precommits of others at the newest height of which it heard any.
    precommits: Vec<SignedStatement>,
    /// The last block that it built, if the commit in that block shows a vote of its own.
    withheld: Option<BlockId>,
}

impl NilOnly {
    /// The commit with the votes of the others alone, if these are a quorum by now.
    fn of_others(&self, context: &LiarContext<'_>, commit: &QuorumCertificate) -> Option<Proved> {
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

        let set = context.replica.ledger().previous_validators();
        verify_commit(others.into(), set, &|_: &SignedStatement| false).ok()
    }

    /// Whether a message of the replica of `me` shows that it voted for a block.
    fn gives_away(&self, me: &PublicKey, message: &PeerMessage) -> bool {
        match message {
            PeerMessage::Certificate(certificate) => shows(certificate, me),
            PeerMessage::Decided(decided) => shows(&decided.commit, me),
            PeerMessage::Block(block) => {
                let commit = block.previous_commit.as_ref();
                commit.is_some_and(|commit| shows(commit.certificate(), me))
            }
            // The replica knows the vote that it signed, and hears the nil that the liar said: it
            // may accuse its own key.
            PeerMessage::Evidence(evidence) => evidence.culprit() == *me,
            PeerMessage::Statement(own) => {
                own.statement.kind == Kind::Proposal && own.statement.block == self.withheld
            }
            _ => false,
        }
    }
}

/// A commit that was verified.
pub(super) type Proved = quorate_crypto::Verified<CommitProof>;

/// Whether a certificate shows a vote of `me` for a block.
pub(super) fn shows(certificate: &QuorumCertificate, me: &PublicKey) -> bool {
    certificate.statement.block.is_some() && certificate.votes.iter().any(|vote| vote.signer == *me)
}

impl Lie for NilOnly {
    fn propose(&mut self, context: &mut LiarContext<'_>, proposal: &mut Proposal) {
        let me = context.me();
        // It carries no evidence against itself.
        proposal
            .evidence
            .retain(|evidence| evidence.culprit() != me);

        let commit = proposal
            .previous_commit
            .as_mut()
            .filter(|commit| shows(commit.certificate(), &me));

        // With the votes of others alone, the commit does not show its own vote.
        if let Some(commit) = commit
            && let Some(others) = self.of_others(context, commit.certificate())
        {
            *commit = others;
        }
    }

    fn built(&mut self, context: &mut LiarContext<'_>, block: &Block) {
        let commit = block.previous_commit.as_ref();
        let is_shown = commit.is_some_and(|commit| shows(commit.certificate(), &context.me()));
        self.withheld = is_shown.then(|| block.header.id());
    }

    fn hears(
        &mut self,
        _: &mut LiarContext<'_>,
        _: PublicKey,
        said: &PeerMessage,
    ) -> Vec<PeerMessage> {
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
        context: &mut LiarContext<'_>,
        _: PublicKey,
        message: PeerMessage,
    ) -> Vec<PeerMessage> {
        if self.gives_away(&context.me(), &message) {
            return Vec::new();
        }

        let Some(vote) = context.own_vote(&message) else {
            return vec![message];
        };

        let mut nil = vote.statement.clone();
        context.lies += u64::from(nil.block.is_some());
        nil.block = None;

        vec![context.sign(nil)]
    }
}
