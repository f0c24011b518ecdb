//! Doubles: blocks that a liar sends in place of those that its replica built.
//!
//! The replica goes on with the block that it knows. Everything that leaves the liar is about the
//! double: its body, and the liar's own statements, signed again. So the liar tells one consistent
//! story, and no conflict between two of its signatures gives it away if the lie is another one.

use std::collections::BTreeMap;

use quorate_types::message::PeerMessage;
use quorate_types::{Block, BlockId, Height};

use super::LiarContext;

/// The doubles of the blocks that were built at the newest height, by the ids of these blocks.
#[derive(Debug, Default)]
pub(super) struct Doubles(BTreeMap<BlockId, (Height, Block)>);

impl Doubles {
    /// Makes `double` stand for the block that was built.
    pub(super) fn put(&mut self, built: &Block, double: Block) {
        let height = built.header.height;
        self.0.retain(|_, (of, _)| *of == height);
        self.0.insert(built.header.id(), (height, double));
    }

    /// The double that stands for a block, if there is one.
    pub(super) fn of(&self, block: &BlockId) -> Option<&Block> {
        self.0.get(block).map(|(_, double)| double)
    }

    /// The message that goes out in place of `message`: about the double if it was about the block.
    pub(super) fn replace(
        &self,
        context: &mut LiarContext<'_>,
        message: PeerMessage,
    ) -> PeerMessage {
        let replaced = match &message {
            PeerMessage::Block(block) => self.of(&block.header.id()).map(body),
            _ => self.restate(context, &message),
        };
        context.lies += u64::from(replaced.is_some());
        replaced.unwrap_or(message)
    }

    /// Answers a request for the body of a double, which the replica does not know.
    pub(super) fn serve(&self, message: &PeerMessage) -> Vec<PeerMessage> {
        let PeerMessage::FetchBlock(wanted) = message else {
            return Vec::new();
        };

        let mut doubles = self.0.values().map(|(_, double)| double);
        doubles
            .find(|double| double.header.id() == wanted.block)
            .map(body)
            .into_iter()
            .collect()
    }

    /// The liar's own statement on a block, signed again for the double.
    fn restate(&self, context: &LiarContext<'_>, message: &PeerMessage) -> Option<PeerMessage> {
        let mut statement = context.own(message)?.statement.clone();
        let double = self.of(&statement.block?)?;
        statement.block = Some(double.header.id());
        Some(context.sign(statement))
    }
}

fn body(block: &Block) -> PeerMessage {
    PeerMessage::Block(Box::new(block.clone()))
}
