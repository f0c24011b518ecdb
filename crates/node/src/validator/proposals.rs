//! The times at which the blocks in progress were first seen, for metrics.

use std::collections::BTreeMap;
use std::time::Duration;

use quorate_types::Height;
use tokio::time::Instant;

/// The first sight of a block at the height in progress, and at the one after it, because the
/// builder may be ahead.
#[derive(Debug, Default)]
pub(super) struct Proposals {
    seen: BTreeMap<Height, Instant>,
}

impl Proposals {
    /// Notes that a block of `height` is being built, or came, while `current` is in progress.
    pub(super) fn note(&mut self, height: Height, current: Height) {
        if (current..=current.saturating_add(1)).contains(&height) {
            self.seen.entry(height).or_insert_with(Instant::now);
        }
    }

    /// Notes that `height` is committed. Returns the time since its first block was seen, or `None`
    /// if block sync brought it.
    pub(super) fn committed(&mut self, height: Height) -> Option<Duration> {
        let later = self.seen.split_off(&height.saturating_add(1));
        let mut seen = std::mem::replace(&mut self.seen, later);
        seen.remove(&height).map(|at| at.elapsed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_heights_under_way_are_kept() {
        let mut proposals = Proposals::default();
        for height in [4, 5, 6, 7] {
            proposals.note(height, 5);
        }
        assert_eq!(proposals.seen.keys().copied().collect::<Vec<_>>(), [5, 6]);
        assert!(proposals.committed(5).is_some());
        assert!(proposals.committed(5).is_none());
        assert!(proposals.committed(8).is_none());
        assert!(proposals.seen.is_empty());
    }
}
