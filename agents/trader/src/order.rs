//! Orders, the slices into which they are cut, and the fills of slices.

use serde::{Deserialize, Serialize};

use crate::{Bar, Ticks};

/// The number of millionths in one.
const MILLION: i128 = 1_000_000;

/// A client's order to buy, before it is cut.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParentOrder {
    /// The name for people, unique among the orders of a day.
    pub name: String,
    /// The number of slices into which it is cut.
    pub lots: u64,
    /// The number of units in each slice.
    pub quantity: i64,
    /// The most that it pays above a bar's benchmark, in millionths.
    pub limit_ppm: i64,
    /// How the order is spread over the day.
    pub schedule: Schedule,
}

/// How an order is spread over the bars of a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Schedule {
    /// Evenly over the bars.
    Even,
    /// In proportion to the volume that others trade.
    Volume,
}

/// A part of an order. It is the payload of a task, as JSON.
///
/// ```json
/// {"id": "b03-index-1", "order": "index", "bar": 3, "quantity": 100, "benchmark": 1002500}
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slice {
    /// The name for people, unique among the slices of a day.
    pub id: String,
    /// The name of its order.
    pub order: String,
    /// The number of the bar, from 0.
    pub bar: usize,
    /// The number of units to buy, from 1.
    pub quantity: i64,
    /// The bar's benchmark price for one unit, in ticks, from 1. Everybody in the market knows it.
    pub benchmark: Ticks,
}

/// The sale of a slice. It is the detail of a receipt, as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fill {
    /// The name of the slice.
    pub id: String,
    /// The number of units sold.
    pub quantity: i64,
    /// The price that the seller gets for all of them, in ticks.
    pub paid: Ticks,
}

impl ParentOrder {
    /// Returns the number of slices that should be bought by the end of the bar `at`, for a day of
    /// these `bars`.
    pub fn due(&self, bars: &[Bar], at: usize) -> u64 {
        let passed = at.saturating_add(1).min(bars.len());

        // At the end of the day all is due, without an error of rounding.
        if passed == bars.len() {
            return self.lots;
        }

        let (part, whole) = self.schedule.share(bars, passed);
        let lots = u128::from(self.lots);
        let due = lots.saturating_mul(part) / whole;

        u64::try_from(due).unwrap_or(self.lots)
    }
}

impl Schedule {
    /// Returns the share of a day that is over after the first `passed` of its bars, as numerator
    /// and denominator.
    fn share(self, bars: &[Bar], passed: usize) -> (u128, u128) {
        match (self, total_volume(bars)) {
            (Self::Volume, whole @ 1..) => (total_volume(&bars[..passed]), whole),
            // A day without any volume is spread evenly.
            _ => (passed as u128, bars.len().max(1) as u128),
        }
    }
}

fn total_volume(bars: &[Bar]) -> u128 {
    bars.iter().map(|bar| u128::from(bar.volume)).sum()
}

impl Slice {
    /// Reads a slice from a payload. Returns `None` if it is not JSON of this shape or out of
    /// range.
    pub fn from_payload(payload: &[u8]) -> Option<Self> {
        let slice: Self = serde_json::from_slice(payload).ok()?;
        (slice.quantity > 0 && slice.benchmark > 0).then_some(slice)
    }

