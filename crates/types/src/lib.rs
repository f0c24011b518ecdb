//! The nouns of Quorate, their limits, and canonical CBOR.
//!
//! Everything that is signed, hashed or sent is defined here, once, together with its one encoding:
//! fixed arrays, or integer-keyed maps in sorted order (RFC 8949 section 4.2.1). [`cbor::decode`]
//! accepts exactly the bytes [`cbor::encode`] gives. Nothing here verifies a signature: that is
//! `quorate-crypto`'s job. **Absent here:** I/O, clocks, randomness, floats.

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
pub mod statement;
pub mod task;
pub mod validators;

pub use attestation::{Attestation, Claims};
pub use block::{Block, Header};
pub use cose::{Sign1, Signable};
pub use evidence::{BadBlock, Conflict, Evidence};
pub use genesis::{Genesis, Market, Stage};
pub use ids::{BlockId, Hash, Nonce, OperationId, ParseHexError, PublicKey, Signature, SwarmId};
pub use label::{Amounts, Capabilities, Label, LabelError};
pub use operation::{Body, Operation, SignedOperation};
pub use outcome::Outcome;
pub use proposer::ProposerSchedule;
pub use reason::Reason;
pub use statement::{Kind, QuorumCertificate, SignedStatement, Statement, Vote};
pub use task::{TaskId, TaskSpec};
pub use validators::{Validator, ValidatorSet};

/// Height of a block; the first block has height 1, the genesis counts as height 0.
pub type Height = u64;
/// Round within a height, from 0. The paper's round -1 is `None` of an `Option<Round>`.
pub type Round = u32;
/// Milliseconds: of Unix time for block time, of [active time](block::Header::active_time) else.
pub type Millis = u64;
/// Voting power of a validator or of a set of them, in whole units.
pub type Power = u64;
/// Fencing token of a task: 0 before its first assignment, then one more with each assignment.
pub type FencingToken = u64;
/// Price in the market's unit, as an integer; negative is never accepted.
pub type Price = i64;

/// Version of every signed and hashed format in this crate. A changed byte wants a new one.
pub const PROTOCOL_VERSION: u8 = 1;
