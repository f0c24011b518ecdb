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
    /// Its signatures hold.
    Verified(Arc<Verified<Block>>),
    /// The log holds the verdict on it, that it is valid, but not its execution.
    Recovered(Arc<Verified<Block>>),
    /// It is being executed.
    Executing(Awaited),
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
#[derive(Debug, Clone)]
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

    /// A block that this node built for `round`, and executes before it proposes it.
    pub(super) fn own(block: Arc<Verified<Block>>, round: Round) -> Self {
        Self::Executing(Awaited {
            block,
            built: Some(round),
            is_judged: false,
        })
    }

    /// Begins the execution of a block whose signatures hold, and returns the block; `None` if it
    /// is being executed, or was.
    pub(super) fn begin_execution(&mut self) -> Option<Arc<Verified<Block>>> {
        let (block, is_judged) = match self {
            Self::Verified(block) => (Arc::clone(block), false),
            Self::Recovered(block) => (Arc::clone(block), true),
            _ => return None,
        };

        *self = Self::Executing(Awaited {
            block: Arc::clone(&block),
            built: None,
            is_judged,
        });
        Some(block)
    }

    /// The block whose execution is awaited. `None` if nobody asked for it, or it was executed
    /// already.
    pub(super) fn awaited(&self) -> Option<Awaited> {
        match self {
            Self::Executing(awaited) => Some(awaited.clone()),
            _ => None,
        }
    }

    /// The block, if its signatures hold.
    pub(super) fn block(&self) -> Option<&Arc<Verified<Block>>> {
        match self {
            Self::Unverified | Self::Forged(_) => None,

            Self::Executing(awaited) => Some(&awaited.block),

            Self::Verified(block)
            | Self::Recovered(block)
            | Self::Valid { block, .. }
            | Self::Invalid { block, .. } => Some(block),
        }
    }

    /// The bad body of which its builder was not accused yet.
    pub(super) fn accusable(&mut self) -> Option<&mut Option<Box<Block>>> {
        match self {
            Self::Forged(bad) | Self::Invalid { accusable: bad, .. } => Some(bad),
            Self::Unverified
            | Self::Verified(_)
            | Self::Recovered(_)
            | Self::Executing(_)
            | Self::Valid { .. } => None,
        }
    }
}

/// Whether a body is short enough for evidence.
pub(super) fn is_short(block: &Block) -> bool {
    cbor::encode(block).len() <= limits::BAD_BLOCK_BYTES
}
