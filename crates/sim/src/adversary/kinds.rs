//! The lies of validators, by name.

use serde::{Deserialize, Serialize};

use super::{
    Lie, bad_block, censor, certificate_forger, false_polka, false_suspicion, flooder, forged_bid,
    mutator, nil_only, proposal_equivocator, replayer, silent, vote_equivocator, withholder,
    wrong_set,
};

/// The lies that a validator can tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LieKind {
    /// Says nothing at all.
    Silent,
    /// Runs two processes with one key, which do not know of each other. There is no [`Lie`] for
    /// it: the world starts the second process.
    Twin,
    /// Votes differently to different peers.
    VoteEquivocator,
    /// Proposes one block to some and another to others.
    ProposalEquivocator,
    /// Always votes nil.
    NilOnly,
    /// Claims polkas for its own blocks when there were none.
    FalsePolka,
    /// Repeats what it and others said before.
    Replayer,
    /// Names another validator set in every statement that it signs.
    WrongSet,
    /// Proposes blocks with other roots than executing them gives.
    BadBlock,
    /// Leaves the bids of one agent out of its blocks.
    Censor,
    /// Forges bids of other agents, in its blocks and for the mempools.
    ForgedBid,
    /// Proposes blocks and does not send their bodies.
    Withholder,
    /// Suspects assignees that are alive.
    FalseSuspicion,
    /// Shows certificates that lack the votes for them.
    CertificateForger,
    /// Claims absurd heights, asks for everything, and sends frames that are too long or deep.
    Flooder,
    /// Changes one small thing in a correct message.
    Mutator,
}

impl LieKind {
    /// All lies.
    pub const ALL: &'static [Self] = &[
        Self::Silent,
        Self::Twin,
        Self::VoteEquivocator,
        Self::ProposalEquivocator,
        Self::NilOnly,
        Self::FalsePolka,
        Self::Replayer,
        Self::WrongSet,
        Self::BadBlock,
        Self::Censor,
        Self::ForgedBid,
        Self::Withholder,
        Self::FalseSuspicion,
        Self::CertificateForger,
        Self::Flooder,
        Self::Mutator,
    ];

    /// The name of the lie in plans and reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Silent => "silent",
            Self::Twin => "twin",
            Self::VoteEquivocator => "vote-equivocator",
            Self::ProposalEquivocator => "proposal-equivocator",
            Self::NilOnly => "nil-only",
            Self::FalsePolka => "false-polka",
            Self::Replayer => "replayer",
            Self::WrongSet => "wrong-set",
            Self::BadBlock => "bad-block",
            Self::Censor => "censor",
            Self::ForgedBid => "forged-bid",
            Self::Withholder => "withholder",
            Self::FalseSuspicion => "false-suspicion",
            Self::CertificateForger => "certificate-forger",
            Self::Flooder => "flooder",
            Self::Mutator => "mutator",
        }
    }

    /// Creates the lie; `None` for twins, which the world makes.
    pub(crate) fn liar(self) -> Option<Box<dyn Lie>> {
        Some(match self {
            Self::Twin => return None,
            Self::Silent => Box::new(silent::Silent),
            Self::VoteEquivocator => Box::new(vote_equivocator::VoteEquivocator::default()),
            Self::ProposalEquivocator => {
                Box::new(proposal_equivocator::ProposalEquivocator::default())
            }
            Self::NilOnly => Box::new(nil_only::NilOnly::default()),
            Self::FalsePolka => Box::new(false_polka::FalsePolka::default()),
            Self::Replayer => Box::new(replayer::Replayer::default()),
            Self::WrongSet => Box::new(wrong_set::WrongSet),
            Self::BadBlock => Box::new(bad_block::BadBlock::default()),
            Self::Censor => Box::new(censor::Censor::default()),
            Self::ForgedBid => Box::new(forged_bid::ForgedBid::default()),
            Self::Withholder => Box::new(withholder::Withholder),
            Self::FalseSuspicion => Box::new(false_suspicion::FalseSuspicion),
            Self::CertificateForger => Box::new(certificate_forger::CertificateForger::default()),
            Self::Flooder => Box::new(flooder::Flooder),
            Self::Mutator => Box::new(mutator::Mutator::default()),
        })
    }
}
