//! Shows certificates that lack the votes for them: with too few votes, with its own signature in
//! everybody's name, with votes of one step under another, or with one signer many times. It also
//! shows decided blocks to go with them.
//!
//! The protocol bears it because a certificate counts only if its votes are sorted, its signers are
//! members, the power suffices and every signature in it verifies (N-6). A validator that brings a
//! certificate that does not verify is not believed for a while (N-34).

use quorate_types::message::{Decided, PeerMessage};
use quorate_types::{Block, Height, Kind, PublicKey, QuorumCertificate, Statement, Vote};

use super::{Lie, Mouth};

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
    fn forge(&self, mouth: &mut Mouth<'_>) -> Option<QuorumCertificate> {
        let mut statement = self.said.clone()?;
        let set = mouth.replica.ledger().validators();
        let everyone = set.iter().map(|validator| validator.key);

        let mut votes = self.votes.clone();

        match mouth.dice.below(4) {
            // Too few votes.
            0 => votes.truncate(2),

            // The liar's own signature in everybody's name.
            1 => {
                let own = mouth.key.sign_statement(statement.clone()).signature;
                votes = everyone
                    .map(|signer| Vote {
                        signer,
                        signature: own,
                    })
                    .collect();
            }

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
                let signature = mouth.key.sign_statement(statement.clone()).signature;
                votes = everyone
                    .map(|_| Vote {
                        signer: mouth.me(),
                        signature,
                    })
                    .collect();
            }
        }

        Some(QuorumCertificate { statement, votes })
    }
}

impl Lie for CertificateForger {
    fn built(&mut self, _: &mut Mouth<'_>, block: &Block) {
        self.body = Some(block.clone());
    }

    fn hears(
        &mut self,
        mouth: &mut Mouth<'_>,
        _: PublicKey,
        said: &PeerMessage,
    ) -> Vec<PeerMessage> {
        match said {
            PeerMessage::Block(block) => self.body = Some((**block).clone()),
            PeerMessage::Statement(signed)
                if signed.statement.kind != Kind::Proposal && signed.statement.block.is_some() =>
            {
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

                // It forges while votes are still few: later there are valid certificates without
                // it.
                let forged = mouth
                    .dice
                    .chance(ANSWERS_PERMILLE)
                    .then(|| self.forge(mouth))
                    .flatten();

                mouth.lies += u64::from(forged.is_some());
                return forged.map(PeerMessage::Certificate).into_iter().collect();
            }
            _ => {}
        }

        Vec::new()
    }

    fn volunteers(&mut self, mouth: &mut Mouth<'_>) -> Vec<(PublicKey, PeerMessage)> {
        let Some(certificate) = self.forge(mouth) else {
            return Vec::new();
        };

        let decided = self.body.clone().filter(|_| mouth.dice.chance(300));

        let message = match decided {
            Some(block) => {
                let mut commit = certificate;
                // The commit names the block, so that only its votes give it away.
                commit.statement.block = Some(block.header.id());
                commit.statement.height = ahead(mouth, block.header.height);
                PeerMessage::Decided(Box::new(Decided { block, commit }))
            }
            None => PeerMessage::Certificate(certificate),
        };

        let peers = mouth.peers();
        mouth.lies += peers.len() as u64;

        peers
            .into_iter()
            .map(|peer| (peer, message.clone()))
            .collect()
    }
}

/// The height of the block or, less often, one that is far ahead of it.
fn ahead(mouth: &mut Mouth<'_>, height: Height) -> Height {
    if mouth.dice.chance(700) {
        height
    } else {
        height.saturating_add(mouth.dice.number())
    }
}
