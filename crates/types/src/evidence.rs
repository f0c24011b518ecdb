//! Evidence of misbehaviour that convicts its signer to anyone.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};
use serde_tuple::{Deserialize_tuple, Serialize_tuple};

use crate::{Block, Hash, Height, Kind, PublicKey, SignedStatement, cbor};

/// What a validator signed and a correct one never signs (`protocols/consensus.md`, N-24).
///
/// Conflicts come before bad blocks, so that evidence has one order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Evidence {
    /// Two statements that contradict: they convict by themselves.
    Conflict(Box<Conflict>),
    /// A block that its builder proposed and that is invalid: it convicts by being executed.
    BadBlock(Box<BadBlock>),
}

/// Two conflicting statements of one key (N-4): same swarm, height, round and kind.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize_tuple, Deserialize_tuple)]
pub struct Conflict {
    /// The lesser of the two, so that a pair has one form.
    pub first: SignedStatement,
    /// The greater.
    pub second: SignedStatement,
}

/// A block with the proposal by which its builder stands for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct BadBlock {
    /// The builder's proposal in the round it built in, without POL round.
    pub proposal: SignedStatement,
    /// The block that it names; at most [`crate::limits::BAD_BLOCK_BYTES`], and itself without
    /// evidence of this kind.
    pub block: Block,
}

impl Evidence {
    /// The pair in its one form; `None` where the statements do not convict their signer.
    pub fn new(a: SignedStatement, b: SignedStatement) -> Option<Self> {
        let (first, second) = if a.statement <= b.statement {
            (a, b)
        } else {
            (b, a)
        };
        let evidence = Self::Conflict(Box::new(Conflict { first, second }));
        evidence.is_well_formed().then_some(evidence)
    }

    /// A block with its builder's proposal; `None` where the proposal is another's or for another
    /// block. Whether the block is bad, and the body the header's, is not looked at.
    pub fn bad_block(proposal: SignedStatement, block: Block) -> Option<Self> {
        let evidence = Self::BadBlock(Box::new(BadBlock { proposal, block }));
        evidence.is_well_formed().then_some(evidence)
    }

    /// Whether the statements are such as convict, in their one form; signatures and execution
    /// apart.
    pub fn is_well_formed(&self) -> bool {
        match self {
            Self::Conflict(pair) => pair.is_conflict(),
            Self::BadBlock(bad) => bad.is_builders_own(),
        }
    }

    /// What the culprit signed.
    pub fn statements(&self) -> impl Iterator<Item = &SignedStatement> {
        let (first, second) = match self {
            Self::Conflict(pair) => (&pair.first, Some(&pair.second)),
            Self::BadBlock(bad) => (&bad.proposal, None),
        };
        std::iter::once(first).chain(second)
    }

    /// Whom it convicts.
    pub fn culprit(&self) -> PublicKey {
        self.signed().signer
    }

    /// The height it speaks of.
    pub fn height(&self) -> Height {
        self.signed().statement.height
    }

    /// BLAKE3 of the canonical encoding.
    pub fn hash(&self) -> Hash {
        Hash::derive("quorate 1 evidence", &[&cbor::encode(self)])
    }

    fn signed(&self) -> &SignedStatement {
        match self {
            Self::Conflict(pair) => &pair.first,
            Self::BadBlock(bad) => &bad.proposal,
        }
    }
}

impl Conflict {
    /// Whether this is a pair in its one form that contradicts itself; signatures apart.
    pub fn is_conflict(&self) -> bool {
        self.first.signer == self.second.signer
            && self.first.statement < self.second.statement
            && self.first.statement.conflicts_with(&self.second.statement)
    }
}

impl BadBlock {
    /// Whether the builder proposed this very block in the round he built it in. A re-proposal
    /// rests on a polka and on nobody's own judgement: it accuses no one.
    pub fn is_builders_own(&self) -> bool {
        let (said, header) = (&self.proposal.statement, &self.block.header);
        said.kind == Kind::Proposal
            && said.pol_round.is_none()
            && self.proposal.signer == header.builder
            && said.round == header.build_round
            && said.swarm == header.swarm
            && said.height == header.height
            && said.validators == header.validators
            && said.block == Some(header.id())
    }
}

impl Ord for BadBlock {
    /// By proposal; blocks by their canonical encodings, so that equal means the same bytes.
    fn cmp(&self, other: &Self) -> Ordering {
        let blocks = || cbor::encode(&self.block).cmp(&cbor::encode(&other.block));
        self.proposal.cmp(&other.proposal).then_with(blocks)
    }
}

impl PartialOrd for BadBlock {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
