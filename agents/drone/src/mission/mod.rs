//! Missions: reads the points to visit from files of common formats.
//!
//! Several rows of one id are **one** task. A pickup (positive demand) and its delivery (negative
//! demand) are flown by one drone, pickups first, otherwise in the order of the file. The load to
//! carry is the sum of all pickups or the sum of all deliveries, whichever is larger.

mod csv_file;
mod geojson;
mod plan;
mod time;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fmt;
use std::path::Path;

use quorate_types::{Capabilities, Label, LabelError, TaskSpec, limits};

use crate::{DroneTask, Point, Visit};

/// The most bytes that a mission file may have.
pub const FILE_BYTES: u64 = 16 * 1024 * 1024;

/// Tasks for drones, read from a file.
#[derive(Debug, Clone, PartialEq)]
pub struct Mission {
    /// The name of the file.
    pub name: String,
    /// Unix seconds at which the mission begins: the earliest time of any window; 0 if there is
    /// none.
    pub begins: i64,
    /// The tasks, in the order of the file.
    pub tasks: Vec<MissionTask>,
}

/// One task of a mission.
#[derive(Debug, Clone, PartialEq)]
pub struct MissionTask {
    /// The task for the drone. Its windows count from the beginning of the mission.
    pub task: DroneTask,
    /// The labels that the drone must have by attestation.
    pub requires: BTreeSet<Label>,
}

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

impl Mission {
    /// Reads a file. The formats `.csv`, `.geojson` and `.plan` are recognised by the name of the
    /// file, others by its contents.
    ///
    /// # Errors
    /// [`MissionError`], which names the file, the place and a remedy.
    pub fn read(path: &Path) -> Result<Self, MissionError> {
        let file = path.display().to_string();
        let text = text_of(path).map_err(|problem| whole(&file, problem))?;
        Self::parse(&file, &text)
    }

    /// Parses the contents of a file of this name.
    ///
    /// # Errors
    /// The errors of [`Self::read`].
    pub fn parse(file: &str, text: &str) -> Result<Self, MissionError> {
        match extension(file).as_deref() {
            Some("csv") => Self::from_csv(file, text),
            Some("geojson") => Self::from_geojson(file, text),
            Some("plan") => Self::from_plan(file, text),
            _ => Self::from_contents(file, text),
        }
    }

    /// Parses contents whose format the name of the file does not tell.
    fn from_contents(file: &str, text: &str) -> Result<Self, MissionError> {
        let start = text.trim_start_matches('\u{feff}').trim_start();

        // The first character tells JSON from CSV.
        if !start.starts_with('{') {
            return Self::from_csv(file, text);
        }

        match plan::is_plan(text) {
            true => Self::from_plan(file, text),
            false => Self::from_geojson(file, text),
        }
    }

    /// Parses CSV with a header. The columns are `ID`, `LAT`, `LNG` and, optionally, `DEMAND`
    /// (grams), `DURATION` (minutes), `TW_START`, `TW_END` (RFC 3339) and `REQUIRES` (labels,
    /// separated by blanks), in any order and case. Other columns are ignored.
    ///
    /// # Errors
    /// The errors of [`Self::read`].
    pub fn from_csv(file: &str, text: &str) -> Result<Self, MissionError> {
        Self::assemble(file, csv_file::rows(file, text)?)
    }

    /// Parses a GeoJSON (RFC 7946) FeatureCollection of Points. The properties are `id`, `demand`
    /// (grams), `duration` (minutes), `tw_start`, `tw_end` (RFC 3339) and `requires` (a list of
    /// labels). All are optional; a feature without an id is named after its position.
    ///
    /// # Errors
    /// The errors of [`Self::read`].
    pub fn from_geojson(file: &str, text: &str) -> Result<Self, MissionError> {
        Self::assemble(file, geojson::rows(file, text)?)
    }

    /// Parses the waypoints of a QGroundControl plan. Each becomes a task.
    ///
    /// # Errors
    /// The errors of [`Self::read`].
    pub fn from_plan(file: &str, text: &str) -> Result<Self, MissionError> {
        Self::assemble(file, plan::rows(file, text)?)
    }

    /// Returns the centre of all points, which suits a depot; `None` if there is no task.
    pub fn center(&self) -> Option<Point> {
        let points = self.points();
        if points.is_empty() {
            return None;
        }

        let lat = mean(&points, |point| point.lat);
        let lng = mean(&points, |point| point.lng);
        Some(Point::new(lat, lng))
    }

    fn points(&self) -> Vec<Point> {
        let visits = self.tasks.iter().flat_map(|mission| mission.task.visits());
        visits.map(|visit| visit.point).collect()
    }

    fn assemble(file: &str, rows: Vec<Row>) -> Result<Self, MissionError> {
        // The mission begins with the earliest time of any window.
        let times = rows
            .iter()
            .flat_map(|row| [row.window.0, row.window.1])
            .flatten();
        let begins = times.min().unwrap_or(0);

        let tasks: Vec<_> = groups(rows)
            .into_iter()
            .filter_map(|rows| MissionTask::of_rows(rows, begins))
            .collect();
        check(file, &tasks)?;

        Ok(Self {
            name: file.to_owned(),
            begins,
            tasks,
        })
    }
}

/// Reads a file, unless it is too long.
fn text_of(path: &Path) -> Result<String, Problem> {
    // The size is checked before the file is read into memory.
    let bytes = std::fs::metadata(path)?.len();
    if bytes > FILE_BYTES {
        return Err(Problem::TooLong(bytes));
    }

    Ok(std::fs::read_to_string(path)?)
}

