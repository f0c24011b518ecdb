//! What is wrong with a scenario, where, and what to write instead.

use std::ops::{Range, RangeInclusive};

use toml::Spanned;

use crate::world::PlanError;

/// Why a scenario makes no plan. Lines count from 1.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScenarioError {
    /// No TOML, or a key that is unknown, missing or of another kind.
    #[error("line {line}: {message}")]
    Form {
        /// Line.
        line: usize,
        /// What the parser says.
        message: String,
    },
    /// A name that nothing has.
    #[error(
        "line {line}: no {what} is called `{name}`; there are: {}",
        list(known)
    )]
    Unknown {
        /// Line.
        line: usize,
        /// `validator`, `agent`, `region` or `fault`.
        what: &'static str,
        /// As written.
        name: String,
        /// The names there are.
        known: Vec<String>,
    },
    /// A name that two have.
    #[error("line {line}: `{name}` is the name of another {what} already; give each its own")]
    Twice {
        /// Line.
        line: usize,
        /// `validator`, `agent` or `region`.
        what: &'static str,
        /// As written.
        name: String,
    },
    /// A label or name that is none.
    #[error("line {line}: `{name}` is no label: write 1 to 32 of a-z, 0-9, `-`, `_`, `.`")]
    Label {
        /// Line.
        line: usize,
        /// As written.
        name: String,
    },
    /// A fault lacks what it needs.
    #[error("line {line}: a fault `{kind}` needs `{key}`")]
    Missing {
        /// Line.
        line: usize,
        /// Kind of fault.
        kind: String,
        /// The key to add.
        key: &'static str,
    },
    /// A fault has what says nothing about it.
    #[error(
        "line {line}: `{key}` says nothing about a fault `{kind}`, which takes: {}",
        list(takes)
    )]
    Superfluous {
        /// Line.
        line: usize,
        /// Kind of fault.
        kind: String,
        /// The key to remove.
        key: &'static str,
        /// The keys it takes.
        takes: Vec<String>,
    },
    /// A fault that would begin when nothing new may go wrong.
    #[error(
        "line {line}: a fault at {at_ms} ms would never begin: from `heal_at`, {heal_ms} ms, \
         nothing new goes wrong; move one of them"
    )]
    Healed {
        /// Line.
        line: usize,
        /// When the fault is to begin.
        at_ms: u64,
        /// When nothing new goes wrong any more.
        heal_ms: u64,
    },
    /// Two keys that say the same thing.
    #[error("write `{0}`, or `{1}`, not both")]
    Both(&'static str, &'static str),
    /// A number out of range.
    #[error("{field}: {value} is out of range: {least} to {most}")]
    Range {
        /// Which number.
        field: &'static str,
        /// As written.
        value: u64,
        /// The least there may be.
        least: u64,
        /// The most there may be.
        most: u64,
    },
    /// Round trips are not as many as regions, or no times.
    #[error(
        "links.round_trip_ms: write {regions} rows of {regions} numbers from 0 to 60000, one for \
         each region in the order of `regions`, or name a file in `round_trip_file`"
    )]
    Matrix {
        /// How many regions there are.
        regions: usize,
    },
    /// The table has no round trip between two regions.
    #[error("the table of round trips has none between `{from}` and `{to}`; add it")]
    NoRoundTrip {
        /// A region.
        from: String,
        /// Another.
        to: String,
    },
    /// The plan makes no world.
    #[error(transparent)]
    Plan(#[from] PlanError),
}

impl ScenarioError {
    pub(super) fn form(text: &str, error: &toml::de::Error) -> Self {
        let line = error.span().map_or(1, |span| line_of(text, &span));
        Self::Form {
            line,
            message: error.message().to_owned(),
        }
    }
}

/// The text of a scenario, to find lines in.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a>(pub(super) &'a str);

impl Place<'_> {
    /// The line that a value stands on.
    pub(super) fn line<T>(self, value: &Spanned<T>) -> usize {
        line_of(self.0, &value.span())
    }
}

/// The line of a position, from 1.
pub(super) fn line_of(text: &str, span: &Range<usize>) -> usize {
    let before = text.as_bytes().get(..span.start).unwrap_or(text.as_bytes());
    1 + before.iter().filter(|byte| **byte == b'\n').count()
}

/// Checks a number.
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

fn list(names: &[String]) -> String {
    match names {
        [] => "none".to_owned(),
        names => names.join(", "),
    }
}
