//! The broker: cuts orders into slices, bar by bar, and puts each up for auction in a market.

use quorate_trader::{CREDIT, ParentOrder, Slice, Ticks, with_ppm};
use quorate_types::{Amounts, Label, LabelError, TaskSpec};

use super::stage::{MARKETS, TradingSetup, highest_limit};

/// The most slices of one order that are up for auction together, so that an order that is behind
/// its schedule does not catch up all at once.
const TOGETHER: u64 = 4;
/// How far the limit of an order is raised when the day is over, in millionths.
const CLOSING_PPM: i64 = 5_000;
/// The market that takes what is left when the day is over, as its number in [`MARKETS`]. It also
/// sells a single slice, which the double auction never does.
const CLOSING_MARKET: usize = 1;

/// A slice that was put up for auction.
#[derive(Debug, Clone)]
pub(super) struct Child {
    pub(super) slice: Slice,
    /// The number of its order.
    pub(super) order: usize,
    /// The number of its market in [`MARKETS`].
    pub(super) market: usize,
    /// The most that the client pays for it.
    pub(super) limit: Ticks,
}

/// The orders, and how much of each is left.
pub(super) struct Broker<'a> {
    stage: &'a TradingSetup,
    books: Vec<Book>,
}

/// The progress of one order.
#[derive(Debug, Clone, Copy, Default)]
struct Book {
    /// Slices that were bought.
    bought: u64,
    /// Slices that were put up for auction so far.
    cut: u64,
}

impl<'a> Broker<'a> {
    pub(super) fn new(stage: &'a TradingSetup) -> Self {
        Self {
            stage,
            books: vec![Book::default(); stage.orders.len()],
        }
    }

    /// Cuts the slices that are due in a bar: those that the schedules want by then, without those
    /// that are bought already.
    pub(super) fn slices(&mut self, bar: usize) -> Vec<Child> {
        let bars = &self.stage.bars.bars;
        let due: Vec<u64> = self
            .stage
            .orders
            .iter()
            .map(|order| order.due(bars, bar))
            .collect();

        self.cut(bar, &due, None)
    }

    /// Cuts everything that is left after the last bar, at a higher limit.
    pub(super) fn closing_slices(&mut self) -> Vec<Child> {
        let all: Vec<u64> = self.stage.orders.iter().map(|order| order.lots).collect();
        self.cut(self.stage.bars.bars.len() - 1, &all, Some(CLOSING_MARKET))
    }

    /// Takes in that a slice of this order was bought.
    pub(super) fn bought(&mut self, order: usize) {
        if let Some(book) = self.books.get_mut(order) {
            book.bought += 1;
        }
    }

    /// Cuts the slices that each order lacks to have as many as `due`. They go to the market
    /// `only`, at a higher limit, or to all markets by turns.
    fn cut(&mut self, bar: usize, due: &[u64], only: Option<usize>) -> Vec<Child> {
        let Some(benchmark) = self.stage.bars.bars.get(bar).map(|bar| bar.benchmark()) else {
            return Vec::new();
        };

        let mut children = Vec::new();
        let extra = if only.is_some() { CLOSING_PPM } else { 0 };
        let orders = self.stage.orders.iter().zip(&mut self.books);

        for (order, (parent, book)) in orders.enumerate() {
            let wanted = due.get(order).copied().unwrap_or(0);
            let behind = wanted.saturating_sub(book.bought);

            for _ in 0..behind.min(TOGETHER) {
                book.cut += 1;
                let slice = slice(parent, book.cut, bar, benchmark);
                let limit = with_ppm(slice.value(), parent.limit_ppm + extra);

                // Each order takes the markets by turns; orders begin with different ones.
                let turn = (book.cut as usize + order) % MARKETS.len();
                children.push(Child {
                    slice,
                    order,
                    market: only.unwrap_or(turn),
                    limit,
                });
            }
        }

        children
    }

    /// Returns the task of a slice. All slices of a bar take the same amount of their seller's
    /// credit. So they are one good, which a double auction can trade (M-21).
    pub(super) fn spec(&self, child: &Child) -> Result<TaskSpec, LabelError> {
        let market: Label = MARKETS[child.market].0.parse()?;
        let mut spec = TaskSpec::new(market);
        spec.requires.labels.insert(self.stage.venue.clone());

        // The same credit whichever order a slice is of: otherwise they would be different goods.
        let highest = highest_limit(&self.stage.orders, child.slice.value());
        let credit = highest.max(child.limit);
        spec.demand = Amounts::from([(CREDIT.parse()?, credit)]);
        spec.max_price = Some(child.limit);
        spec.payload.0 = child.slice.to_payload();

        Ok(spec)
    }
}

/// Returns the slice of an order that is cut as its `number`th, from 1.
fn slice(parent: &ParentOrder, number: u64, bar: usize, benchmark: Ticks) -> Slice {
    Slice {
        id: format!("{}-{:02}-{number}", parent.name, bar + 1),
        order: parent.name.clone(),
        bar,
        quantity: parent.quantity,
        benchmark,
    }
}
