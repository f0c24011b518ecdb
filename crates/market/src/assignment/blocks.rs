//! Blocks of edges: where a row or column has edges to all others, they are looked at together.

use std::ops::Range;

/// The number of edges that are looked at together, if a person has edges to all objects. Their
/// signs tell whether one of them matters, and few blocks have one.
pub(super) const BLOCK: usize = 16;

/// Returns the ranges of the blocks of a person that has this many edges.
#[inline]
pub(super) fn blocks(edges: usize) -> impl Iterator<Item = Range<usize>> {
    let starts = (0..edges).step_by(BLOCK);
    starts.map(move |start| start..edges.min(start + BLOCK))
}
