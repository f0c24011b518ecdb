//! Claims polkas that never were: in every later round in which it proposes, it proposes a block of
//! its own, with the round before as POL round, in place of the replica's proposal. Until then it
//! votes nil, so that somebody may lock a block for which nobody else heard a polka.
//!
//! The protocol bears it because a lock gives way only to a polka that was seen, and to no claim of
//! one (N-11, line 28). A validator that has not seen the polka prevotes nil in the end. The claim
//! convicts nobody, because it cannot be proved that there was no polka.

use std::collections::BTreeMap;

use quorate_crypto::verify_commit;
use quorate_ledger::Proposal;
use quorate_types::message::PeerMessage;
use quorate_types::{Block, Height, Kind, PublicKey, Round, SignedStatement};

use super::nil_only::{NilOnly, Proved, shows};
use super::{LiarContext, Lie};

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
    fn claim(
        &mut self,
        context: &mut LiarContext<'_>,
        own: &SignedStatement,
    ) -> Option<Vec<PeerMessage>> {
        let mut statement = own.statement.clone();

        // In round 0 there is no earlier round to claim a polka of.
        let before = statement.round.checked_sub(1)?;
        let block = self.block_of(context, statement.height, statement.round)?;

        statement.block = Some(block.header.id());
        statement.pol_round = Some(before);
        context.lies += 1;

        Some(vec![
            PeerMessage::Block(Box::new(block)),
            context.sign(statement),
        ])
    }

    /// The block that it proposes in a round. All peers must hear the same claim, so one block is
    /// built for a round.
    fn block_of(
        &mut self,
        context: &LiarContext<'_>,
        height: Height,
        round: Round,
    ) -> Option<Block> {
        self.claimed.retain(|(at, _), _| *at >= height);

        let claimed = match self.claimed.get(&(height, round)) {
            Some(claimed) => claimed.clone(),
            None => self.build(context, height, round),
        };

        self.claimed.insert((height, round), claimed.clone());
        claimed
    }

    /// Keeps a block if its previous commit shows no vote of the liar.
    fn know(&mut self, context: &LiarContext<'_>, block: &Block) {
        let commit = block.previous_commit.as_ref();
        if !commit.is_some_and(|commit| shows(commit.certificate(), &context.me())) {
            self.body = Some(block.clone());
        }
    }

    /// A block that is sound and empty; `None` if no block of the height is known whose commit it
    /// can build on.
    fn build(&self, context: &LiarContext<'_>, height: Height, round: Round) -> Option<Block> {
        let known = self.body.as_ref();
        let known = known.filter(|block| block.header.height == height)?;

        let proposal = Proposal {
            block_time: context.now.unix,
            builder: context.me(),
            missed_turns: round,
            previous_commit: verified_commit(context, known),
            operations: Vec::new(),
            evidence: Vec::new(),
        };

        let (block, _) = context.replica.ledger().propose(proposal);
        Some(block.into_inner())
    }
}

/// The commit in a block, if it has a valid one.
fn verified_commit(context: &LiarContext<'_>, block: &Block) -> Option<Proved> {
    let set = context.replica.ledger().previous_validators();
    let commit = block.previous_commit.clone()?;
    verify_commit(commit, set, &|_: &SignedStatement| false).ok()
}

impl Lie for FalsePolka {
    fn propose(&mut self, context: &mut LiarContext<'_>, proposal: &mut Proposal) {
        self.nil.propose(context, proposal);
    }

    fn built(&mut self, context: &mut LiarContext<'_>, block: &Block) {
        self.nil.built(context, block);
        self.know(context, block);
    }

    fn hears(
        &mut self,
        context: &mut LiarContext<'_>,
        from: PublicKey,
        said: &PeerMessage,
    ) -> Vec<PeerMessage> {
        self.nil.hears(context, from, said);

        match said {
            PeerMessage::Block(block) => self.know(context, block),
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
        context: &mut LiarContext<'_>,
        to: PublicKey,
        message: PeerMessage,
    ) -> Vec<PeerMessage> {
        let own = context.own(&message).cloned();

        if let Some(own) = own.filter(|own| own.statement.kind == Kind::Proposal)
            && let Some(claim) = self.claim(context, &own)
        {
            return claim;
        }

        // Votes for nil only prepare the lie, so they are not counted.
        let told = context.lies;
        let said = self.nil.says(context, to, message);
        context.lies = told;

        said
    }
}