    /// Writes the slice into a payload.
    pub fn to_payload(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Returns the value of the slice at the benchmark, or the greatest number if it is larger.
    pub fn value(&self) -> Ticks {
        self.benchmark.saturating_mul(self.quantity)
    }

    /// Returns how far `total`, the price of the whole slice, is above its value, in millionths.
    pub fn slippage_ppm(&self, total: Ticks) -> i64 {
        let total = i128::from(total);
        let value = i128::from(self.value().max(1));
        i64::try_from((total - value) * MILLION / value).unwrap_or(i64::MAX)
    }
}

impl Fill {
    /// Reads a fill from the detail of a receipt. Returns `None` if it is not JSON of this shape.
    pub fn from_detail(detail: &[u8]) -> Option<Self> {
        serde_json::from_slice(detail).ok()
    }
}

/// Adds so many millionths to an amount, and rounds up. The result is at least 0.
pub fn with_ppm(amount: Ticks, ppm: i64) -> Ticks {
    let exact = i128::from(amount) * (MILLION + i128::from(ppm));
    let rounded = exact.div_euclid(MILLION) + i128::from(exact.rem_euclid(MILLION) > 0);
    i64::try_from(rounded.max(0)).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bars(volumes: &[u64]) -> Vec<Bar> {
        let bar = |volume: &u64| Bar {
            time: String::new(),
            open: 1,
            high: 1,
            low: 1,
            close: 1,
            volume: *volume,
        };
        volumes.iter().map(bar).collect()
    }

    fn order(lots: u64, schedule: Schedule) -> ParentOrder {
        ParentOrder {
            name: "o".to_owned(),
            lots,
            quantity: 100,
            limit_ppm: 0,
            schedule,
        }
    }

    #[test]
    fn an_order_is_spread_by_time_or_by_volume() {
        let day = bars(&[70, 10, 20]);
        let due = |schedule| {
            (0..4)
                .map(|at| order(10, schedule).due(&day, at))
                .collect::<Vec<_>>()
        };

        assert_eq!(due(Schedule::Even), [3, 6, 10, 10]);
        assert_eq!(due(Schedule::Volume), [7, 8, 10, 10]);

        let dead = bars(&[0, 0]);
        assert_eq!(
            order(10, Schedule::Volume).due(&dead, 0),
            5,
            "nothing traded"
        );
    }

    proptest::proptest! {
        #[test]
        fn all_of_an_order_is_due_in_the_end_and_never_less_than_before(
            lots: u64,
            volumes in proptest::collection::vec(0..=u64::MAX, 1..20),
            volume: bool,
        ) {
            let schedule = if volume { Schedule::Volume } else { Schedule::Even };
            let (order, day) = (order(lots, schedule), bars(&volumes));
            let due: Vec<_> = (0..day.len()).map(|at| order.due(&day, at)).collect();
            proptest::prop_assert!(due.is_sorted());
            proptest::prop_assert_eq!(due.last(), Some(&lots));
        }

        #[test]
        fn a_payload_is_read_as_it_was_written(bar: usize, quantity in 1..i64::MAX) {
            let (id, order) = ("a\"b".to_owned(), "ö".to_owned());
            let slice = Slice { id, order, bar, quantity, benchmark: 7 };
            proptest::prop_assert_eq!(Slice::from_payload(&slice.to_payload()), Some(slice));
        }
    }

    #[test]
    fn payloads_out_of_range_are_none() {
        for payload in [
            "",
            "{}",
            r#"{"id":"a","order":"o","bar":0,"quantity":0,"benchmark":1}"#,
            r#"{"id":"a","order":"o","bar":0,"quantity":1,"benchmark":-1}"#,
            r#"{"id":"a","order":"o","bar":-1,"quantity":1,"benchmark":1}"#,
        ] {
            assert_eq!(Slice::from_payload(payload.as_bytes()), None, "{payload}");
        }
    }

    #[test]
    fn slippage_is_measured_against_the_benchmark() {
        let slice = Slice {
            id: String::new(),
            order: String::new(),
            bar: 0,
            quantity: 100,
            benchmark: 1_000_000,
        };

        assert_eq!(with_ppm(slice.value(), 1_250), 100_125_000);
        assert_eq!(slice.slippage_ppm(100_125_000), 1_250);
        assert_eq!(slice.slippage_ppm(99_990_000), -100);
        assert_eq!(with_ppm(3, 1), 4, "rounded up");
        assert_eq!(with_ppm(i64::MAX, 1), i64::MAX);
        assert_eq!(with_ppm(5, -2_000_000), 0);
    }
}
