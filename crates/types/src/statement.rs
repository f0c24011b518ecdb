//! The statements that validators sign: one form for proposals, prevotes and precommits, and the
//! certificate that a quorum of equal statements makes (`protocols/consensus.md`).

use std::collections::BTreeMap;
use std::fmt;

use ciborium::tag::Required;
use serde::de::{Error as _, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_tuple::{Deserialize_tuple, Serialize_tuple};

use crate::cose::{self, Bytes, Empty, Owned};
use crate::{BlockId, Hash, Height, PROTOCOL_VERSION, PublicKey, Round, Signature, SwarmId, cbor};

/// The content type in the body header of every signed statement.
pub const CONTENT_TYPE: &str = "application/vnd.quorate.commit+cose";
/// The tag of a `COSE_Sign` (RFC 9052 section 4.1).
const SIGN: u64 = 98;

/// The kind of a statement, which is the step of a round that it belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Kind {
    /// The statement of the proposer: this block for this round.
    Proposal = 0,
    /// The first vote.
    Prevote = 1,
    /// The second vote. Precommits by more than two thirds of the power decide.
    Precommit = 2,
}

/// The statement of a validator, separated from others by swarm, height, round, kind and validator
/// set.
///
/// It carries no signer and no time, so that all votes of a quorum sign the same bytes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Statement {
    /// The swarm that the statement is made in.
    pub swarm: SwarmId,
    /// The height, counted from 1.
    pub height: Height,
    /// The round, counted from 0.
    pub round: Round,
    /// The kind: proposal, prevote or precommit.
    pub kind: Kind,
    /// The block; `None` is nil. A proposal always names a block.
    pub block: Option<BlockId>,
    /// The hash of the validator set of this height.
    pub validators: Hash,
    /// The round of the polka that makes a re-proposal valid (paper: vr >= 0). Only proposals have
    /// one.
    pub pol_round: Option<Round>,
}

impl Statement {
    /// Returns the bytes under the signature of `signer` (RFC 9052 section 4.4, context
    /// `Signature`).
    pub fn to_be_signed(&self, signer: &PublicKey) -> Vec<u8> {
        cose::to_be_signed_in(&body_header(), signer, &cbor::encode(self))
    }

    /// Returns whether two statements of one key conflict: they have the same swarm, height, round
    /// and kind, but another block or, in a proposal, another POL round (N-4).
    pub fn conflicts_with(&self, other: &Self) -> bool {
        let slot = |s: &Self| (s.swarm, s.height, s.round, s.kind);
        slot(self) == slot(other)
            && (self.block != other.block
                || (self.kind == Kind::Proposal && self.pol_round != other.pol_round))
    }
}

/// A statement with the signature of one validator over it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize_tuple, Deserialize_tuple)]
pub struct SignedStatement {
    /// The statement that was signed.
    pub statement: Statement,
    /// The key that is said to have signed.
    pub signer: PublicKey,
    /// The signature over [`Statement::to_be_signed`].
    pub signature: Signature,
}

/// One signature of a [`QuorumCertificate`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Vote {
    /// The key of the validator.
    pub signer: PublicKey,
    /// The signature over the certificate's statement.
    pub signature: Signature,
}

/// Many signatures over one statement: a `COSE_Sign` (tag 98), votes sorted by key.
///
/// With precommits for a block by more than two thirds of the power it is a commit certificate;
/// with prevotes it is a polka certificate. `quorate-crypto` checks whether it has that power.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuorumCertificate {
    /// The statement that all of them signed.
    pub statement: Statement,
    /// The signatures, strictly ascending by key.
    pub votes: Vec<Vote>,
}

impl QuorumCertificate {
    /// Returns the votes as single signed statements.
    pub fn signed_statements(&self) -> impl Iterator<Item = SignedStatement> {
        self.votes.iter().map(|vote| SignedStatement {
            statement: self.statement.clone(),
            signer: vote.signer,
            signature: vote.signature,
        })
    }
}

/// Returns the protected header of the body: `{16: content type}`.
fn body_header() -> Vec<u8> {
    cbor::encode(&BTreeMap::from([(16u8, CONTENT_TYPE)]))
}

impl Serialize for Kind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u8(*self as u8)
    }
}

impl<'de> Deserialize<'de> for Kind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match u8::deserialize(deserializer)? {
            0 => Ok(Self::Proposal),
            1 => Ok(Self::Prevote),
            2 => Ok(Self::Precommit),
            other => Err(D::Error::custom(format_args!(
                "kind {other} is not 0, 1 or 2"
            ))),
        }
    }
}

