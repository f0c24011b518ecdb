//! The interface that every auction implements, and the registry of those that this program has.

use quorate_types::genesis::GenesisError;
use quorate_types::{Label, Market};

use crate::auction::{Auction, Clearing};
use crate::double::{McAfee, UniformDouble};
use crate::first_price::FirstPrice;
use crate::gap_market::Gap;
use crate::optimal::Optimal;
use crate::second_price::SecondPrice;
use crate::sequential::Sequential;
use crate::vcg::Vcg;

/// A rule that gives tasks to bidders. It is a pure function of the auction, and computes with
/// integers only.
///
/// A new mechanism takes a file with an implementation, and a line in the registry
/// ([`mechanisms`]).
pub trait Mechanism: Sync {
    /// The name that genesis and clearing records use: a [`Label`], unique in the registry.
    fn name(&self) -> &'static str;

    /// The name as a label.
    #[expect(
        clippy::expect_used,
        reason = "names in the registry are labels, as a test shows"
    )]
    fn label(&self) -> Label {
        self.name()
            .parse()
            .expect("the name of a mechanism is a label")
    }

    /// The version of the rule. It grows with every change that may alter a result.
    fn version(&self) -> u16;

    /// The class in the taxonomy of Gerkey and Matarić (2004): `ST-SR-IA` means single-task
    /// robots, single-robot tasks, instantaneous assignment.
    fn class(&self) -> &'static str;

    /// The guarantee of the mechanism, in a sentence for a person.
    fn guarantee(&self) -> &'static str;

    /// The size of the largest auction that it clears, and its restrictions on bids and awards, in
    /// a line for a person. A larger auction is cleared without awards.
    fn limits(&self) -> &'static str;

    /// The visibility of bids that the guarantee presumes.
    fn bidding(&self) -> Bidding;

    /// Whether an offer above the limit of its task takes part. Such an offer wins nothing, but it
    /// may still move the price at which others trade.
    fn takes_all_asks(&self) -> bool {
        false
    }

    /// Whether anyone may propose an assignment (a solution), which the mechanism compares by
    /// [`crate::Score`] with the one that it finds itself. This is for mechanisms that cannot
    /// promise the optimum.
    fn takes_solutions(&self) -> bool {
        false
    }

    /// The worst-case cost of [`Self::clear`] for an auction of these sizes, in the unit of
    /// [`quorate_types::limits::BLOCK_COST`], about a microsecond. It grows with each size.
    fn cost(&self, tasks: usize, bidders: usize, bids: usize) -> u64;

    /// A form of [`Self::clear`] that gives up if it takes more than a given cost; `None` if the
    /// mechanism has no such form.
    ///
    /// It is for mechanisms whose worst cases are rare and which count their steps: all machines
    /// must give up at the same one. Other mechanisms are only run on what surely fits.
    fn clear_within(&self) -> Option<Attempt> {
        None
    }

    /// Decides the auction. Awards stay within limits and budgets, and no task is awarded twice.
    fn clear(&self, auction: &Auction) -> Clearing;
}

/// Clears an auction, or returns `None` if that takes more than the given cost. The cost is counted
/// in steps, so the answer is the same on every machine.
pub type Attempt = fn(&Auction, u64) -> Option<Clearing>;

/// The visibility of bids, before the window closes, that a mechanism presumes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bidding {
    /// Bids are meant to be seen and answered.
    Open,
    /// The guarantee holds only if nobody knows the others' bids before the window closes.
    Sealed,
    /// The guarantee holds for the bids as they are, whether or not they were visible.
    Either,
}

/// The registry of all mechanisms of this program. A node does not start on a genesis that names
/// any other (M-17).
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

/// Returns all mechanisms, the simplest first.
pub fn mechanisms() -> &'static [&'static dyn Mechanism] {
    ALL
}

/// Returns the mechanism of this name, if there is one.
pub fn mechanism(name: &Label) -> Option<&'static dyn Mechanism> {
    ALL.iter()
        .copied()
        .find(|mechanism| mechanism.name() == name.as_str())
}

/// Checks that every market names a mechanism of this program, and that a market takes solutions
/// only if its mechanism does.
///
/// # Errors
/// [`GenesisError::Mechanism`] or [`GenesisError::Solutions`], naming the first market at fault.
pub fn check_mechanisms(markets: &[Market]) -> Result<(), GenesisError> {
    markets.iter().try_for_each(check_mechanism)
}

/// Checks the mechanism of one market.
fn check_mechanism(market: &Market) -> Result<(), GenesisError> {
    let Some(rule) = mechanism(&market.mechanism) else {
        return Err(GenesisError::Mechanism {
            market: market.name.clone(),
            mechanism: market.mechanism.clone(),
        });
    };

    if market.solve_ms.is_some() && !rule.takes_solutions() {
        return Err(GenesisError::Solutions {
            market: market.name.clone(),
            mechanism: market.mechanism.clone(),
        });
    }

    Ok(())
}
