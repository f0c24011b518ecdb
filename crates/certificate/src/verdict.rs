//! The verdict of the verifier, and the policy that it applies.

use quorate_types::{
    BlockId, FencingToken, Hash, Height, Power, PublicKey, Round, SwarmId, TaskId, UnixMillis,
};

use crate::format::MAX_HANDOVERS;
use crate::judgement::Judgement;
use crate::refused::VerifyError;

/// The result of [`crate::verify`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The judgement, in one word.
    pub verdict: Judgement,
    /// The rule that was broken first. `None` exactly if the judgement is `verified`.
    pub reason: Option<VerifyError>,
    /// The facts that are certified. Only an authentic certificate has them: one that is verified,
    /// or that fails only the policy.
    pub summary: Option<Summary>,
    /// The questions that this verdict leaves open, for every certificate or for one of its kind.
    /// Never empty.
    pub not_checked: Vec<&'static str>,
}

impl Verdict {
    /// Checks whether the judgement is [`Judgement::Verified`].
    pub fn is_verified(&self) -> bool {
        self.verdict == Judgement::Verified
    }
}

/// The conditions that an auditor sets beyond authenticity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// The least number of distinct operators among the signers of each commit: four validators of
    /// one operator are one opinion.
    pub min_operators: usize,
    /// The most hand-overs that are followed. Each of them rests on the keys of an earlier set.
    pub max_handovers: usize,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            min_operators: 1,
            max_handovers: MAX_HANDOVERS,
        }
    }
}

/// The facts of an authentic certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// The identity of the certificate: see [`crate::Certificate::identity`].
    pub identity: Hash,
    /// The swarm that decided.
    pub swarm: SwarmId,
    /// The height of the block.
    pub height: Height,
    /// The round in which the block was decided.
    pub round: Round,
    /// The id of the block that holds the outcome.
    pub block: BlockId,
    /// The block time, by the builder's clock.
    pub block_time: UnixMillis,
    /// The kind of outcome: `assignment`, `clearing`, `receipt`, `refusal` or `expiry`.
    pub outcome: &'static str,
    /// The operation of a receipt: `accept`, `decline`, `complete`, `fail`, `lapse` or `cancel`.
    pub operation: Option<&'static str>,
    /// The task that the outcome speaks of, if any.
    pub task: Option<TaskId>,
    /// The fencing token that the outcome speaks of, if any.
    pub token: Option<FencingToken>,
    /// The agent that the outcome speaks of, if any.
    pub agent: Option<PublicKey>,
    /// The number of validators that signed.
    pub signers: usize,
    /// The voting power of those validators.
    pub power: Power,
    /// The voting power of the whole set.
    pub total_power: Power,
    /// The number of distinct operators of those validators.
    pub operators: usize,
    /// The number of hand-overs that led from the trust root to this set.
    pub handovers: usize,
}
