//! One row of a mission file, in whatever format.

use std::collections::BTreeSet;

use quorate_types::Label;

use crate::geo::Point;
use crate::task::Visit;

/// The contents of one row, feature or item, before the rows of one id are joined.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Row {
    pub(crate) id: String,
    pub(crate) lat: f64,
    pub(crate) lng: f64,
    pub(crate) demand: i64,
    pub(crate) service_s: u32,
    /// The window in Unix seconds. Either end may be open.
    pub(crate) window: (Option<i64>, Option<i64>),
    pub(crate) requires: BTreeSet<Label>,
}

impl Row {
    /// Returns the visit of the row, in a mission that begins at this Unix second.
    pub(super) fn visit(&self, begins: i64) -> Visit {
        // An open beginning is the start of the mission, and an open end is never reached.
        let window = match self.window {
            (None, None) => None,
            (from, to) => Some((
                from.map_or(0, |from| from.saturating_sub(begins)),
                to.map_or(i64::from(u32::MAX), |to| to.saturating_sub(begins)),
            )),
        };

        Visit {
            point: Point::new(self.lat, self.lng),
            service_s: self.service_s,
            window,
        }
    }
}