impl Serialize for Statement {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let length = 7 + usize::from(self.pol_round.is_some());
        let mut map = serializer.serialize_map(Some(length))?;

        map.serialize_entry(&0, &PROTOCOL_VERSION)?;
        map.serialize_entry(&1, &self.swarm)?;

        // The step that the statement belongs to.
        map.serialize_entry(&2, &self.height)?;
        map.serialize_entry(&3, &self.round)?;
        map.serialize_entry(&4, &self.kind)?;

        // Nil is written too, as null.
        map.serialize_entry(&5, &self.block)?;
        map.serialize_entry(&6, &self.validators)?;

        // The last key, which only a re-proposal has.
        if let Some(round) = self.pol_round {
            map.serialize_entry(&7, &round)?;
        }

        map.end()
    }
}

impl<'de> Deserialize<'de> for Statement {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(StatementVisitor)
    }
}

/// Reads a statement from its map.
struct StatementVisitor;

impl<'de> Visitor<'de> for StatementVisitor {
    type Value = Statement;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a statement map")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Statement, A::Error> {
        // The entries stand in the order in which they are written, so each key is known.
        let version: u8 = field(&mut map, 0)?;

        if version != PROTOCOL_VERSION {
            return Err(A::Error::custom(format_args!(
                "statement version {version} is unknown"
            )));
        }

        let mut statement = Statement {
            swarm: field(&mut map, 1)?,
            height: field(&mut map, 2)?,
            round: field(&mut map, 3)?,
            kind: field(&mut map, 4)?,
            block: field(&mut map, 5)?,
            validators: field(&mut map, 6)?,
            pol_round: None,
        };

        statement.pol_round = pol_round(&mut map, statement.kind)?;

        if statement.kind == Kind::Proposal && statement.block.is_none() {
            return Err(A::Error::custom("a proposal must name a block"));
        }

        if map.next_key::<u8>()?.is_some() {
            return Err(A::Error::custom("unknown field in a statement"));
        }

        Ok(statement)
    }
}

/// Reads the round of the polka, if the map goes on. Only a re-proposal has one (N-3).
fn pol_round<'de, A: MapAccess<'de>>(map: &mut A, kind: Kind) -> Result<Option<Round>, A::Error> {
    let Some(key) = map.next_key::<u8>()? else {
        return Ok(None);
    };

    if key != 7 || kind != Kind::Proposal {
        return Err(A::Error::custom("only a proposal may have a POL round"));
    }

    map.next_value().map(Some)
}

/// Reads the next map entry, whose key must be `expected`.
fn field<'de, T: Deserialize<'de>, A: MapAccess<'de>>(
    map: &mut A,
    expected: u8,
) -> Result<T, A::Error> {
    match map.next_key::<u8>()? {
        Some(key) if key == expected => map.next_value(),

        _ => Err(A::Error::custom(format_args!(
            "field {expected} is missing or out of order"
        ))),
    }
}

impl Serialize for Vote {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let protected = cose::protected(&self.signer, None);
        (Bytes(&protected), Empty {}, &self.signature).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Vote {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (protected, _, signature) = <(Owned, Empty, Signature)>::deserialize(deserializer)?;
        let signer = cose::signer_of(&protected.0, None)
            .ok_or_else(|| D::Error::custom("a vote's protected header is not {1: -8, 4: kid}"))?;
        Ok(Self { signer, signature })
    }
}

impl Serialize for QuorumCertificate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let header = body_header();
        let payload = cbor::encode(&self.statement);

        let parts = (Bytes(&header), Empty {}, Bytes(&payload), &self.votes);
        Required::<_, SIGN>(parts).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for QuorumCertificate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Required::<(Owned, Empty, Owned, Vec<Vote>), SIGN>((header, _, payload, votes)) =
            Required::deserialize(deserializer)?;

        if header.0 != body_header() {
            return Err(D::Error::custom(
                "the body header is not {16: content type}",
            ));
        }

        // A strict order also rules out one signer listed twice.
        if !votes.is_sorted_by(|a, b| a.signer < b.signer) {
            return Err(D::Error::custom(
                "the votes are unsorted, or one signer is listed twice",
            ));
        }

        let statement = cbor::decode(&payload.0, crate::limits::STATEMENT_BYTES);
        Ok(Self {
            statement: statement.map_err(D::Error::custom)?,
            votes,
        })
    }
}
