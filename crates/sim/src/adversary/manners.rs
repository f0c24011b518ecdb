//! The manners of agents, by name. A new lie of an agent takes a file and a line here.

use serde::{Deserialize, Serialize};

use super::agent::AgentLie;
use super::{abandoner, bid_spammer, false_solver, forger};

/// Makes the enumeration of all manners, with the name and the maker of each.
macro_rules! manners {
    ($($(#[$about:meta])* $manner:ident = $name:literal $(=> $lie:path)?,)*) => {
        /// How an agent behaves: honestly, or with one kind of lie.
        #[derive(
            Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize,
        )]
        pub enum Manner {
            $($(#[$about])* #[serde(rename = $name)] $manner,)*
        }

        impl Manner {
            /// All manners, the honest one first.
            pub const ALL: &'static [Self] = &[$(Self::$manner),*];

            /// The name in plans and reports.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$manner => $name,)*
                }
            }

            /// Creates the lie of the manner; `None` if a light client suffices. An agent that lies
            /// about its capabilities needs no more: the world lets its light client claim them in
            /// good faith.
            pub(crate) fn liar(self) -> Option<Box<dyn AgentLie>> {
                match self {
                    $(Self::$manner => None$(.or_else(|| boxed::<$lie>()))?,)*
                }
            }
        }
    };
}

manners! {
    /// It executes the tasks that it wins.
    #[default]
    Honest = "honest",
    /// It claims capabilities that nobody attested to it, and bids on tasks that require them.
    CapabilityLiar = "capability-liar",
    /// It wins by low prices and does nothing.
    WinAndAbandon = "win-and-abandon" => abandoner::Abandoner,
    /// It sends far more bids than there are windows.
    BidSpammer = "bid-spammer" => bid_spammer::BidSpammer,
    /// It sends operations with wrong signatures, in its own name and in those of others.
    Forger = "forger" => forger::Forger,
    /// It proposes solutions that do not hold, and cancels tasks of its own that others win by its
    /// solution.
    FalseSolver = "false-solver" => false_solver::FalseSolver,
}

/// A lie that has not been told yet.
fn boxed<L: AgentLie + Default + 'static>() -> Option<Box<dyn AgentLie>> {
    Some(Box::<L>::default())
}
