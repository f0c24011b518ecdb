//! What a trading run has besides. Money is in ticks: whole ten-thousandths of the currency's unit.

use serde::{Deserialize, Serialize};

/// A day of trading.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trading {
    /// File that the bars were read from.
    pub source: String,
    /// The part of the day that was traded.
    pub bars: Vec<Bar>,
    /// Clients' orders.
    pub orders: Vec<Order>,
    /// Slices bought, in the order they were submitted.
    pub fills: Vec<Fill>,
    /// What each mechanism gave.
    pub mechanisms: Vec<Mechanism>,
    /// Agents that colluded; empty where none did.
    pub ring: Vec<String>,
    /// Agents that kept commitments shut.
    pub silent: Vec<String>,
    /// Agents that bid beyond their credit.
    pub over_credit: Vec<String>,
}

/// A bar. Prices are of one unit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bar {
    /// Date or time, as in the file.
    pub time: String,
    /// First price.
    pub open: i64,
    /// Highest price.
    pub high: i64,
    /// Lowest price.
    pub low: i64,
    /// Last price.
    pub close: i64,
    /// What fills are measured by.
    pub benchmark: i64,
}

/// A client's order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// Name.
    pub name: String,
    /// `even` or `volume`.
    pub schedule: String,
    /// What it pays at most above the benchmark, in millionths.
    pub limit_ppm: i64,
    /// Units wanted.
    pub quantity: i64,
    /// Units bought.
    pub bought: i64,
    /// What it was charged.
    pub charged: i64,
    /// How far that lies above the benchmark, in millionths of it.
    pub slippage_ppm: i64,
}

/// A slice that was bought.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fill {
    /// Name of the slice.
    pub slice: String,
    /// Name of its order.
    pub order: String,
    /// Number of the bar, from 0.
    pub bar: usize,
    /// Name of the market.
    pub market: String,
    /// Name of the mechanism.
    pub mechanism: String,
    /// Name of the seller.
    pub maker: String,
    /// Units.
    pub quantity: i64,
    /// Benchmark price of one unit.
    pub benchmark: i64,
    /// What the client was charged for all units.
    pub charged: i64,
    /// What the seller was paid for them.
    pub paid: i64,
    /// How far the charge lies above the benchmark, in millionths of it.
    pub slippage_ppm: i64,
    /// File of the award's certificate, within the certificate folder.
    pub certificate: String,
}

/// What one mechanism gave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mechanism {
    /// Name of the market.
    pub market: String,
    /// Name of the mechanism.
    pub mechanism: String,
    /// Slices put up for auction.
    pub slices: u64,
    /// Slices bought.
    pub filled: u64,
    /// Value of the slices bought, at their benchmarks.
    pub value: i64,
    /// What clients were charged.
    pub charged: i64,
    /// What sellers were paid.
    pub paid: i64,
    /// How far the charges lie above the benchmark, in millionths of it.
    pub slippage_ppm: i64,
    /// What collusion did to it, where there was some and dossiers tell.
    pub collusion: Option<Collusion>,
}

/// The auctions of one mechanism as they were, against the same auctions with the ring's bids
/// replaced by its true costs, and all else as it stands in the dossiers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Collusion {
    /// Auctions compared.
    pub auctions: u64,
    /// What clients lose: limit less charge, over slices bought, without the ring less with it.
    pub cost: i64,
    /// The same in millionths of the value of the slices up for auction.
    pub cost_ppm: i64,
    /// Slices that would have been bought, less those that were.
    pub fills_lost: i64,
    /// What was charged above the benchmark, in millionths, with the ring.
    pub slippage_ppm: i64,
    /// The same without the ring.
    pub honest_slippage_ppm: i64,
    /// What the ring gains: payments less true costs, with collusion less without.
    pub ring_gain: i64,
}
