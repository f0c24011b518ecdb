//! The seam between the ledger and the auctions it knows.

use quorate_types::genesis::GenesisError;
use quorate_types::{Label, Market};

use crate::double::{McAfee, UniformDouble};
use crate::first_price::FirstPrice;
use crate::gap_market::Gap;
use crate::optimal::Optimal;
use crate::round::{Clearing, Round};
use crate::second_price::SecondPrice;
use crate::sequential::Sequential;
use crate::vcg::Vcg;

/// A rule that gives tasks to bidders: a pure function of the round, on integers alone.
///
/// To add one: a file with an implementation, and its line in the registry ([`mechanisms`]).
pub trait Mechanism: Sync {
    /// Its name, as genesis and clearing records have it: a [`Label`], unlike all others.
    fn name(&self) -> &'static str;

    /// Its name as a label.
    #[expect(
        clippy::expect_used,
        reason = "names in the registry are labels, as a test shows"
    )]
    fn label(&self) -> Label {
        self.name()
            .parse()
            .expect("the name of a mechanism is a label")
    }

    /// Grows with every change that may alter a result.
    fn version(&self) -> u16;

    /// Its class in the taxonomy of Gerkey and Matarić (2004): `ST-SR-IA` is single-task robots,
    /// single-robot tasks, instantaneous assignment.
    fn class(&self) -> &'static str;

    /// What it guarantees, in a sentence for a person.
    fn guarantee(&self) -> &'static str;

    /// Its largest sizes, and what it takes of agents, in a line for a person. A larger round is
    /// cleared without awards.
    fn limits(&self) -> &'static str;

    /// Which bidding its guarantee presumes.
    fn bidding(&self) -> Bidding;

    /// Whether an offer above the limit of its task takes part: it wins nothing, and may still move
    /// a price that others trade at.
    fn takes_all_asks(&self) -> bool {
        false
    }

    /// Whether anyone may propose who should win what, for it to weigh against what it finds
    /// itself: for a mechanism that cannot promise the best there is. What it weighs them by is
    /// [`crate::Score`].
    fn takes_solutions(&self) -> bool {
        false
    }

    /// Worst-case cost of [`Self::clear`] by the sizes of the round, in the unit of
    /// [`quorate_types::limits::BLOCK_COST`], about a microsecond. Grows with each of the three.
    fn cost(&self, tasks: usize, bidders: usize, bids: usize) -> u64;

    /// [`Self::clear`], unless it takes more than `cost`; `None` where it gives up. For a mechanism
    /// whose worst cases are rare, and that counts what it does: all machines must give up at one
    /// point. Others do not have it, and are never tried beyond what surely fits.
    fn clear_within(&self) -> Option<Attempt> {
        None
    }

    /// Decides. Awards stay within limits and budgets; each task is awarded once at most.
    fn clear(&self, round: &Round) -> Clearing;
}

/// Clears a round unless that takes more than the cost, by a count that is the same everywhere.
pub type Attempt = fn(&Round, u64) -> Option<Clearing>;

/// Whether bidders see the bids of others before the window closes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bidding {
    /// Bids are meant to be seen and answered.
    Open,
    /// The guarantee holds only where nobody knows the others' bids in time.
    Sealed,
    /// What it guarantees, it guarantees for the bids as they are.
    Either,
}

/// The registry: all mechanisms of this program. One that is not in it does not exist.
const ALL: &[&dyn Mechanism] = &[
    &FirstPrice,
    &SecondPrice,
    &Sequential,
    &Optimal,
    &Vcg,
    &UniformDouble,
    &McAfee,
    &Gap,
];

/// All mechanisms, the simplest first.
pub fn mechanisms() -> &'static [&'static dyn Mechanism] {
    ALL
}

/// The mechanism of this name, if there is one.
pub fn mechanism(name: &Label) -> Option<&'static dyn Mechanism> {
    ALL.iter()
        .copied()
        .find(|mechanism| mechanism.name() == name.as_str())
}

/// Checks that every market goes by a mechanism of this program, and takes solutions only where
/// that does.
///
/// # Errors
/// [`GenesisError::Mechanism`] or [`GenesisError::Solutions`] naming the first that does not.
pub fn check_mechanisms(markets: &[Market]) -> Result<(), GenesisError> {
    markets.iter().try_for_each(|market| {
        let (name, of_market) = (market.name.clone(), market.mechanism.clone());
        match mechanism(&market.mechanism) {
            None => Err(GenesisError::Mechanism {
                market: name,
                mechanism: of_market,
            }),
            Some(rule) if market.solve_ms.is_some() && !rule.takes_solutions() => {
                Err(GenesisError::Solutions {
                    market: name,
                    mechanism: of_market,
                })
            }
            Some(_) => Ok(()),
        }
    })
}
