//! Observations: everything of a run that invariants judge and traces show.

use std::sync::Arc;

use quorate_agent::ClientEvent;
use quorate_crypto::Verified;
use quorate_oracle::Effects;
use quorate_types::{
    Block, Evidence, Hash, Height, QuorumCertificate, Round, SignedOperation, SignedStatement, cbor,
};

use crate::host::HostId;

/// One observation. Validators and clients are named by the index of their host.
#[derive(Debug, Clone)]
pub enum Seen {
    /// A statement left a validator's process, or a liar signed it.
    Signed {
        /// The validator that sent it.
        validator: usize,
        /// The statement with its signature, which holds.
        statement: Box<SignedStatement>,
    },
    /// A correct validator sent evidence to others.
    Accused {
        /// The validator that sent it.
        validator: usize,
        /// The height that was in progress at the validator.
        height: Height,
        /// The evidence as it was sent.
        evidence: Box<Evidence>,
    },
    /// A validator decided a block: it is on the validator's disk and part of its state.
    Committed {
        /// The validator that decided.
        validator: usize,
        /// The round in which it was decided.
        round: Round,
        /// The block that was decided.
        block: Arc<Verified<Block>>,
        /// The commit certificate of the block.
        commit: Box<QuorumCertificate>,
        /// The effects of the block.
        effects: Arc<Effects>,
    },
    /// A validator's process started and recovered this height and state.
    Started {
        /// The validator that started.
        validator: usize,
        /// The last decided height that it knows.
        height: Height,
        /// The state root at that height.
        state: Hash,
        /// The height, round and step at which its guard stands.
        guarded: (Height, Round, u8),
    },
    /// A validator's process ended.
    Stopped {
        /// The validator that stopped.
        validator: usize,
        /// The reason, for people.
        why: String,
    },
    /// A validator's folder could not be opened, or its log was lost.
    Unopened {
        /// The validator whose folder it is.
        validator: usize,
        /// The reason, as an operator reads it.
        why: String,
    },
    /// A validator halted: a commit names a block that it refuses, or its program is at fault.
    Halted {
        /// The validator that halted.
        validator: usize,
        /// The reason, for people.
        why: String,
    },
    /// A validator took in a frame that the network had damaged.
    Damaged {
        /// The validator that received it.
        validator: usize,
        /// Its height, round and state root before.
        before: (Height, Round, Hash),
        /// Its height, round and state root after.
        after: (Height, Round, Hash),
    },
    /// A client sent an operation towards a validator.
    Submitted {
        /// The client that sent it.
        client: usize,
        /// The operation as it was sent. Signatures of liars may be wrong.
        operation: Box<SignedOperation>,
    },
    /// A validator sent a certificate to a client.
    Certificate {
        /// The validator that sent it.
        validator: usize,
        /// The certificate in canonical CBOR.
        bytes: Vec<u8>,
    },
    /// A client learned something that it believes.
    Learned {
        /// The client that learned it.
        client: usize,
        /// The event of its light client.
        event: Box<ClientEvent>,
    },
    /// A fault of the plan began.
    Fault {
        /// The name of the fault.
        name: &'static str,
        /// The host that it is about, if it is about exactly one.
        place: Option<HostId>,
    },
    /// The healed phase began: from now on nothing new goes wrong.
    Healed,
}

impl Seen {
    /// The name in traces.
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
    /// The content of the observation for the digest: in the bytes of the wire if it has such,
    /// otherwise as text.
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
                effects,
                ..
            } => cbor::encode(&(round, block.header.id(), commit, &effects.outcomes)),

            Self::Submitted { operation, .. } => cbor::encode(operation),
            Self::Certificate { bytes, .. } => bytes.clone(),

            // These have no form on the wire.
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

    /// The host that it is about, if it is about exactly one.
    pub(crate) fn place(&self) -> Option<HostId> {
        match self {
            Self::Signed { validator, .. }
            | Self::Accused { validator, .. }
            | Self::Committed { validator, .. }
            | Self::Started { validator, .. }
            | Self::Stopped { validator, .. }
            | Self::Unopened { validator, .. }
            | Self::Halted { validator, .. }
            | Self::Damaged { validator, .. }
            | Self::Certificate { validator, .. } => Some(HostId::Validator(*validator)),

            Self::Submitted { client, .. } | Self::Learned { client, .. } => {
                Some(HostId::Client(*client))
            }

            Self::Fault { place, .. } => *place,
            Self::Healed => None,
        }
    }
}
