//! Repeats to anyone what it and others said before, at this height and at heights long past, and
//! shows two statements of another validator as if they were in conflict.
//!
//! The protocol bears it because a message means the same however often it comes, and from whom:
//! statements name swarm, height and round, operations have a sequence number, and each counts
//! once. Two statements convict only if they are of one height, round and kind, and say different
//! things (N-24).

use quorate_types::evidence::Conflict;
use quorate_types::message::PeerMessage;
use quorate_types::{Evidence, PublicKey, SignedStatement};

use super::{LiarContext, Lie};
use crate::seed::Dice;

/// The number of messages that are kept.
const KEPT: usize = 256;
/// The number of messages that are sent on each occasion.
const AT_ONCE: usize = 6;

#[derive(Debug, Default)]
pub(super) struct Replayer {
    /// Messages of any time that were heard or said. If it is full, a new message takes the place
    /// of a random one, so that old messages stay for long.
    kept: Vec<PeerMessage>,
}

impl Replayer {
    /// Keeps a message; if there is no room, in place of a random one.
    fn keep(&mut self, dice: &mut Dice, message: &PeerMessage) {
        match self.kept.len() < KEPT {
            true => self.kept.push(message.clone()),
            false => self.kept[dice.index(KEPT)] = message.clone(),
        }
    }

    /// Evidence of two statements of one other validator at one height, which may well be correct.
    fn accuse(&self, context: &LiarContext<'_>) -> Option<PeerMessage> {
        let me = context.me();
        let one = self.statements_of_others(me).next()?;

        // Statements of different kinds are not a conflict.
        let mut statements = self.statements_of_others(me);
        let other = statements.find(|signed| {
            signed.signer == one.signer
                && signed.statement.height == one.statement.height
                && signed.statement.kind != one.statement.kind
        })?;

        let first = one.min(other).clone();
        let second = one.max(other).clone();

        let conflict = Conflict { first, second };
        let evidence = Evidence::Conflict(Box::new(conflict));

        Some(PeerMessage::Evidence(Box::new(evidence)))
    }

    /// The kept statements that `me` did not sign, from the last place to the first.
    fn statements_of_others(&self, me: PublicKey) -> impl Iterator<Item = &SignedStatement> {
        let messages = self.kept.iter().rev();

        messages.filter_map(move |message| match message {
            PeerMessage::Statement(signed) if signed.signer != me => Some(signed),
            _ => None,
        })
    }
}

impl Lie for Replayer {
    fn hears(
        &mut self,
        context: &mut LiarContext<'_>,
        _: PublicKey,
        message: &PeerMessage,
    ) -> Vec<PeerMessage> {
        self.keep(context.dice, message);
        Vec::new()
    }

    fn says(
        &mut self,
        context: &mut LiarContext<'_>,
        _: PublicKey,
        message: PeerMessage,
    ) -> Vec<PeerMessage> {
        self.keep(context.dice, &message);
        vec![message]
    }

    fn volunteers(&mut self, context: &mut LiarContext<'_>) -> Vec<(PublicKey, PeerMessage)> {
        let mut said = Vec::new();

        for _ in 0..AT_ONCE {
            let message = context.dice.pick(&self.kept).cloned();
            said.extend(context.any_peer().zip(message));
        }

        let accusation = self.accuse(context);
        said.extend(context.any_peer().zip(accusation));

        context.lies += said.len() as u64;
        said
    }
}
