//! The stage of the trading demonstration: bars, orders, markets, market makers.

use anyhow::Result;
use quorate_trader::{Bars, MakerConfig, ParentOrder, Schedule, Ticks, with_ppm};
use quorate_types::{Label, Market, UnixMillis};

use super::args::Args;
use crate::setting::{Input, Setting, Wanted};
use crate::worker::{TRADER_FILE, TraderFile};

/// The day that ships, for a run without `--bars`.
const DAY: &str = include_str!("../../../../examples/trading/day.csv");
const DAY_NAME: &str = "day.csv";
/// The label that slices require and that every market maker is attested.
const VENUE: &str = "venue.lit";
/// Units in a slice.
const QUANTITY: i64 = 100;
/// How much the ring asks above its costs, in millionths.
const PADDING_PPM: i64 = 600;
/// The number of slices that the credit of an honest market maker covers.
const CREDIT_SLICES: i64 = 8;
/// The market maker that bids beyond its credit is attested a slice's value divided by this.
const SHORT_CREDIT: i64 = 2;

/// The markets, ascending by name, each with its mechanism.
pub(super) const MARKETS: [(&str, &str); 2] = [
    ("slices-mcafee", "mcafee"),
    ("slices-vickrey", "second-price"),
];

/// Everything that a run needs; it is also written to the folder of the run.
pub(super) struct TradingSetup {
    pub(super) setting: Setting,
    /// The bars that are traded.
    pub(super) bars: Bars,
    pub(super) orders: Vec<ParentOrder>,
    pub(super) venue: Label,
    /// The market makers, in the order of the setting's agents.
    pub(super) makers: Vec<Maker>,
}

/// A market maker and its character.
pub(super) struct Maker {
    pub(super) character: Character,
    pub(super) config: MakerConfig,
}

/// The behaviour of a market maker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Character {
    /// It asks its true cost.
    Honest,
    /// It has agreed with another one to ask more than its cost.
    Ring,
    /// It commits to quotes and never opens them.
    Silent,
    /// It claims more credit than was attested to it.
    OverCredit,
}

impl TradingSetup {
    pub(super) fn set(args: &Args, started: UnixMillis) -> Result<Self> {
        let mut bars = read_bars(args)?;
        let orders = orders(bars.bars.len());
        // Credit is counted in slices at the highest price of the day.
        let highest = bars.bars.iter().map(|bar| bar.high).max().unwrap_or(0);
        let makers = makers(args, highest.saturating_mul(QUANTITY))?;

        let setting = Setting::make(Wanted {
            name: "trading",
            role: "trader",
            validators: args.validators,
            agents: args.traders,
            attester: "clearing-house",
            markets: markets()?,
            out: args.run.out.as_deref(),
            started,
        })?;

        let input = Input::of(args.bars.as_deref(), DAY_NAME, DAY)?;
        bars.name = input.keep(&setting.folder)?;

        let setup = Self {
            setting,
            bars,
            orders,
            venue: VENUE.parse()?,
            makers,
        };

        setup.write()?;
        Ok(setup)
    }

    fn write(&self) -> Result<()> {
        self.setting.write()?;
        for (trader, maker) in self.setting.agents.iter().zip(&self.makers) {
            self.setting.attest(trader, maker.config.attested())?;
            trader.tell(TRADER_FILE, &maker.file())?;
        }

        Ok(())
    }

    /// Returns the names of the market makers with a character.
    pub(super) fn names(&self, character: Character) -> Vec<String> {
        let all = self.setting.agents.iter().zip(&self.makers);
        let found = all.filter(|(_, maker)| maker.character == character);
        found.map(|(member, _)| member.name.clone()).collect()
    }
}

impl Maker {
    fn file(&self) -> TraderFile {
        TraderFile {
            config: self.config.clone(),
            // The node keeps the quotes shut; the market maker in it is an ordinary one.
            withholds: self.character == Character::Silent,
        }
    }
}

/// Reads as many bars as are traded.
fn read_bars(args: &Args) -> Result<Bars> {
    let mut bars = match &args.bars {
        Some(path) => Bars::read(path)?,
        None => Bars::parse(DAY_NAME, DAY)?,
    };
    bars.bars.truncate(args.take);
    Ok(bars)
}

/// Returns the orders of three clients: one is patient, one follows the volume, and one is in a
/// hurry. Each wants two slices in a bar, on average.
fn orders(bars: usize) -> Vec<ParentOrder> {
    let kinds = [
        ("pension", 900, Schedule::Even),
        ("index", 1_600, Schedule::Volume),
        ("hedge", 3_000, Schedule::Even),
    ];

    let orders = kinds.map(|(name, limit_ppm, schedule)| ParentOrder {
        name: name.to_owned(),
        lots: 2 * bars as u64,
        quantity: QUANTITY,
        limit_ppm,
        schedule,
    });

    orders.into()
}

fn markets() -> Result<Vec<Market>> {
    let markets = MARKETS.into_iter();
    markets
        .map(|(name, mechanism)| market(name, mechanism))
        .collect()
}

fn market(name: &str, mechanism: &str) -> Result<Market> {
    Ok(Market {
        name: name.parse()?,
        reserve: None,
        trusted: false,
        attempts: 10,
        lease_ms: 3_000,
        solve_ms: None,
        mechanism: mechanism.parse()?,
        // Sealed, with 600 ms for the openings (M-23, M-25).
        reveal_ms: Some(600),
        window_ms: 300,
    })
}

/// Returns the market makers. The first two are the cheapest, and collude. The last one bids beyond
/// its credit, and the one before it keeps its commitments shut. If there are few, some of these
/// are left out, so that two honest ones remain.
fn makers(args: &Args, slice: Ticks) -> Result<Vec<Maker>> {
    let venue: Label = VENUE.parse()?;
    let makers = (0..args.traders).map(|at| Maker {
        character: character(args, at),
        config: maker_config(args, at, slice, venue.clone()),
    });
    Ok(makers.collect())
}

fn maker_config(args: &Args, at: usize, slice: Ticks, venue: Label) -> MakerConfig {
    let credit = slice.saturating_mul(CREDIT_SLICES);
    let character = character(args, at);
    let short = character == Character::OverCredit;
    let colludes = character == Character::Ring;

    MakerConfig {
        venue,
        credit: if short { slice / SHORT_CREDIT } else { credit },
        claims: short.then_some(credit),
        // Each market maker is dearer than the one before it.
        cost_ppm: 200 + 150 * at as i64,
        noise_ppm: 80,
        padding_ppm: if colludes { PADDING_PPM } else { 0 },
        seed: args.seed.wrapping_mul(1000).wrapping_add(at as u64),
    }
}

fn character(args: &Args, at: usize) -> Character {
    let count = args.traders;
    // The last market maker is at 1, the one before it at 2.
    match count - at {
        _ if args.run.no_faults => Character::Honest,
        1 => Character::OverCredit,
        2 if count >= 4 => Character::Silent,
        _ if at < 2 && count >= 6 => Character::Ring,
        _ => Character::Honest,
    }
}

/// Returns the most that any order pays for a slice of this value. It is also what such a slice
/// takes of its seller's credit.
pub(super) fn highest_limit(orders: &[ParentOrder], value: Ticks) -> Ticks {
    let highest = orders
        .iter()
        .map(|order| order.limit_ppm)
        .max()
        .unwrap_or(0);
    with_ppm(value, highest)
}