/// Returns the mean of a coordinate of these points.
fn mean(points: &[Point], of: fn(&Point) -> f64) -> f64 {
    points.iter().map(of).sum::<f64>() / points.len() as f64
}

/// Returns the extension of a file's name in lower case.
fn extension(file: &str) -> Option<String> {
    let extension = Path::new(file).extension().and_then(OsStr::to_str);
    extension.map(str::to_ascii_lowercase)
}

/// Groups rows by their ids, in the order in which the ids occur first.
fn groups(rows: Vec<Row>) -> Vec<Vec<Row>> {
    let mut order = Vec::new();
    let mut groups: BTreeMap<String, Vec<Row>> = BTreeMap::new();

    for row in rows {
        let group = groups.entry(row.id.clone()).or_default();
        if group.is_empty() {
            order.push(row.id.clone());
        }
        group.push(row);
    }

    order
        .into_iter()
        .filter_map(|id| groups.remove(&id))
        .collect()
}

impl MissionTask {
    /// Returns the specification to submit: the payload, the labels, and `payload_g` if there is
    /// something to carry.
    pub fn spec(&self, market: Label) -> TaskSpec {
        let mut spec = TaskSpec::new(market);
        spec.requires = Capabilities {
            labels: self.requires.clone(),
            ..Capabilities::default()
        };

        if self.task.demand_g > 0
            && let Ok(dimension) = "payload_g".parse()
        {
            spec.requires.amounts.insert(dimension, self.task.demand_g);
        }

        spec.payload.0 = self.task.to_payload();
        spec
    }

    /// Joins the rows of one id; returns `None` if there are no rows.
    fn of_rows(mut rows: Vec<Row>, begins: i64) -> Option<Self> {
        // Pickups come first. The sort is stable, so the order of the file is kept otherwise.
        rows.sort_by_key(|row| row.demand < 0);

        let demand_g = load(&rows);
        let requires = rows
            .iter()
            .flat_map(|row| row.requires.iter().cloned())
            .collect();

        let mut visits = rows.iter().map(|row| row.visit(begins));
        let visit = visits.next()?;
        let then = visits.collect();
        let id = rows.first()?.id.clone();

        Some(Self {
            task: DroneTask {
                id,
                visit,
                demand_g,
                then,
            },
            requires,
        })
    }
}

/// Returns the grams to carry: all pickups or all deliveries, whichever is more.
fn load(rows: &[Row]) -> i64 {
    let sum = |sign: i64| -> i64 { rows.iter().map(|row| (row.demand * sign).max(0)).sum() };
    sum(1).max(sum(-1))
}

impl Row {
    fn visit(&self, begins: i64) -> Visit {
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

fn check(file: &str, tasks: &[MissionTask]) -> Result<(), MissionError> {
    if tasks.is_empty() {
        return Err(whole(file, Problem::Empty));
    }

    if tasks.len() as u64 > limits::OPEN_TASKS_PER_REQUESTER {
        return Err(whole(file, Problem::TooMany(tasks.len())));
    }

    for MissionTask { task, .. } in tasks {
        check_payload(task).map_err(|problem| whole(file, problem))?;
    }

    Ok(())
}

fn check_payload(task: &DroneTask) -> Result<(), Problem> {
    let bytes = task.to_payload().len();
    if bytes > limits::TASK_PAYLOAD_BYTES {
        let id = task.id.clone();
        return Err(Problem::Payload { id, bytes });
    }

    Ok(())
}

fn whole(file: &str, problem: Problem) -> MissionError {
    MissionError {
        file: file.to_owned(),
        place: Location::File,
        problem,
    }
}

/// Checks of single values, the same for all formats.
pub(crate) mod value {
    use super::{Problem, time};

    /// The range of a demand in grams, at most a tonne in either direction.
    pub(crate) const DEMAND: &str = "whole grams, -1000000 to 1000000";

    pub(crate) fn latitude(value: f64) -> Result<f64, Problem> {
        within(value, 90.0, "degrees, -90 to 90")
    }

    pub(crate) fn longitude(value: f64) -> Result<f64, Problem> {
        within(value, 180.0, "degrees, -180 to 180")
    }

    pub(crate) fn demand(value: f64) -> Result<i64, Problem> {
        if value.fract() != 0.0 {
            return Err(Problem::Range {
                value: value.to_string(),
                range: DEMAND,
            });
        }
        within(value, 1_000_000.0, DEMAND).map(|grams| grams as i64)
    }

    /// Converts minutes into whole seconds.
    pub(crate) fn duration(value: f64) -> Result<u32, Problem> {
        let range = "minutes, 0 to 1440";
        let minutes = within(value, 1440.0, range)?;

        if minutes < 0.0 {
            return Err(Problem::Range {
                value: value.to_string(),
                range,
            });
        }
        Ok((minutes * 60.0).round() as u32)
    }

    pub(crate) fn moment(text: &str) -> Result<i64, Problem> {
        time::parse(text).ok_or_else(|| Problem::Time(text.chars().take(40).collect()))
    }

    pub(crate) fn window(window: (Option<i64>, Option<i64>)) -> Result<(), Problem> {
        match window {
            (Some(from), Some(to)) if to < from => Err(Problem::Window),
            _ => Ok(()),
        }
    }

    fn within(value: f64, limit: f64, range: &'static str) -> Result<f64, Problem> {
        if value.abs() <= limit {
            Ok(value)
        } else {
            Err(Problem::Range {
                value: value.to_string(),
                range,
            })
        }
    }
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

#[cfg(test)]
mod tests;
