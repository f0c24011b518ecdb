//! Repeats to anyone what it and others said before, at this height and at heights long past, and
//! shows two statements of another validator as if they were in conflict.
//!
//! The protocol bears it because a message means the same however often it comes, and from whom:
//! statements name swarm, height and round, operations have a sequence number, and each counts
//! once. Two statements convict only if they are of one height, round and kind, and say different
//! things (N-24).

use quorate_types::evidence::Conflict;
use quorate_types::message::PeerMessage;
use quorate_types::{Evidence, PublicKey};

use super::{Lie, Mouth};
use crate::dice::Dice;

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
    fn accuse(&self, mouth: &Mouth<'_>) -> Option<PeerMessage> {
        let statements = || {
            self.kept.iter().rev().filter_map(|message| match message {
                PeerMessage::Statement(signed) if signed.signer != mouth.me() => Some(signed),
                _ => None,
            })
        };

        let first = statements().next()?;

        // Statements of different kinds are not a conflict.
        let second = statements().find(|signed| {
            signed.signer == first.signer
                && signed.statement.height == first.statement.height
                && signed.statement.kind != first.statement.kind
        })?;

        let (first, second) = (first.clone().min(second.clone()), first.max(second).clone());

        Some(PeerMessage::Evidence(Box::new(Evidence::Conflict(
            Box::new(Conflict { first, second }),
        ))))
    }
}

impl Lie for Replayer {
    fn hears(
        &mut self,
        mouth: &mut Mouth<'_>,
        _: PublicKey,
        message: &PeerMessage,
    ) -> Vec<PeerMessage> {
        self.keep(mouth.dice, message);
        Vec::new()
    }

    fn says(
        &mut self,
        mouth: &mut Mouth<'_>,
        _: PublicKey,
        message: PeerMessage,
    ) -> Vec<PeerMessage> {
        self.keep(mouth.dice, &message);
        vec![message]
    }

    fn volunteers(&mut self, mouth: &mut Mouth<'_>) -> Vec<(PublicKey, PeerMessage)> {
        let mut said = Vec::new();

        for _ in 0..AT_ONCE {
            let message = mouth.dice.pick(&self.kept).cloned();
            said.extend(mouth.any_peer().zip(message));
        }

        let accusation = self.accuse(mouth);
        said.extend(mouth.any_peer().zip(accusation));

        mouth.lies += said.len() as u64;
        said
    }
}
