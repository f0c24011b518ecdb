//! The counts of a run, as tiles in a row.

use std::fmt::Display;

use maud::{Markup, Render, html};

/// A count of the run with its name.
pub(super) struct Tile {
    name: &'static str,
    number: String,
    /// The whole that the count is a part of; empty if it is not a part.
    whole: String,
    /// Whether the tile is marked.
    warn: bool,
}

impl Tile {
    pub(super) fn number(name: &'static str, number: impl Display) -> Self {
        Self {
            name,
            number: number.to_string(),
            whole: String::new(),
            warn: false,
        }
    }

    /// Returns a tile of a part and its whole. It is marked if the part is the smaller one, such as
    /// certificates that verified if others did not.
    pub(super) fn part<T: Display + PartialOrd>(name: &'static str, part: T, whole: T) -> Self {
        Self {
            name,
            number: part.to_string(),
            whole: whole.to_string(),
            warn: part < whole,
        }
    }
}

impl Render for Tile {
    fn render(&self) -> Markup {
        html! {
            li class=[self.warn.then_some("warn")] {
                b {
                    (self.number)
                    @if !self.whole.is_empty() {
                        small { "/" (self.whole) }
                    }
                }
                span { (self.name) }
            }
        }
    }
}
