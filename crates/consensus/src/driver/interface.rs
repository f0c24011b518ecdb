//! The inputs and outputs of a [`crate::Driver`], and its configuration.

use std::sync::Arc;

use quorate_crypto::Verified;
use quorate_types::{
    BlockId, Evidence, Height, ProposerSchedule, PublicKey, QuorumCertificate, Round,
    SignedStatement, Statement, SwarmId, ValidatorSet,
};

use crate::Step;

/// The fixed surroundings of a height: the swarm, the validators, the proposers, and this node's
/// key.
#[derive(Debug, Clone)]
pub struct Config {
    /// The swarm that every statement of the height must name.
    pub swarm: SwarmId,
    /// The height to decide.
    pub height: Height,
    /// The validators that vote on the height.
    pub validators: Arc<ValidatorSet>,
    /// The proposer of each height and round (N-7).
    pub proposers: ProposerSchedule,
    /// The key that this node votes with. If it is `None`, or not the key of a member, this node
    /// follows without voting: no [`Output::Sign`] and no [`Output::Build`] comes out.
    pub me: Option<PublicKey>,
}

/// The events that a driver is told of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// Line 10: enter round 0. Inputs that came earlier are kept and acted upon now.
    Start,
    /// A proposal or vote. This node's own statements come this way too, and only once they are
    /// durable: only then do they count (N-21). A statement that [`crate::Driver::wants`] refuses
    /// changes nothing.
    Statement(Verified<SignedStatement>),
    /// A polka or commit certificate, verified against the validators of this height.
    Certificate(Verified<QuorumCertificate>),
    /// Answers [`Output::Check`]. Only the first verdict on a block counts.
    Verdict(Verdict),
    /// Answers [`Output::Build`]. Ignored once that round or its propose step is over.
    Built {
        /// The round that the block was built for.
        round: Round,
        /// The id of the block to propose.
        block: BlockId,
    },
    /// A timer of [`Output::Schedule`] fired. Ignored unless it was asked for and its round and
    /// step are still the current ones (N-18).
    Timeout {
        /// The round that the timer was scheduled in.
        round: Round,
        /// The step whose timeout this is.
        step: Step,
    },
}

/// The judgement of this node's ledger on a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// The block that was judged.
    pub block: BlockId,
    /// Whether executing the block gives the roots that its header names. That is a pure function,
    /// so the answer never changes (N-26).
    pub valid: bool,
    /// The builder that the header names.
    pub builder: PublicKey,
    /// The build round that the header names.
    pub build_round: Round,
    /// Whether the block time was near this node's clock when the proposal arrived. It matters only
    /// for a fresh proposal, one without POL round (N-26).
    pub timely: bool,
}

/// The effects that a driver asks for, to be carried out in the order in which they are returned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// A round began.
    EnteredRound {
        /// The round that began.
        round: Round,
        /// The proposer of that round.
        proposer: PublicKey,
    },
    /// Line 18: build a block, since this node proposes and knows no valid one. At most once per
    /// round.
    Build {
        /// The round to build for; [`Input::Built`] repeats it.
        round: Round,
    },
    /// The verdict on this block is needed, since a proposal of the current round, a polka of it or
    /// a commit certificate names it. Once per block.
    Check {
        /// The block to execute and judge.
        block: BlockId,
    },
    /// Sign this statement, make it durable, send it, and feed it back. There is never more than
    /// one for each (round, kind).
    Sign(Statement),
    /// Lines 21, 35, 48: schedule the timeout of this step. That comes once for each (round, step)
    /// and only for the current round, so timers of earlier rounds may be dropped.
    Schedule {
        /// The current round; [`Input::Timeout`] repeats it.
        round: Round,
        /// [`Step::Propose`], [`Step::Prevote`] or [`Step::Precommit`].
        step: Step,
    },
    /// A polka for a block formed or arrived, in any round. Keep it, and show it to peers that lack
    /// it (N-23) and to those that ask for the reason of a lock. Once per (round, block).
    Polka(Verified<QuorumCertificate>),
    /// Line 49: the height is decided, by these precommits. The verdict on the block is valid. Once
    /// per height.
    Decided(Verified<QuorumCertificate>),
    /// A validator made two conflicting statements (N-4). Once per signer, round and kind.
    Evidence(Box<Verified<Evidence>>),
    /// More than two thirds of the power precommitted a block that this node cannot decide: its
    /// ledger refuses the block, or another block is decided already. Either more than a third of
    /// the power is faulty, or this node is. It must stop and report. Once per block.
    Contradiction(Verified<QuorumCertificate>),
}

/// The messages that a peer which is stuck in a round needs to go on (N-23). They are bounded by
/// two rounds of votes and a handful of certificates.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CatchUp {
    /// The commit alone, if there is one; otherwise the polkas that locks and proposals rest on.
    pub certificates: Vec<QuorumCertificate>,
    /// Proposals and votes of the peer's round and of this node's round, without those that a
    /// certificate of the list carries.
    pub statements: Vec<SignedStatement>,
}
