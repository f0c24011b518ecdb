//! Errors in scenario files: the place, the mistake, and the remedy.

use std::ops::{Range, RangeInclusive};

use toml::Spanned;

use crate::world::PlanError;

/// The reason why a scenario is not valid. Lines count from 1.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScenarioError {
    /// The text is not TOML, or a key is unknown, missing or of the wrong type.
    #[error("line {line}: {message}")]
    Form {
        /// The line of the mistake.
        line: usize,
        /// The parser's message.
        message: String,
    },
    /// A name that does not exist.
    #[error(
        "line {line}: no {what} is called `{name}`; there are: {}",
        list(known)
    )]
    Unknown {
        /// The line of the name.
        line: usize,
        /// The kind of thing: `validator`, `agent`, `region` or `fault`.
        what: &'static str,
        /// The name as written.
        name: String,
        /// The names that exist.
        known: Vec<String>,
    },
    /// A name that exists twice.
    #[error("line {line}: `{name}` is the name of another {what} already; give each its own")]
    Twice {
        /// The line of the second one.
        line: usize,
        /// The kind of thing: `validator`, `agent` or `region`.
        what: &'static str,
        /// The name as written.
        name: String,
    },
    /// A label or name with characters or of a length that labels cannot have.
    #[error("line {line}: `{name}` is not a valid label: use 1 to 32 of a-z, 0-9, `-`, `_`, `.`")]
    Label {
        /// The line of the label.
        line: usize,
        /// The label as written.
        name: String,
    },
    /// A fault lacks a key that its kind needs.
    #[error("line {line}: a fault `{kind}` needs `{key}`")]
    Missing {
        /// The line of the fault's kind.
        line: usize,
        /// The kind of fault.
        kind: String,
        /// The key to add.
        key: &'static str,
    },
    /// A fault has a key that its kind does not take.
    #[error(
        "line {line}: a fault `{kind}` does not take `{key}`; it takes: {}",
        list(takes)
    )]
    Superfluous {
        /// The line of the fault's kind.
        line: usize,
        /// The kind of fault.
        kind: String,
        /// The key to remove.
        key: &'static str,
        /// The keys that the kind takes.
        takes: Vec<String>,
    },
    /// A fault that would begin in the healed phase, when nothing new may go wrong.
    #[error(
        "line {line}: the fault at {at_ms} ms would never begin: from `heal_at` on, {heal_ms} ms, \
         nothing new goes wrong; move one of the two"
    )]
    Healed {
        /// The line of the fault's time.
        line: usize,
        /// The time of the fault, in milliseconds.
        at_ms: u64,
        /// The time at which the healed phase begins, in milliseconds.
        heal_ms: u64,
    },
    /// Two keys of which only one may be there.
    #[error("write `{0}`, or `{1}`, not both")]
    Both(&'static str, &'static str),
    /// A number out of range.
    #[error("{field}: {value} is out of range; write {least} to {most}")]
    Range {
        /// The name of the number.
        field: &'static str,
        /// The number as written.
        value: u64,
        /// The least value allowed.
        least: u64,
        /// The greatest value allowed.
        most: u64,
    },
    /// The round trips are not a row for each region with a time for each region.
    #[error(
        "links.round_trip_ms: write {regions} rows of {regions} numbers from 0 to 60000, one for \
         each region in the order of `regions`, or name a file in `round_trip_file`"
    )]
    Matrix {
        /// The number of regions.
        regions: usize,
    },
    /// The table has no round trip between two regions.
    #[error("the table has no round trip between `{from}` and `{to}`; add it")]
    NoRoundTrip {
        /// One of the regions.
        from: String,
        /// The other region.
        to: String,
    },
    /// The plan that the scenario makes is not valid.
    #[error(transparent)]
    Plan(#[from] PlanError),
}

impl ScenarioError {
    /// The error for a text that the parser refuses.
    pub(super) fn form(text: &str, error: &toml::de::Error) -> Self {
        let line = error.span().map_or(1, |span| line_of(text, &span));

        Self::Form {
            line,
            message: error.message().to_owned(),
        }
    }
}

/// The text of a scenario, in which lines are counted.
#[derive(Debug, Clone, Copy)]
pub(super) struct SourceText<'a>(pub(super) &'a str);

impl SourceText<'_> {
    /// The line on which a value is written.
    pub(super) fn line<T>(self, value: &Spanned<T>) -> usize {
        line_of(self.0, &value.span())
    }
}

/// The line of a position in a text, counted from 1.
pub(super) fn line_of(text: &str, span: &Range<usize>) -> usize {
    let before = text.as_bytes().get(..span.start).unwrap_or(text.as_bytes());
    1 + before.iter().filter(|byte| **byte == b'\n').count()
}

/// Checks that a number is in a range.
pub(super) fn ranged(
    field: &'static str,
    value: u64,
    range: RangeInclusive<u64>,
) -> Result<(), ScenarioError> {
    if range.contains(&value) {
        return Ok(());
    }

    let (least, most) = range.into_inner();
    Err(ScenarioError::Range {
        field,
        value,
        least,
        most,
    })
}

/// Names with commas between them, or `none`.
fn list(names: &[String]) -> String {
    match names {
        [] => "none".to_owned(),
        names => names.join(", "),
    }
}
