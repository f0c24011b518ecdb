//! Dice that fall the same way on every machine.

/// The sequence of splitmix64 (Steele, Lea and Flood 2014), from a fixed start.
#[derive(Clone, Debug)]
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new() -> Self {
        Self(0x9e37_79b9_7f4a_7c15)
    }

    /// Returns a number below `sides`, or 0 if there are no sides.
    pub(super) fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let word = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((word ^ (word >> 31)) % sides.max(1) as u64) as usize
    }

    /// Draws `count` of the items, and drops the others.
    pub(super) fn draw<T>(&mut self, items: &mut Vec<T>, count: usize) {
        for at in 0..count.min(items.len()) {
            let other = at + self.roll(items.len() - at);
            items.swap(at, other);
        }
        items.truncate(count);
    }
}
