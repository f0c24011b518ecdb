//! The states of one body, from its arrival to the result of its execution.

use std::sync::Arc;

use quorate_crypto::Verified;
use quorate_ledger::{Execution, InvalidBlock};
use quorate_types::{Block, Round, cbor, limits};

/// A body, and how far this node has come with it.
#[derive(Debug)]
pub(super) enum Body {
    /// Its signatures are being checked.
    Unverified,
    /// A signature in it does not hold. If it is short enough for evidence, it is kept until its
    /// builder is accused.
    Forged(Option<Box<Block>>),
    /// Its signatures hold, and its execution is awaited.
    Verified {
        block: Arc<Verified<Block>>,
        /// The round for which this node built the block.
        built: Option<Round>,
    },
    /// The log holds the verdict on it, that it is valid, but not its execution.
    Recovered(Arc<Verified<Block>>),
    /// It is valid. The execution is taken out once the block is decided.
    Valid {
        block: Arc<Verified<Block>>,
        execution: Option<Box<Execution>>,
    },
    /// It is invalid.
    Invalid {
        block: Arc<Verified<Block>>,
        reason: String,
        /// The body as evidence (L-22), until its builder is accused of it.
        accusable: Option<Box<Block>>,
    },
}

/// A block whose execution is awaited.
pub(super) struct Awaited {
    pub(super) block: Arc<Verified<Block>>,
    /// The round for which this node built it.
    pub(super) built: Option<Round>,
    /// Whether its verdict was given before a restart.
    pub(super) is_judged: bool,
}

impl Body {
    pub(super) fn valid(block: Arc<Verified<Block>>, execution: Box<Execution>) -> Self {
        let execution = Some(execution);
        Self::Valid { block, execution }
    }

    /// A block that execution refuses. This node does not accuse itself: a block of its own that
    /// fails is a fault of its memory (N-8).
    pub(super) fn invalid(
        block: Arc<Verified<Block>>,
        reason: &InvalidBlock,
        is_own: bool,
    ) -> Self {
        let convicts = !is_own && reason.convicts() && is_short(&block);

        Self::Invalid {
            reason: reason.to_string(),
            accusable: convicts.then(|| Box::new((**block).clone())),
            block,
        }
    }

    /// The block whose execution is awaited, if it is.
    pub(super) fn awaited(&self) -> Option<Awaited> {
        let (block, built, is_judged) = match self {
            Self::Verified { block, built } => (block, *built, false),
            Self::Recovered(block) => (block, None, true),

            // Nobody asked for it, or it was executed already.
            Self::Unverified | Self::Forged(_) | Self::Valid { .. } | Self::Invalid { .. } => {
                return None;
            }
        };

        Some(Awaited {
            block: Arc::clone(block),
            built,
            is_judged,
        })
    }

    /// The block, if its signatures hold.
    pub(super) fn block(&self) -> Option<&Arc<Verified<Block>>> {
        match self {
            Self::Unverified | Self::Forged(_) => None,

            Self::Recovered(block)
            | Self::Verified { block, .. }
            | Self::Valid { block, .. }
            | Self::Invalid { block, .. } => Some(block),
        }
    }

    /// The bad body of which its builder was not accused yet.
    pub(super) fn accusable(&mut self) -> Option<&mut Option<Box<Block>>> {
        match self {
            Self::Forged(bad) | Self::Invalid { accusable: bad, .. } => Some(bad),
            Self::Unverified | Self::Verified { .. } | Self::Recovered(_) | Self::Valid { .. } => {
                None
            }
        }
    }
}

/// Whether a body is short enough for evidence.
pub(super) fn is_short(block: &Block) -> bool {
    cbor::encode(block).len() <= limits::BAD_BLOCK_BYTES
}
