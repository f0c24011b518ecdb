//! The mechanisms, one file each, and the registry of those that this program has.
//!
//! A new mechanism needs its three lines here: the module, the name, and its place in the list.

mod double;
mod first_price;
mod gap;
mod optimal;
mod second_price;
mod sequential;
mod vcg;

pub use double::{McAfee, UniformDouble};
pub use first_price::FirstPrice;
pub use gap::{Gap, GapFound, Score, clearing_of, gap_effort, gap_search};
pub use optimal::Optimal;
pub use second_price::SecondPrice;
pub use sequential::Sequential;
pub use vcg::{Vcg, proves_least_total};

use quorate_types::genesis::GenesisError;
use quorate_types::{Label, Market};

use crate::mechanism::Mechanism;

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

    if market.solve_ms.is_some() && !rule.about().takes_solutions {
        return Err(GenesisError::Solutions {
            market: market.name.clone(),
            mechanism: market.mechanism.clone(),
        });
    }

    Ok(())
}
