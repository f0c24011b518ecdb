//! Regions, and how long frames take between them.

use std::collections::BTreeMap;

use quorate_types::Millis;

use super::error::{Place, ScenarioError, ranged};
use super::form::{Links, Name};
use crate::plan::LinkPlan;

/// Without regions there is one, of this name.
const ONE_REGION: &str = "here";
/// Milliseconds there and back within the only region.
const NEAR: f64 = 2.0;
/// Milliseconds there and back at most.
const FAR: f64 = 60_000.0;

/// Round trips between regions in milliseconds, as measured.
///
/// Two forms, told apart by the first character. JSON: `{"data": {"a": {"a": 0.4, "b": 12.8}}}`,
/// as published for data centres; other keys beside `data` are ignored. CSV: a header of regions
/// behind one cell of any text, then a row for each region, its name first. What is missing in one
/// direction is taken from the other.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RoundTrips(BTreeMap<String, BTreeMap<String, f64>>);

/// Why a text is no table of round trips.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RoundTripsError {
    /// Not the JSON it must be.
    #[error("line {line}: {message}; write {{\"data\": {{\"REGION\": {{\"REGION\": MS}}}}}}")]
    Json {
        /// Line, from 1.
        line: usize,
        /// What the parser says.
        message: String,
    },
    /// A row of a CSV has more cells than the header.
    #[error("line {line}: more cells than the header names regions")]
    Row {
        /// Line, from 1.
        line: usize,
    },
    /// A cell is no time.
    #[error("line {line}: `{cell}` is no number of milliseconds from 0 to 60000")]
    Number {
        /// Line, from 1; 0 in JSON.
        line: usize,
        /// As written.
        cell: String,
    },
}

#[derive(serde::Deserialize)]
struct Json {
    data: BTreeMap<String, BTreeMap<String, f64>>,
}

impl RoundTrips {
    /// Reads either form.
    ///
    /// # Errors
    /// [`RoundTripsError`] with the line.
    pub fn parse(text: &str) -> Result<Self, RoundTripsError> {
        match text.trim_start().starts_with('{') {
            true => Self::from_json(text),
            false => Self::from_csv(text),
        }
    }

    fn from_json(text: &str) -> Result<Self, RoundTripsError> {
        let json: Json = serde_json::from_str(text).map_err(|error| RoundTripsError::Json {
            line: error.line(),
            message: error.to_string(),
        })?;
        match json
            .data
            .values()
            .flat_map(BTreeMap::values)
            .find(|time| !is_time(**time))
        {
            Some(time) => Err(RoundTripsError::Number {
                line: 0,
                cell: time.to_string(),
            }),
            None => Ok(Self(json.data)),
        }
    }

    fn from_csv(text: &str) -> Result<Self, RoundTripsError> {
        let mut lines = text
            .lines()
            .enumerate()
            .filter(|(_, line)| !line.trim().is_empty());
        let header = lines.next().map_or("", |(_, line)| line);
        let regions: Vec<&str> = header.split(',').skip(1).map(str::trim).collect();
        let mut table = BTreeMap::new();
        for (at, line) in lines {
            let line_number = at + 1;
            let mut cells = line.split(',').map(str::trim);
            let from = cells.next().unwrap_or_default();
            let mut row = BTreeMap::new();
            for (at, cell) in cells.enumerate().filter(|(_, cell)| !cell.is_empty()) {
                let to = regions
                    .get(at)
                    .ok_or(RoundTripsError::Row { line: line_number })?;
                let time = cell.parse().ok().filter(|time| is_time(*time));
                let wrong = || RoundTripsError::Number {
                    line: line_number,
                    cell: cell.to_owned(),
                };
                row.insert((*to).to_owned(), time.ok_or_else(wrong)?);
            }
            table.insert(from.to_owned(), row);
        }
        Ok(Self(table))
    }

    fn between(&self, from: &str, to: &str) -> Option<f64> {
        let one_way = |from: &str, to: &str| self.0.get(from)?.get(to).copied();
        one_way(from, to).or_else(|| one_way(to, from))
    }
}

fn is_time(time: f64) -> bool {
    (0.0..=FAR).contains(&time)
}

/// The links of a plan, and the names of its regions.
#[derive(Debug)]
pub(super) struct Regions {
    pub(super) plan: LinkPlan,
}

