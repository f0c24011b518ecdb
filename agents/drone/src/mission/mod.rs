//! Missions: reads the points to visit from files of common formats.
//!
//! Several rows of one id are **one** task. A pickup (positive demand) and its delivery (negative
//! demand) are flown by one drone, pickups first, otherwise in the order of the file. The load to
//! carry is the sum of all pickups or the sum of all deliveries, whichever is larger.

mod csv_file;
mod error;
mod geojson;
mod plan;
mod row;
mod time;
mod value;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::path::Path;

use quorate_types::{Capabilities, Label, TaskSpec, limits};

pub use error::{FILE_BYTES, Location, MissionError, Problem};

use crate::geo::Point;
use crate::task::DroneTask;
use row::Row;

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

impl Mission {
    /// Reads a file. The formats `.csv`, `.geojson` and `.plan` are recognised by the name of the
    /// file, others by its contents.
    ///
    /// # Errors
    /// [`MissionError`], which names the file, the place and a remedy.
    pub fn read(path: &Path) -> Result<Self, MissionError> {
        let file = path.display().to_string();
        let text = text_of(path).map_err(|problem| MissionError::whole(&file, problem))?;
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

fn check(file: &str, tasks: &[MissionTask]) -> Result<(), MissionError> {
    if tasks.is_empty() {
        return Err(MissionError::whole(file, Problem::Empty));
    }

    if tasks.len() as u64 > limits::OPEN_TASKS_PER_REQUESTER {
        return Err(MissionError::whole(file, Problem::TooMany(tasks.len())));
    }

    for MissionTask { task, .. } in tasks {
        check_payload(task).map_err(|problem| MissionError::whole(file, problem))?;
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

#[cfg(test)]
mod tests;
