//! The slots that a key signs in: bytes of the ordering with an order of their own.

use std::fmt;

/// The bytes of a slot that hold its height.
const HEIGHT_BYTES: usize = 8;

/// The slot of a statement: its place in the order in which a key signs. 16 bytes, compared one by
/// one from the first.
///
/// The first eight bytes are the height, big-endian, because the log, the blocks and the guard are
/// kept by heights. The other eight are the ordering's own: it gives a statement that a key signs
/// later in a height a greater value there, and never the same value to two statements that may
/// not both be signed. Nothing here knows more of them.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Slot([u8; 16]);

impl Slot {
    /// Returns the height, from 1; 0 for the slot before all statements.
    pub fn height(self) -> u64 {
        let [height @ .., _, _, _, _, _, _, _, _] = self.0;
        u64::from_be_bytes(height)
    }

    /// Returns the bytes, for the ordering that made them.
    pub fn bytes(self) -> [u8; 16] {
        self.0
    }

    /// Returns the greatest slot below a height.
    pub(crate) fn last_below(height: u64) -> Self {
        let Some(below) = height.checked_sub(1) else {
            return Self::default();
        };

        let mut bytes = [u8::MAX; 16];
        bytes[..HEIGHT_BYTES].copy_from_slice(&below.to_be_bytes());
        Self(bytes)
    }
}

impl From<[u8; 16]> for Slot {
    fn from(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }
}

/// Writes the bytes in hexadecimal: only the ordering can name their parts.
impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [height @ .., _, _, _, _, _, _, _, _] = self.0;
        let [_, _, _, _, _, _, _, _, own @ ..] = self.0;

        let (height, own) = (u64::from_be_bytes(height), u64::from_be_bytes(own));
        write!(f, "{height:016x}-{own:016x}")
    }
}

impl fmt::Debug for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slot(height: u64, own: u64) -> Slot {
        let bytes = (u128::from(height) << 64) | u128::from(own);
        Slot::from(bytes.to_be_bytes())
    }

    #[test]
    fn slots_are_ordered_by_height_and_then_by_the_bytes_of_the_ordering() {
        let ascending = [
            slot(0, 0),
            slot(0, 256),
            slot(1, 0),
            slot(1, 255),
            slot(1, 256),
            slot(1, u64::MAX),
            slot(256, 0),
            slot(u64::MAX, 0),
        ];

        assert!(ascending.is_sorted_by(|a, b| a < b));
        assert_eq!(ascending.map(Slot::height)[5..], [1, 256, u64::MAX]);
    }

    #[test]
    fn nothing_is_between_the_last_slot_below_a_height_and_its_first() {
        for height in [1, 2, 256, u64::MAX] {
            assert_eq!(Slot::last_below(height), slot(height - 1, u64::MAX));
        }
        assert_eq!(Slot::last_below(0), Slot::default());
    }

    #[test]
    fn a_slot_is_shown_as_its_bytes() {
        let shown = "000000000000010a-00000000000000ff";
        assert_eq!(slot(266, 255).to_string(), shown);
        assert_eq!(format!("{:?}", slot(266, 255)), shown);
    }
}
