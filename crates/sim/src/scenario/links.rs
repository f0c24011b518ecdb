//! The regions of a scenario, and the latencies between them.

use std::collections::BTreeMap;

use quorate_types::Millis;

use super::error::{ScenarioError, SourceText, ranged};
use super::form::{Links, Name};
use crate::plan::LinkPlan;

/// The name of the only region, if the file names none.
const ONE_REGION: &str = "here";
/// The round trip within the only region, in milliseconds.
const NEAR: f64 = 2.0;
/// The longest round trip, in milliseconds.
const FAR: f64 = 60_000.0;

/// A table of measured round trips between regions, in milliseconds.
///
/// It has two forms, told apart by the first character. JSON is
/// `{"data": {"a": {"a": 0.4, "b": 12.8}}}`, the form in which tables of data centres are
/// published; other keys beside `data` are ignored. CSV has a header with one cell of any text and
/// then the regions, and below it a row for each region, which begins with its name. A time that is
/// missing in one direction is taken from the other.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RoundTrips(BTreeMap<String, BTreeMap<String, f64>>);

/// The reason why a text is not a valid table of round trips.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RoundTripsError {
    /// The JSON is not of the form that it must have.
    #[error("line {line}: {message}; write {{\"data\": {{\"REGION\": {{\"REGION\": MS}}}}}}")]
    Json {
        /// The line, counted from 1.
        line: usize,
        /// The parser's message.
        message: String,
    },
    /// A row of the CSV has more cells than the header.
    #[error("line {line}: more cells than in the header; write one for each of its regions")]
    Row {
        /// The line, counted from 1.
        line: usize,
    },
    /// A cell is not a valid time.
    #[error("line {line}: `{cell}` is not a number of milliseconds from 0 to 60000")]
    Number {
        /// The line, counted from 1; 0 in JSON.
        line: usize,
        /// The cell as written.
        cell: String,
    },
}

/// The JSON form of a table.
#[derive(serde::Deserialize)]
struct Json {
    data: BTreeMap<String, BTreeMap<String, f64>>,
}

impl RoundTrips {
    /// Reads a table in either form.
    ///
    /// # Errors
    /// [`RoundTripsError`] with the line of the mistake.
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

        // JSON numbers may also be negative, or too large.
        let mut times = json.data.values().flat_map(BTreeMap::values);

        match times.find(|time| !is_time(**time)) {
            Some(time) => Err(RoundTripsError::Number {
                line: 0,
                cell: time.to_string(),
            }),

            None => Ok(Self(json.data)),
        }
    }

    fn from_csv(text: &str) -> Result<Self, RoundTripsError> {
        let lines = text.lines().enumerate();
        let mut lines = lines.filter(|(_, line)| !line.trim().is_empty());

        // The first cell of the header stands above the names of the rows.
        let header = lines.next().map_or("", |(_, line)| line);
        let regions: Vec<&str> = trimmed_cells(header).skip(1).collect();

        let mut table = BTreeMap::new();

        for (at, line) in lines {
            let mut cells = trimmed_cells(line);
            let from = cells.next().unwrap_or_default();
            let row = csv_row(at + 1, cells, &regions)?;

            table.insert(from.to_owned(), row);
        }

        Ok(Self(table))
    }

    /// The round trip between two regions, by either direction.
    fn between(&self, from: &str, to: &str) -> Option<f64> {
        let one_way = |from: &str, to: &str| self.0.get(from)?.get(to).copied();
        one_way(from, to).or_else(|| one_way(to, from))
    }
}

/// The cells of a line of CSV, without the spaces around them.
fn trimmed_cells(line: &str) -> impl Iterator<Item = &str> {
    line.split(',').map(str::trim)
}

/// The times in the cells of a row of CSV, by the region of each column.
fn csv_row<'a>(
    line: usize,
    cells: impl Iterator<Item = &'a str>,
    regions: &[&str],
) -> Result<BTreeMap<String, f64>, RoundTripsError> {
    let mut row = BTreeMap::new();

    for (at, cell) in cells.enumerate() {
        // An empty cell is a time that is missing.
        if cell.is_empty() {
            continue;
        }

        let Some(to) = regions.get(at) else {
            return Err(RoundTripsError::Row { line });
        };

        let time = cell.parse().ok().filter(|time| is_time(*time));

        let Some(time) = time else {
            return Err(RoundTripsError::Number {
                line,
                cell: cell.to_owned(),
            });
        };

        row.insert((*to).to_owned(), time);
    }

    Ok(row)
}

/// Whether a round trip is in the range that is allowed.
fn is_time(time: f64) -> bool {
    (0.0..=FAR).contains(&time)
}

