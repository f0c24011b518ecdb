//! What goes into a [`crate::Driver`] and what comes out.

use std::sync::Arc;

use quorate_crypto::Verified;
use quorate_types::{
    BlockId, Evidence, Height, ProposerSchedule, PublicKey, QuorumCertificate, Round,
    SignedStatement, Statement, SwarmId, ValidatorSet,
};

use crate::Step;

/// What a height is decided among.
#[derive(Debug, Clone)]
pub struct Config {
    /// Swarm.
    pub swarm: SwarmId,
    /// Height to decide.
    pub height: Height,
    /// Who votes on it.
    pub validators: Arc<ValidatorSet>,
    /// Who proposes when (N-7).
    pub proposers: ProposerSchedule,
    /// The key this node votes with. With `None`, or the key of no member, it follows without
    /// voting: no [`Output::Sign`] and no [`Output::Build`] comes out.
    pub me: Option<PublicKey>,
}

/// What a driver is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// Line 10: enter round 0. What came before is kept, and acted upon now.
    Start,
    /// A proposal or vote. This node's own come this way too, once they are durable: only then do
    /// they count (N-21). What [`crate::Driver::wants`] refuses changes nothing.
    Statement(Verified<SignedStatement>),
    /// A polka or commit certificate, verified against the validators of this height.
    Certificate(Verified<QuorumCertificate>),
    /// Answers [`Output::Check`]. The first verdict on a block counts.
    Verdict(Verdict),
    /// Answers [`Output::Build`]. Ignored once the round or its step propose is over.
    Built {
        /// Round it was built for.
        round: Round,
        /// Block.
        block: BlockId,
    },
    /// A timer of [`Output::Schedule`] fired. Ignored unless it was asked for and round and step
    /// still hold (N-18).
    Timeout {
        /// Round.
        round: Round,
        /// Step.
        step: Step,
    },
}

/// What this node's ledger says of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// Block.
    pub block: BlockId,
    /// Whether executing it gives what its header says: pure, for ever the same (N-26).
    pub valid: bool,
    /// Builder in its header.
    pub builder: PublicKey,
    /// Build round in its header.
    pub build_round: Round,
    /// Whether its time was near this node's when its proposal arrived. Asked only of fresh
    /// proposals (N-26).
    pub timely: bool,
}

/// What a driver wants done, in the order of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// A round began.
    EnteredRound {
        /// Round.
        round: Round,
        /// Who proposes in it.
        proposer: PublicKey,
    },
    /// Line 18: this node proposes and knows no valid block: build one. Once per round.
    Build {
        /// Round.
        round: Round,
    },
    /// The verdict on this block is needed: a proposal of the current round, a polka of it, or a
    /// commit certificate names it. Once per block.
    Check {
        /// Block.
        block: BlockId,
    },
    /// Sign this, make it durable, send it, and feed it back. At most one for each
    /// (round, kind), ever.
    Sign(Statement),
    /// Lines 21, 35, 48: schedule the timeout of this step, once for each (round, step), and only
    /// for the current round: timers of earlier rounds may be dropped.
    Schedule {
        /// Round.
        round: Round,
        /// [`Step::Propose`], [`Step::Prevote`] or [`Step::Precommit`].
        step: Step,
    },
    /// A polka for a block formed or arrived, in whatever round: to be kept, and shown to peers
    /// that lack it (N-23) and to those who ask what a lock rested on. Once per (round, block).
    Polka(Verified<QuorumCertificate>),
    /// Line 49: decided, with its precommits. The verdict on the block is valid. Once.
    Decided(Verified<QuorumCertificate>),
    /// A validator contradicted itself (N-4). Once per signer, round and kind.
    Evidence(Box<Verified<Evidence>>),
    /// More than two thirds of the power precommitted what cannot be: a block that this node's
    /// ledger refuses, or another one than was decided. Over a third is faulty, or this node is:
    /// it must stop and report. Once per block.
    Contradiction(Verified<QuorumCertificate>),
}

/// What a peer that hangs in a round needs to go on (N-23): bounded by two rounds of votes and
/// a handful of certificates.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CatchUp {
    /// The commit alone where there is one; else the polkas that locks and proposals rest on.
    pub certificates: Vec<QuorumCertificate>,
    /// Proposals and votes of the peer's round and of this node's, as far as no certificate of the
    /// list holds them already.
    pub statements: Vec<SignedStatement>,
}
