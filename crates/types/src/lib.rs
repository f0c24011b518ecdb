//! The data types of Quorate, their limits, and canonical CBOR.
//!
//! Everything that is signed, hashed or sent is defined here once, together with its one encoding:
//! fixed arrays, or integer-keyed maps in sorted order (RFC 8949 section 4.2.1). [`cbor::decode`]
//! accepts exactly the bytes that [`cbor::encode`] gives. Nothing here verifies a signature:
//! `quorate-crypto` does that. **Absent here:** I/O, clocks, randomness, floats.

pub mod attestation;
pub mod block;
pub mod cbor;
pub mod cose;
pub mod evidence;
pub mod genesis;
mod ids;
mod label;
pub mod limits;
pub mod message;
pub mod operation;
pub mod outcome;
pub mod proposer;
pub mod reason;
pub mod slots;
pub mod statement;
pub mod task;
mod time;
pub mod validators;

pub use attestation::{Attestation, Claims};
pub use block::{Block, Header};
pub use cose::{Sign1, Signable};
pub use evidence::{BadBlock, Conflict, Evidence};
pub use genesis::{Genesis, Market, Stage};
pub use ids::{BlockId, Hash, Nonce, OperationId, ParseHexError, PublicKey, Signature, SwarmId};
pub use label::{Amounts, Capabilities, Label, LabelError};
pub use operation::{Operation, OperationBody, SignedOperation};
pub use outcome::Outcome;
pub use proposer::ProposerSchedule;
pub use reason::Reason;
pub use statement::{Kind, QuorumCertificate, SignedStatement, Statement, Vote};
pub use task::{FencingToken, TaskId, TaskSpec};
pub use time::{ActiveMillis, Millis, MonotonicMillis, UnixMillis};
pub use validators::{Validator, ValidatorSet};

/// The height of a block. The first block has height 1, and the genesis counts as height 0.
pub type Height = u64;
/// The round within a height, counted from 0. The paper's round -1 is `None` of an `Option<Round>`.
pub type Round = u32;
/// The voting power of a validator or of a set of them, in whole units.
pub type Power = u64;
/// A price in the unit of the market, as an integer. Negative prices are never accepted.
pub type Price = i64;

/// The version of every signed and hashed format in this crate. A change of any byte needs a new
/// version.
pub const PROTOCOL_VERSION: u8 = 1;