/// The regions of a scenario: the links of its plan.
#[derive(Debug)]
pub(super) struct Regions {
    pub(super) plan: LinkPlan,
}

impl Regions {
    /// Checks the keys of `[links]` and computes the latencies.
    pub(super) fn of(
        links: &Links,
        table: Option<&RoundTrips>,
        place: SourceText<'_>,
    ) -> Result<Self, ScenarioError> {
        check_links(links)?;

        let regions = names(links, table, place)?;
        let latency_ms = latencies(links, table, &regions)?;

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

    /// The index of a region, or of the first one if no name is given.
    pub(super) fn find(
        &self,
        name: Option<&Name>,
        place: SourceText<'_>,
    ) -> Result<usize, ScenarioError> {
        match name {
            Some(name) => find(&self.plan, name, place),
            None => Ok(0),
        }
    }
}

/// Checks the numbers of `[links]`, and that round trips are written in one place only.
fn check_links(links: &Links) -> Result<(), ScenarioError> {
    let duplicated = links.duplicate_permille;

    ranged("links.loss_permille", links.loss_permille, 0..=1000)?;
    ranged("links.duplicate_permille", duplicated, 0..=1000)?;
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

    Ok(())
}

/// The index of a region in a plan.
pub(super) fn find(
    links: &LinkPlan,
    name: &Name,
    place: SourceText<'_>,
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

/// The names of the regions: those that are listed, otherwise all of the table, otherwise one.
fn names(
    links: &Links,
    table: Option<&RoundTrips>,
    place: SourceText<'_>,
) -> Result<Vec<String>, ScenarioError> {
    let mut names = listed_names(links, place)?;

    // Without a list, the regions are those of the table.
    if names.is_empty() {
        names.extend(table.iter().flat_map(|table| table.0.keys().cloned()));
    }

    if names.is_empty() {
        names.push(ONE_REGION.to_owned());
    }

    Ok(names)
}

/// The names of the regions that are listed. It is an error if one occurs twice.
fn listed_names(links: &Links, place: SourceText<'_>) -> Result<Vec<String>, ScenarioError> {
    let mut names = Vec::new();

    for region in links.regions.iter().flatten() {
        let name = region.get_ref();

        if names.contains(name) {
            return Err(ScenarioError::Twice {
                line: place.line(region),
                what: "region",
                name: name.clone(),
            });
        }

        names.push(name.clone());
    }

    Ok(names)
}

/// The latencies between the regions. The matrix in the scenario comes before a table.
fn latencies(
    links: &Links,
    table: Option<&RoundTrips>,
    regions: &[String],
) -> Result<Vec<Vec<Millis>>, ScenarioError> {
    match (&links.round_trip_ms, table) {
        (Some(matrix), _) => from_matrix(matrix, regions),
        (None, Some(table)) => from_table(table, regions),

        (None, None) if regions.len() == 1 => Ok(vec![vec![one_way(NEAR)]]),
        (None, None) => Err(ScenarioError::Matrix {
            regions: regions.len(),
        }),
    }
}

/// The latencies of a matrix that has a row and a column for each region.
fn from_matrix(matrix: &[Vec<f64>], regions: &[String]) -> Result<Vec<Vec<Millis>>, ScenarioError> {
    let count = regions.len();

    let is_valid = |row: &Vec<f64>| {
        let mut times = row.iter();
        row.len() == count && times.all(|time| is_time(*time))
    };

    if matrix.len() != count || !matrix.iter().all(is_valid) {
        return Err(ScenarioError::Matrix { regions: count });
    }

    let latencies = |row: &Vec<f64>| {
        let times = row.iter().copied();
        times.map(one_way).collect()
    };

    Ok(matrix.iter().map(latencies).collect())
}

/// The latencies that a table has between the regions.
fn from_table(table: &RoundTrips, regions: &[String]) -> Result<Vec<Vec<Millis>>, ScenarioError> {
    let cell = |from: &String, to: &String| {
        let time = table.between(from, to);

        time.map(one_way).ok_or_else(|| ScenarioError::NoRoundTrip {
            from: from.clone(),
            to: to.clone(),
        })
    };

    let row = |from| {
        let cells = regions.iter().map(|to| cell(from, to));
        cells.collect()
    };

    regions.iter().map(row).collect()
}

/// Half a round trip in whole milliseconds, at least 1.
fn one_way(round_trip: f64) -> Millis {
    // It fits: `is_time` allows no more than 60,000.
    ((round_trip / 2.0).round() as Millis).max(1)
}
