//! The lies of validators, by name. A new one takes a file and a line here.

use serde::{Deserialize, Serialize};

use super::lie::Lie;
use super::{
    bad_block, censor, certificate_forger, false_polka, false_suspicion, flooder, forged_bid,
    mutator, nil_only, proposal_equivocator, replayer, silent, vote_equivocator, withholder,
    wrong_set,
};

/// Makes the enumeration of all lies, with the name and the maker of each.
macro_rules! lies {
    ($($(#[$about:meta])* $kind:ident = $name:literal $(=> $lie:path)?,)*) => {
        /// The lies that a validator can tell.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum LieKind {
            $($(#[$about])* #[serde(rename = $name)] $kind,)*
        }

        impl LieKind {
            /// All lies.
            pub const ALL: &'static [Self] = &[$(Self::$kind),*];

            /// The name of the lie in plans and reports.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$kind => $name,)*
                }
            }

            /// Creates the lie; `None` for twins, which the world makes.
            pub(crate) fn liar(self) -> Option<Box<dyn Lie>> {
                match self {
                    $(Self::$kind => None$(.or_else(|| boxed::<$lie>()))?,)*
                }
            }
        }
    };
}

lies! {
    /// Says nothing at all.
    Silent = "silent" => silent::Silent,
    /// Runs two processes with one key, which do not know of each other. There is no [`Lie`] for
    /// it: the world starts the second process.
    Twin = "twin",
    /// Votes differently to different peers.
    VoteEquivocator = "vote-equivocator" => vote_equivocator::VoteEquivocator,
    /// Proposes one block to some and another to others.
    ProposalEquivocator = "proposal-equivocator" => proposal_equivocator::ProposalEquivocator,
    /// Always votes nil.
    NilOnly = "nil-only" => nil_only::NilOnly,
    /// Claims polkas for its own blocks when there were none.
    FalsePolka = "false-polka" => false_polka::FalsePolka,
    /// Repeats what it and others said before.
    Replayer = "replayer" => replayer::Replayer,
    /// Names another validator set in every statement that it signs.
    WrongSet = "wrong-set" => wrong_set::WrongSet,
    /// Proposes blocks with other roots than executing them gives.
    BadBlock = "bad-block" => bad_block::BadBlock,
    /// Leaves the bids of one agent out of its blocks.
    Censor = "censor" => censor::Censor,
    /// Forges bids of other agents, in its blocks and for the mempools.
    ForgedBid = "forged-bid" => forged_bid::ForgedBid,
    /// Proposes blocks and does not send their bodies.
    Withholder = "withholder" => withholder::Withholder,
    /// Suspects assignees that are alive.
    FalseSuspicion = "false-suspicion" => false_suspicion::FalseSuspicion,
    /// Shows certificates that lack the votes for them.
    CertificateForger = "certificate-forger" => certificate_forger::CertificateForger,
    /// Claims absurd heights, asks for everything, and sends frames that are too long or deep.
    Flooder = "flooder" => flooder::Flooder,
    /// Changes one small thing in a correct message.
    Mutator = "mutator" => mutator::Mutator,
}

/// A lie that has not been told yet.
fn boxed<L: Lie + Default + 'static>() -> Option<Box<dyn Lie>> {
    Some(Box::<L>::default())
}
