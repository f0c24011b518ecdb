//! Shows certificates that lack the votes for them: with too few votes, with its own signature in
//! everybody's name, with votes of one step under another, or with one signer many times. It also
//! shows decided blocks to go with them.
//!
//! The protocol bears it because a certificate counts only if its votes are sorted, its signers are
//! members, the power suffices and every signature in it verifies (N-6). A validator that brings a
//! certificate that does not verify is not believed for a while (N-34).

use quorate_types::message::{Decided, PeerMessage};
use quorate_types::{
    Block, Height, Kind, PublicKey, QuorumCertificate, SignedStatement, Statement, Vote,
};

use super::{LiarContext, Lie};

/// Of a thousand votes, the number that it answers with a certificate.
const ANSWERS_PERMILLE: u64 = 200;

#[derive(Debug, Default)]
pub(super) struct CertificateForger {
    /// The newest vote for a block that it heard.
    said: Option<Statement>,
    /// The votes that say the same, in the order of a certificate.
    votes: Vec<Vote>,
    /// The newest body of a block.
    body: Option<Block>,
}

impl CertificateForger {
    /// Forges a certificate in one of four ways, if it has heard a vote.
    fn forge(&self, context: &mut LiarContext<'_>) -> Option<QuorumCertificate> {
        let mut statement = self.said.clone()?;
        let mut votes = self.votes.clone();

        let set = context.replica.ledger().validators();
        let everyone = set.iter().map(|validator| validator.key);

        match context.dice.below(4) {
            // Too few votes.
            0 => votes.truncate(2),

            // The liar's own signature in everybody's name.
            1 => votes = signed_by_liar(context, &statement, everyone),

            // Votes of one step under another.
            2 => {
                statement.kind = match statement.kind {
                    Kind::Precommit => Kind::Prevote,
                    _ => Kind::Precommit,
                };
            }

            // One signer as often as there are validators.
            _ => {
                statement.kind = Kind::Precommit;
                let signers = everyone.map(|_| context.me());
                votes = signed_by_liar(context, &statement, signers);
            }
        }

        Some(QuorumCertificate { statement, votes })
    }

    /// Keeps a vote for a block, and forgets the votes that say something else.
    fn note_vote(&mut self, signed: &SignedStatement) {
        if self.said.as_ref() != Some(&signed.statement) {
            self.said = Some(signed.statement.clone());
            self.votes.clear();
        }

        let vote = Vote {
            signer: signed.signer,
            signature: signed.signature,
        };

        self.votes.retain(|known| known.signer != vote.signer);
        self.votes.push(vote);
        self.votes.sort_unstable();
    }

    /// Returns a forged certificate in answer to some of the votes. It forges while votes are still
    /// few: later there are valid certificates without it.
    fn answer(&self, context: &mut LiarContext<'_>) -> Vec<PeerMessage> {
        if !context.dice.chance(ANSWERS_PERMILLE) {
            return Vec::new();
        }

        let forged = self.forge(context);
        context.lies += u64::from(forged.is_some());
        forged.map(PeerMessage::Certificate).into_iter().collect()
    }
}

impl Lie for CertificateForger {
    fn built(&mut self, _: &mut LiarContext<'_>, block: &Block) {
        self.body = Some(block.clone());
    }

    fn hears(
        &mut self,
        context: &mut LiarContext<'_>,
        _: PublicKey,
        said: &PeerMessage,
    ) -> Vec<PeerMessage> {
        match said {
            PeerMessage::Block(block) => self.body = Some((**block).clone()),
            PeerMessage::Statement(signed)
                if signed.statement.kind != Kind::Proposal && signed.statement.block.is_some() =>
            {
                self.note_vote(signed);
                return self.answer(context);
            }
            _ => {}
        }

        Vec::new()
    }

    fn volunteers(&mut self, context: &mut LiarContext<'_>) -> Vec<(PublicKey, PeerMessage)> {
        let Some(certificate) = self.forge(context) else {
            return Vec::new();
        };

        let decided = self.body.clone().filter(|_| context.dice.chance(300));

        let message = match decided {
            Some(block) => show_decided(context, block, certificate),
            None => PeerMessage::Certificate(certificate),
        };

        context.lie_to_all(&message)
    }
}

/// Votes of these signers, each with the liar's signature of the statement.
fn signed_by_liar(
    context: &LiarContext<'_>,
    statement: &Statement,
    signers: impl Iterator<Item = PublicKey>,
) -> Vec<Vote> {
    let signature = context.key.sign_statement(statement.clone()).signature;
    signers.map(|signer| Vote { signer, signature }).collect()
}

/// The block as if it were decided by the certificate. The commit names the block, so that only its
/// votes give it away.
fn show_decided(
    context: &mut LiarContext<'_>,
    block: Block,
    mut commit: QuorumCertificate,
) -> PeerMessage {
    commit.statement.block = Some(block.header.id());
    commit.statement.height = ahead(context, block.header.height);
    PeerMessage::Decided(Box::new(Decided { block, commit }))
}

/// The height of the block or, less often, one that is far ahead of it.
fn ahead(context: &mut LiarContext<'_>, height: Height) -> Height {
    if context.dice.chance(700) {
        height
    } else {
        height.saturating_add(context.dice.number())
    }
}
