//! Evidence of misbehaviour. Anybody can check that it convicts its signer.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};
use serde_tuple::{Deserialize_tuple, Serialize_tuple};

use crate::{Block, Hash, Height, Kind, PublicKey, SignedStatement, cbor};

/// Statements that a validator signed and that a correct one never signs (`protocols/consensus.md`,
/// N-24).
///
/// Conflicts come before bad blocks, so that evidence has one order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Evidence {
    /// Two statements that contradict each other. They convict without anything else.
    Conflict(Box<Conflict>),
    /// An invalid block that its builder proposed: executing it convicts the builder.
    BadBlock(Box<BadBlock>),
}

/// Two conflicting statements of one key (N-4): same swarm, height, round and kind.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize_tuple, Deserialize_tuple)]
pub struct Conflict {
    /// The lesser of the two statements, so that a pair has one form.
    pub first: SignedStatement,
    /// The greater of the two statements.
    pub second: SignedStatement,
}

/// A block with the proposal by which its builder vouches for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct BadBlock {
    /// The builder's proposal in the round in which it built the block, without POL round.
    pub proposal: SignedStatement,
    /// The block that the proposal names. It has at most [`crate::limits::BAD_BLOCK_BYTES`], and
    /// carries no evidence of this kind itself.
    pub block: Block,
}

impl Evidence {
    /// Returns the pair in its one form; `None` if the statements do not convict their signer.
    pub fn new(a: SignedStatement, b: SignedStatement) -> Option<Self> {
        let (first, second) = if a.statement <= b.statement {
            (a, b)
        } else {
            (b, a)
        };

        let evidence = Self::Conflict(Box::new(Conflict { first, second }));

        evidence.is_well_formed().then_some(evidence)
    }

    /// Returns a block with its builder's proposal; `None` if the proposal is another's or for
    /// another block. Whether the block is bad, and whether the body is the header's, is not
    /// checked.
    pub fn bad_block(proposal: SignedStatement, block: Block) -> Option<Self> {
        let evidence = Self::BadBlock(Box::new(BadBlock { proposal, block }));
        evidence.is_well_formed().then_some(evidence)
    }

    /// Returns whether the statements have the form that convicts. Signatures are not checked, and
    /// no block is executed.
    pub fn is_well_formed(&self) -> bool {
        match self {
            Self::Conflict(pair) => pair.is_conflict(),
            Self::BadBlock(bad) => bad.is_builders_own(),
        }
    }

    /// Returns the statements that the culprit signed.
    pub fn statements(&self) -> impl Iterator<Item = &SignedStatement> {
        let (first, second) = match self {
            Self::Conflict(pair) => (&pair.first, Some(&pair.second)),
            Self::BadBlock(bad) => (&bad.proposal, None),
        };

        std::iter::once(first).chain(second)
    }

    /// Returns the key of the validator that the evidence convicts.
    pub fn culprit(&self) -> PublicKey {
        self.signed().signer
    }

    /// Returns the height that the evidence speaks of.
    pub fn height(&self) -> Height {
        self.signed().statement.height
    }

    /// Returns the block that has to be invalid for the evidence to convict; `None` if the
    /// statements convict by themselves.
    pub fn accused(&self) -> Option<&Block> {
        match self {
            Self::Conflict(_) => None,
            Self::BadBlock(bad) => Some(&bad.block),
        }
    }

    /// Returns the BLAKE3 hash of the canonical encoding.
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
    /// Returns whether this is a pair in its one form that contradicts itself. Signatures are not
    /// checked.
    pub fn is_conflict(&self) -> bool {
        self.first.signer == self.second.signer
            && self.first.statement < self.second.statement
            && self.first.statement.conflicts_with(&self.second.statement)
    }
}

impl BadBlock {
    /// Returns whether the builder proposed this very block in the round in which it was built. A
    /// re-proposal rests on a polka and not on the proposer's own judgement, so it accuses nobody.
    pub fn is_builders_own(&self) -> bool {
        let said = &self.proposal.statement;
        let header = &self.block.header;

        let is_new = said.kind == Kind::Proposal && said.pol_round.is_none();

        // The header must name the slot that its builder signed for.
        is_new
            && self.proposal.signer == header.builder
            && said.round == header.missed_turns
            && said.swarm == header.swarm
            && said.height == header.height
            && said.validators == header.validators
            && said.block == Some(header.id())
    }
}

impl Ord for BadBlock {
    /// Orders by proposal, then by the canonical encodings of the blocks, so that equal means the
    /// same bytes.
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
