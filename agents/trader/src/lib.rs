//! A market maker that sells slices of orders, and the bars and orders that slices are cut from.
//!
//! [`MarketMaker`] is a reference agent: it quotes a price for a slice by its own cost, and fills
//! at once the slices that it wins. [`Bars`] reads the prices of a day, [`ParentOrder`] spreads a
//! quantity over them, and [`Slice`] is the payload of a task. Money is in whole [`Ticks`]: a price
//! is for one unit, a quote is for the whole slice.
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
