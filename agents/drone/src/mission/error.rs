//! The problems of mission files: the place, the problem and a remedy.

use std::fmt;

use quorate_types::{LabelError, limits};

/// The most bytes that a mission file may have.
pub const FILE_BYTES: u64 = 16 * 1024 * 1024;

/// The reason why a file is not a valid mission: the place, the problem and a remedy.
#[derive(Debug, thiserror::Error)]
#[error("{file}: {place}{problem}")]
pub struct MissionError {
    /// The path of the file.
    pub file: String,
    /// The place in the file.
    pub place: Location,
    /// The problem at this place.
    pub problem: Problem,
}

/// A place in a mission file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Location {
    /// The whole file.
    File,
    /// A line of a CSV file, counted from 1, and its column.
    Line(u64, &'static str),
    /// A feature of a GeoJSON file, counted from 1, and its property.
    Feature(u64, &'static str),
    /// An item of a plan, counted from 1, and its field.
    Item(u64, &'static str),
}

/// A problem in a mission file.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// The file cannot be read.
    #[error("cannot be read ({0}); check the path and its permissions")]
    Read(#[from] std::io::Error),
    /// The file is larger than [`FILE_BYTES`].
    #[error("{0} bytes exceed the limit of {FILE_BYTES}; split the mission")]
    TooLong(u64),
    /// The file is not valid CSV.
    #[error("not CSV ({0}); use commas, and quote fields that hold one")]
    Csv(#[from] csv::Error),
    /// The file is not valid JSON.
    #[error("not JSON ({0}); use GeoJSON, a QGroundControl plan, or CSV with a header")]
    Json(#[from] serde_json::Error),
    /// The file is JSON, but neither GeoJSON nor a plan.
    #[error("neither a GeoJSON FeatureCollection nor a QGroundControl plan")]
    Kind,
    /// The file has no task.
    #[error("no tasks; add at least one point")]
    Empty,
    /// The file has more tasks than a requester may have open.
    #[error("{0} tasks, at most {max}; split the mission", max = limits::OPEN_TASKS_PER_REQUESTER)]
    TooMany(usize),
    /// A required column or property is missing.
    #[error("missing; add it")]
    Missing,
    /// A value is not a number.
    #[error("`{0}` is not a number; write it with a decimal point and without units")]
    Number(String),
    /// A number is out of its range.
    #[error("{value} is out of range; write {range}")]
    Range {
        /// The value that was found.
        value: String,
        /// The range that is allowed.
        range: &'static str,
    },
    /// A value is not a time.
    #[error("`{0}` is not a time; write RFC 3339 as in 2020-07-04T08:00:00Z")]
    Time(String),
    /// A window ends before it begins.
    #[error("the window ends before it begins; exchange the two times")]
    Window,
    /// A label is not valid.
    #[error(transparent)]
    Label(#[from] LabelError),
    /// A geometry is not a point.
    #[error("`{0}` is not a Point; replace it by the point to fly to")]
    Geometry(String),
    /// The rows of one id do not fit into one task's payload.
    #[error("task `{id}` takes {bytes} bytes, at most {max}; give its rows different ids",
        max = limits::TASK_PAYLOAD_BYTES)]
    Payload {
        /// The id of the rows.
        id: String,
        /// The length of the payload in bytes.
        bytes: usize,
    },
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File => Ok(()),
            Self::Line(line, column) => write!(f, "line {line}, column {column}: "),
            Self::Feature(feature, property) => write!(f, "feature {feature}, {property}: "),
            Self::Item(item, field) => write!(f, "item {item}, {field}: "),
        }
    }
}

impl MissionError {
    /// Returns the error of a problem that concerns the whole file.
    pub(super) fn whole(file: &str, problem: Problem) -> Self {
        Self {
            file: file.to_owned(),
            place: Location::File,
            problem,
        }
    }
}
