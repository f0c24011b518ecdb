//! Numbers in drawings, with the decimals that they need.

/// Formats a coordinate or a length, in tenths of a unit.
pub(super) fn tenths(number: f64) -> String {
    format!("{number:.1}")
}

/// Formats a coordinate or a length, in whole units.
pub(super) fn whole(number: f64) -> String {
    format!("{number:.0}")
}
