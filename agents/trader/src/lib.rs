//! A market maker that sells slices of orders, and the bars and orders that slices are cut from.
//!
//! [`MarketMaker`] is a reference agent: it asks what a slice costs it, and fills at once what it
//! wins. [`Bars`] reads prices of a day, [`ParentOrder`] spreads a quantity over them, [`Slice`] is
//! what a task says. Money is whole [`Ticks`]: of a price, for one unit; of a quote, for the slice.
//!
//! **Absent here:** clocks, sockets, floats, and anything the swarm agrees on.

mod bars;
mod decimal;
mod maker;
mod order;
pub mod synthetic;

pub use bars::{Bar, Bars, BarsError};
pub use decimal::{TICKS_PER_UNIT, Ticks, show_price};
pub use maker::{CREDIT, MakerConfig, MarketMaker};
pub use order::{Fill, ParentOrder, Schedule, Slice, with_ppm};
