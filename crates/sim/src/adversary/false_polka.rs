//! Claims polkas that never were: in every later round in which it proposes, it proposes a block of
//! its own, with the round before as POL round, in place of the replica's proposal. Until then it
//! votes nil, so that somebody may lock a block for which nobody else heard a polka.
//!
//! The protocol bears it because a lock gives way only to a polka that was seen, and to no claim of
//! one (N-11, line 28). A validator that has not seen the polka prevotes nil in the end. The claim
//! convicts nobody, because it cannot be proved that there was no polka.

use std::collections::BTreeMap;

use quorate_crypto::verify_quorum;
use quorate_ledger::Proposal;
use quorate_types::message::PeerMessage;
use quorate_types::{Block, Height, Kind, PublicKey, Round, SignedStatement};

use super::nil_only::{NilOnly, shows};
use super::{Lie, Mouth};

#[derive(Debug, Default)]
pub(super) struct FalsePolka {
    /// The block that it proposed in each round of the newest height, so that it says the same to
    /// all; `None` if it had no block to claim a polka for.
    claimed: BTreeMap<(Height, Round), Option<Block>>,
    /// A block of the newest height with a previous commit that shows no vote of the liar.
    body: Option<Block>,
    nil: NilOnly,
}

impl FalsePolka {
    /// The claim in place of the liar's own proposal, with the body of its block.
    fn claim(&mut self, mouth: &mut Mouth<'_>, own: &SignedStatement) -> Option<Vec<PeerMessage>> {
        let mut statement = own.statement.clone();
        let (height, round) = (statement.height, statement.round);
        // In round 0 there is no earlier round to claim a polka of.
        let before = round.checked_sub(1)?;

        self.claimed.retain(|(at, _), _| *at >= height);
        // All peers must hear the same claim, so one block is built for a round.
        let claimed = match self.claimed.get(&(height, round)) {
            Some(claimed) => claimed.clone(),
            None => self.build(mouth, height, round),
        };

        self.claimed.insert((height, round), claimed.clone());
        let block = claimed?;

        (statement.block, statement.pol_round) = (Some(block.header.id()), Some(before));
        mouth.lies += 1;

        Some(vec![
            PeerMessage::Block(Box::new(block)),
            mouth.sign(statement),
        ])
    }

    /// Keeps a block if its previous commit shows no vote of the liar.
    fn know(&mut self, mouth: &Mouth<'_>, block: &Block) {
        let commit = block.previous_commit.as_ref();
        if !commit.is_some_and(|commit| shows(commit, &mouth.me())) {
            self.body = Some(block.clone());
        }
    }

    /// A block that is sound and empty; `None` if no block of the height is known whose commit it
    /// can build on.
    fn build(&self, mouth: &Mouth<'_>, height: Height, round: Round) -> Option<Block> {
        let ledger = mouth.replica.ledger();
        let known = self
            .body
            .as_ref()
            .filter(|block| block.header.height == height)?;

        let commit = known.previous_commit.clone();
        let checked = |_: &SignedStatement| false;
        let verified = |commit| verify_quorum(commit, ledger.previous_validators(), &checked).ok();

        let proposal = Proposal {
            block_time: mouth.now.unix,
            builder: mouth.me(),
            build_round: round,
            previous_commit: commit.and_then(verified),
            operations: Vec::new(),
            evidence: Vec::new(),
        };

        Some(ledger.propose(proposal).0.into_inner())
    }
}

impl Lie for FalsePolka {
    fn propose(&mut self, mouth: &mut Mouth<'_>, proposal: &mut Proposal) {
        self.nil.propose(mouth, proposal);
    }

    fn built(&mut self, mouth: &mut Mouth<'_>, block: &Block) {
        self.nil.built(mouth, block);
        self.know(mouth, block);
    }

    fn hears(
        &mut self,
        mouth: &mut Mouth<'_>,
        from: PublicKey,
        said: &PeerMessage,
    ) -> Vec<PeerMessage> {
        self.nil.hears(mouth, from, said);

        match said {
            PeerMessage::Block(block) => self.know(mouth, block),
            PeerMessage::FetchBlock(wanted) => {
                // The replica does not know the block, so the liar serves it.
                let mut claimed = self.claimed.values().flatten();
                let found = claimed
                    .find(|block| block.header.id() == wanted.block)
                    .cloned();

                return found
                    .map(|block| PeerMessage::Block(Box::new(block)))
                    .into_iter()
                    .collect();
            }
            _ => {}
        }

        Vec::new()
    }

    fn says(
        &mut self,
        mouth: &mut Mouth<'_>,
        to: PublicKey,
        message: PeerMessage,
    ) -> Vec<PeerMessage> {
        let own = mouth.own(&message).cloned();

        if let Some(own) = own.filter(|own| own.statement.kind == Kind::Proposal)
            && let Some(claim) = self.claim(mouth, &own)
        {
            return claim;
        }

        // Votes for nil only prepare the lie, so they are not counted.
        let told = mouth.lies;
        let said = self.nil.says(mouth, to, message);
        mouth.lies = told;

        said
    }
}