impl Regions {
    pub(super) fn of(
        links: &Links,
        table: Option<&RoundTrips>,
        place: Place<'_>,
    ) -> Result<Self, ScenarioError> {
        ranged("links.loss_permille", links.loss_permille, 0..=1000)?;
        ranged(
            "links.duplicate_permille",
            links.duplicate_permille,
            0..=1000,
        )?;
        ranged("links.flip_permille", links.flip_permille, 0..=1000)?;
        if let Some(rate) = links.bytes_per_ms {
            ranged("links.bytes_per_ms", rate, 1..=u64::MAX)?;
        }
        if links.round_trip_ms.is_some() && links.round_trip_file.is_some() {
            return Err(ScenarioError::Both(
                "links.round_trip_ms",
                "links.round_trip_file",
            ));
        }
        let regions = names(links, table, place)?;
        let latency_ms = match (&links.round_trip_ms, table) {
            (Some(matrix), _) => from_matrix(matrix, &regions)?,
            (None, Some(table)) => from_table(table, &regions)?,
            (None, None) if regions.len() == 1 => vec![vec![one_way(NEAR)]],
            (None, None) => {
                return Err(ScenarioError::Matrix {
                    regions: regions.len(),
                });
            }
        };
        let plan = LinkPlan {
            regions,
            latency_ms,
            jitter_ms: links.jitter.map_or(1, |jitter| jitter.millis()),
            loss_permille: links.loss_permille,
            duplicate_permille: links.duplicate_permille,
            flip_permille: links.flip_permille,
            bytes_per_ms: links.bytes_per_ms,
        };
        Ok(Self { plan })
    }

    /// The index of a region; the first where none is named.
    pub(super) fn find(
        &self,
        name: Option<&Name>,
        place: Place<'_>,
    ) -> Result<usize, ScenarioError> {
        match name {
            Some(name) => find(&self.plan, name, place),
            None => Ok(0),
        }
    }
}

/// The index of a region of a plan.
pub(super) fn find(
    links: &LinkPlan,
    name: &Name,
    place: Place<'_>,
) -> Result<usize, ScenarioError> {
    let found = links
        .regions
        .iter()
        .position(|region| region == name.get_ref());
    found.ok_or_else(|| ScenarioError::Unknown {
        line: place.line(name),
        what: "region",
        name: name.get_ref().clone(),
        known: links.regions.clone(),
    })
}

/// The regions that are listed, else all of the table, else one.
fn names(
    links: &Links,
    table: Option<&RoundTrips>,
    place: Place<'_>,
) -> Result<Vec<String>, ScenarioError> {
    let mut names: Vec<String> = Vec::new();
    for name in links.regions.iter().flatten() {
        if names.contains(name.get_ref()) {
            let (line, name) = (place.line(name), name.get_ref().clone());
            return Err(ScenarioError::Twice {
                line,
                what: "region",
                name,
            });
        }
        names.push(name.get_ref().clone());
    }
    if names.is_empty() {
        names.extend(table.iter().flat_map(|table| table.0.keys().cloned()));
    }
    if names.is_empty() {
        names.push(ONE_REGION.to_owned());
    }
    Ok(names)
}

fn from_matrix(matrix: &[Vec<f64>], regions: &[String]) -> Result<Vec<Vec<Millis>>, ScenarioError> {
    let count = regions.len();
    let square = matrix.len() == count && matrix.iter().all(|row| row.len() == count);
    if !square || !matrix.iter().flatten().all(|time| is_time(*time)) {
        return Err(ScenarioError::Matrix { regions: count });
    }
    Ok(matrix
        .iter()
        .map(|row| row.iter().copied().map(one_way).collect())
        .collect())
}

fn from_table(table: &RoundTrips, regions: &[String]) -> Result<Vec<Vec<Millis>>, ScenarioError> {
    let cell = |from: &String, to: &String| {
        let none = || ScenarioError::NoRoundTrip {
            from: from.clone(),
            to: to.clone(),
        };
        table.between(from, to).map(one_way).ok_or_else(none)
    };
    regions
        .iter()
        .map(|from| regions.iter().map(|to| cell(from, to)).collect())
        .collect()
}

/// Half a round trip, at least a millisecond.
fn one_way(round_trip: f64) -> Millis {
    // At most 30,000: checked by `is_time`.
    ((round_trip / 2.0).round() as Millis).max(1)
}
