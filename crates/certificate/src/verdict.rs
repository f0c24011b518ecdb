//! What a verifier says, and what it was told to insist on.

use std::fmt;

use quorate_types::{
    BlockId, FencingToken, Hash, Height, Millis, Power, PublicKey, Round, SwarmId, TaskId,
};

use crate::refused::VerifyError;

/// The outcome of [`crate::verify`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// In one word.
    pub verdict: Judgement,
    /// The rule that was broken first; `None` exactly when verified.
    pub reason: Option<VerifyError>,
    /// What is certified. Only of an authentic certificate: verified, or short of the policy alone.
    pub summary: Option<Summary>,
    /// What this verdict does not say, for every certificate alike or for one of its kind. Never
    /// empty.
    pub not_checked: Vec<&'static str>,
}

/// A verdict in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Judgement {
    /// Authentic under the trust root, and the policy holds.
    Verified,
    /// Not what a quorum of the swarm decided, as far as these bytes show.
    NotAuthentic,
    /// Authentic, but the auditor's policy asks for more.
    PolicyFailed,
    /// This program cannot say: a version or rule that it does not know.
    CannotEvaluate,
}

impl Judgement {
    /// The stable name: `not_authentic`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Verified => "verified",
            Self::NotAuthentic => "not_authentic",
            Self::PolicyFailed => "policy_failed",
            Self::CannotEvaluate => "cannot_evaluate",
        }
    }
}

impl fmt::Display for Judgement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Verdict {
    /// Whether it is [`Judgement::Verified`].
    pub fn is_verified(&self) -> bool {
        self.verdict == Judgement::Verified
    }
}

/// What an auditor insists on beyond authenticity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// Distinct operators among the signers of each commit, at least: four validators of one
    /// operator are one opinion.
    pub min_operators: usize,
    /// Hand-overs followed, at most. Each of them rests on the keys of an earlier set.
    pub max_handovers: usize,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            min_operators: 1,
            max_handovers: crate::MAX_HANDOVERS,
        }
    }
}

/// The facts of an authentic certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// [`crate::Certificate::identity`].
    pub identity: Hash,
    /// Swarm.
    pub swarm: SwarmId,
    /// Height of the block.
    pub height: Height,
    /// Round it was decided in.
    pub round: Round,
    /// Block.
    pub block: BlockId,
    /// Block time, Unix milliseconds by the builder's clock.
    pub block_time: Millis,
    /// `assignment`, `clearing`, `receipt`, `refusal` or `expiry`.
    pub outcome: &'static str,
    /// `accept`, `decline`, `complete`, `fail`, `lapse` or `cancel`, of a receipt.
    pub operation: Option<&'static str>,
    /// Task, where it speaks of one.
    pub task: Option<TaskId>,
    /// Fencing token, where it speaks of one.
    pub token: Option<FencingToken>,
    /// Agent, where it speaks of one.
    pub agent: Option<PublicKey>,
    /// Validators that signed.
    pub signers: usize,
    /// Their power.
    pub power: Power,
    /// Power of the whole set.
    pub total_power: Power,
    /// Distinct operators among them.
    pub operators: usize,
    /// Hand-overs that led from the trust root to this set.
    pub handovers: usize,
}
