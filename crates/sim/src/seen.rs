//! What can be observed of a run: what invariants judge, and the trace tells.

use std::sync::Arc;

use quorate_agent::Event;
use quorate_crypto::Verified;
use quorate_ledger::Committed;
use quorate_types::{
    Block, Evidence, Hash, Height, QuorumCertificate, Round, SignedOperation, SignedStatement, cbor,
};

use crate::world::Place;

/// One observation.
#[derive(Debug, Clone)]
pub enum Seen {
    /// A statement left a validator's process, or a liar signed it.
    Signed {
        /// Who sent it.
        validator: usize,
        /// What it says; the signature holds.
        statement: Box<SignedStatement>,
    },
    /// A correct validator told others what it holds against somebody.
    Accused {
        /// Which validator.
        validator: usize,
        /// The height in progress with it.
        height: Height,
        /// What it holds.
        evidence: Box<Evidence>,
    },
    /// A validator decided a block: it is on its disk and part of its state.
    Committed {
        /// Which validator.
        validator: usize,
        /// Round it was decided in.
        round: Round,
        /// The block.
        block: Arc<Verified<Block>>,
        /// Its commit.
        commit: Box<QuorumCertificate>,
        /// What it did.
        committed: Arc<Committed>,
    },
    /// A validator's process started and came back to this height and state.
    Started {
        /// Which validator.
        validator: usize,
        /// Last decided height it knows.
        height: Height,
        /// State root there.
        state: Hash,
        /// Where its guard stands: height, round, step.
        guarded: (Height, Round, u8),
    },
    /// A validator's process ended.
    Stopped {
        /// Which validator.
        validator: usize,
        /// Why, for people.
        why: String,
    },
    /// A validator's folder could not be opened.
    Unopened {
        /// Which validator.
        validator: usize,
        /// Why, as an operator reads it.
        why: String,
    },
    /// A validator halted: it contradicts a commit.
    Halted {
        /// Which validator.
        validator: usize,
        /// Why.
        why: String,
    },
    /// A frame that was damaged, or is not authentic, was taken in by a validator.
    Damaged {
        /// Which validator.
        validator: usize,
        /// Height, round and state root before.
        before: (Height, Round, Hash),
        /// And after.
        after: (Height, Round, Hash),
    },
    /// A client's operation went to a validator.
    Submitted {
        /// Which client.
        client: usize,
        /// The operation as it left; liars' signatures may be wrong.
        operation: Box<SignedOperation>,
    },
    /// A client was sent a certificate.
    Certificate {
        /// Who sent it.
        validator: usize,
        /// In canonical CBOR.
        bytes: Vec<u8>,
    },
    /// A client learned something it believes.
    Learned {
        /// Which client.
        client: usize,
        /// What.
        event: Box<Event>,
    },
    /// A fault began.
    Fault {
        /// Its name.
        name: &'static str,
        /// Whom it is about, if it is one host.
        place: Option<Place>,
    },
    /// From now on nothing new goes wrong.
    Healed,
}

impl Seen {
    /// Its name in traces.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Signed { .. } => "signed",
            Self::Accused { .. } => "accused",
            Self::Committed { .. } => "committed",
            Self::Started { .. } => "started",
            Self::Stopped { .. } => "stopped",
            Self::Unopened { .. } => "unopened",
            Self::Halted { .. } => "halted",
            Self::Damaged { .. } => "damaged",
            Self::Submitted { .. } => "submitted",
            Self::Certificate { .. } => "certificate",
            Self::Learned { .. } => "learned",
            Self::Fault { .. } => "fault",
            Self::Healed => "healed",
        }
    }
}

impl Seen {
    /// What it holds, for the digest: in the bytes of the wire, what has such.
    pub(crate) fn content(&self) -> Vec<u8> {
        match self {
            Self::Signed { statement, .. } => cbor::encode(statement),
            Self::Accused {
                height, evidence, ..
            } => cbor::encode(&(height, evidence)),
            Self::Committed {
                round,
                block,
                commit,
                committed,
                ..
            } => cbor::encode(&(round, block.header.id(), commit, &committed.outcomes)),
            Self::Submitted { operation, .. } => cbor::encode(operation),
            Self::Certificate { bytes, .. } => bytes.clone(),
            Self::Started { .. }
            | Self::Stopped { .. }
            | Self::Unopened { .. }
            | Self::Halted { .. }
            | Self::Damaged { .. }
            | Self::Learned { .. }
            | Self::Fault { .. }
            | Self::Healed => format!("{self:?}").into_bytes(),
        }
    }

    /// The host it is about, if it is one.
    pub(crate) fn place(&self) -> Option<Place> {
        match self {
            Self::Signed { validator, .. }
            | Self::Accused { validator, .. }
            | Self::Committed { validator, .. }
            | Self::Started { validator, .. }
            | Self::Stopped { validator, .. }
            | Self::Unopened { validator, .. }
            | Self::Halted { validator, .. }
            | Self::Damaged { validator, .. }
            | Self::Certificate { validator, .. } => Some(Place::Validator(*validator)),
            Self::Submitted { client, .. } | Self::Learned { client, .. } => {
                Some(Place::Client(*client))
            }
            Self::Fault { place, .. } => *place,
            Self::Healed => None,
        }
    }
}

/// The key behind a number: the same in every run, so that plans need not carry keys.
pub(crate) fn key_of(role: &str, index: usize) -> quorate_crypto::SecretKey {
    let seed = Hash::derive(
        "quorate 1 simulated key",
        &[role.as_bytes(), &index.to_le_bytes()],
    );
    quorate_crypto::SecretKey::from_seed(seed.as_bytes())
}
