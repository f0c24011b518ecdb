//! The data that a trading run adds. Money is in ticks: whole ten-thousandths of the currency's
//! unit.

use serde::{Deserialize, Serialize};

/// A day of trading.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trading {
    /// The file that the bars were read from.
    pub source: String,
    /// The bars that were traded.
    pub bars: Vec<Bar>,
    /// The clients' orders.
    pub orders: Vec<Order>,
    /// The slices that were bought, in the order in which they were submitted.
    pub fills: Vec<Fill>,
    /// The results of each mechanism.
    pub mechanisms: Vec<Mechanism>,
    /// The agents that colluded; empty if none did.
    pub ring: Vec<String>,
    /// The agents that did not open their commitments.
    pub silent: Vec<String>,
    /// The agents that bid beyond their credit.
    pub over_credit: Vec<String>,
}

/// A bar of the day. Its prices are for one unit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bar {
    /// The date or time, as in the file.
    pub time: String,
    /// The first price.
    pub open: i64,
    /// The highest price.
    pub high: i64,
    /// The lowest price.
    pub low: i64,
    /// The last price.
    pub close: i64,
    /// The price that fills are compared with: the mean of open, high, low and close.
    pub benchmark: i64,
}

/// A client's order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// The name of the order, unique within the day.
    pub name: String,
    /// How it is spread over the day: `even`, or by `volume`.
    pub schedule: String,
    /// The most that it pays above the benchmark, in millionths of the benchmark.
    pub limit_ppm: i64,
    /// The units that the client wants.
    pub quantity: i64,
    /// The units that were bought.
    pub bought: i64,
    /// The sum that the client was charged.
    pub charged: i64,
    /// How far the charge lies above the value at the benchmarks, in millionths of that value.
    pub slippage_ppm: i64,
}

/// A slice that was bought.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fill {
    /// The name of the slice.
    pub slice: String,
    /// The name of its order.
    pub order: String,
    /// The number of the bar, from 0.
    pub bar: usize,
    /// The name of the market.
    pub market: String,
    /// The name of the mechanism.
    pub mechanism: String,
    /// The name of the seller.
    pub maker: String,
    /// The units in the slice.
    pub quantity: i64,
    /// The benchmark price of one unit.
    pub benchmark: i64,
    /// The amount that the client was charged for all units.
    pub charged: i64,
    /// The amount that the seller was paid for all units.
    pub paid: i64,
    /// How far the charge lies above the value at the benchmark, in millionths of that value.
    pub slippage_ppm: i64,
    /// The file name of the award's certificate, within the certificate folder.
    pub certificate: String,
}

/// The results of one mechanism.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mechanism {
    /// The name of the market.
    pub market: String,
    /// The name of the mechanism.
    pub mechanism: String,
    /// Slices that were put up for auction.
    pub slices: u64,
    /// Slices that were bought.
    pub filled: u64,
    /// The value of the bought slices at their benchmarks.
    pub value: i64,
    /// The sum that clients were charged.
    pub charged: i64,
    /// The sum that sellers were paid.
    pub paid: i64,
    /// How far the charges lie above the value, in millionths of the value.
    pub slippage_ppm: i64,
    /// The effect of collusion; `None` if nobody colluded, or if no dossier tells it.
    pub collusion: Option<Collusion>,
}

/// The auctions of one mechanism as they were, compared with the same auctions in which the ring's
/// bids are replaced by its true costs and everything else is as in the dossiers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Collusion {
    /// Auctions that were compared.
    pub auctions: u64,
    /// The loss of the clients: limits minus charges over the bought slices, without the ring,
    /// minus the same with the ring.
    pub cost: i64,
    /// The loss in millionths of the value of all slices that were up for auction.
    pub cost_ppm: i64,
    /// Slices that would have been bought without the ring, minus those that were bought.
    pub fills_lost: i64,
    /// How far the charges lie above the benchmark with the ring, in millionths.
    pub slippage_ppm: i64,
    /// How far the charges would lie above the benchmark without the ring, in millionths.
    pub honest_slippage_ppm: i64,
    /// The gain of the ring: payments minus true costs, with collusion, minus the same without.
    pub ring_gain: i64,
}
