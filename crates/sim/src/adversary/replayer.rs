//! Says again, to anyone, what it and others said before: of this height and of heights long gone;
//! and shows two statements of somebody as if they contradicted each other.
//!
//! Borne because a message means the same however often and from whom it comes: statements name
//! swarm, height and round, operations their number, and each counts once. Two statements convict
//! only if they are of one height, round and kind and say different things (N-24).

use quorate_types::evidence::Conflict;
use quorate_types::message::PeerMessage;
use quorate_types::{Evidence, PublicKey};

use super::{Lie, Mouth};
use crate::dice::Dice;

/// Messages kept.
const KEPT: usize = 256;
/// Messages sent on each occasion.
const AT_ONCE: usize = 6;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Replayer {
    /// Any that were ever heard or said: when full, a new one takes the place of some other, so
    /// that old ones stay for long.
    kept: Vec<PeerMessage>,
}

impl Replayer {
    fn keep(&mut self, dice: &mut Dice, message: &PeerMessage) {
        match self.kept.len() < KEPT {
            true => self.kept.push(message.clone()),
            false => self.kept[dice.index(KEPT)] = message.clone(),
        }
    }

    /// Two statements of one of the others, of one height, which he may well have made.
    fn accuse(&self, mouth: &Mouth<'_>) -> Option<PeerMessage> {
        let statements = || {
            self.kept.iter().rev().filter_map(|message| match message {
                PeerMessage::Statement(signed) if signed.signer != mouth.me() => Some(signed),
                _ => None,
            })
        };
        let first = statements().next()?;
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
