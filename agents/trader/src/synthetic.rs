//! A synthetic trading day: 26 bars of a quarter of an hour each, made from a seed.
//!
//! The price is a random walk of 32 steps in each bar. Each step is at most five cents up or down,
//! plus a pull towards the first price of one cent for every two units of distance. Volume is large
//! at both ends of the day and small at noon, as it is on stock exchanges, and varies by up to a
//! quarter. All numbers are integers: the same seed gives the same bytes on every machine.

use crate::{Ticks, show_price};

/// The number of bars in a day, fifteen minutes each, from half past nine.
const BARS: u64 = 26;
/// The number of steps in a bar.
const STEPS: u64 = 32;
/// A cent, in ticks.
const CENT: Ticks = 100;
/// The price at which the day begins, and towards which it is pulled.
const MIDDLE: Ticks = 1_000_000;

/// The seed of the day that ships as `examples/trading/day.csv`.
pub const SEED: u64 = 1;

/// Returns the day of a seed as CSV. The example program `day` prints it.
pub fn day(seed: u64) -> String {
    let mut dice = Dice(seed);
    let mut price = MIDDLE;
    let mut text = format!(
        "# Synthetic: nobody ever traded at these prices. Made by\n\
         # cargo run -p quorate-trader --example day -- {seed}\n\
         Time,Open,High,Low,Close,Volume\n"
    );

    for bar in 0..BARS {
        let minutes = 9 * 60 + 30 + bar * 15;
        let hour = minutes / 60;
        let minute = minutes % 60;

        let prices = walk(&mut dice, price);
        price = prices[3];
        let prices = prices.map(show_price).join(",");
        let volume = volume(&mut dice, bar);
        text += &format!("{hour:02}:{minute:02},{prices},{volume}\n");
    }

    text
}

/// Returns the first, highest, lowest and last price of a bar that begins at `open`.
fn walk(dice: &mut Dice, open: Ticks) -> [Ticks; 4] {
    let mut price = open;
    let mut high = open;
    let mut low = open;

    for _ in 0..STEPS {
        price = step(dice, price);
        high = high.max(price);
        low = low.min(price);
    }

    [open, high, low, price]
}

/// Mixes the bits of a number (the finalizer of SplitMix64, Steele et al. 2014).
pub(crate) fn mix(seed: u64) -> u64 {
    let mut mixed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

struct Dice(u64);

impl Dice {
    /// Returns a number from 0 to `sides` - 1.
    fn roll(&mut self, sides: u64) -> u64 {
        let rolled = mix(self.0);
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        rolled % sides
    }
}

fn step(dice: &mut Dice, price: Ticks) -> Ticks {
    let move_by = Ticks::try_from(dice.roll(11)).unwrap_or(0) - 5;
    let pull = (MIDDLE - price) / (200 * CENT);
    (price + (move_by + pull) * CENT).max(CENT)
}

/// Returns the volume of a bar: some 40,000 units at noon, up to 170,000 at the ends of the day,
/// and up to a quarter more or less.
fn volume(dice: &mut Dice, bar: u64) -> u64 {
    let from_noon = (2 * bar).abs_diff(BARS - 1);
    let usual = 40_000 + 130_000 * from_noon * from_noon / ((BARS - 1) * (BARS - 1));
    (usual * (75 + dice.roll(51)) / 100).next_multiple_of(100)
}
