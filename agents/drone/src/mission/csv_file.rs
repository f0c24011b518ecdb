//! Reads missions from CSV (RFC 4180) with a header.

use std::collections::BTreeSet;

use csv::StringRecord;
use quorate_types::Label;

use super::error::{Location, MissionError, Problem};
use super::row::Row;
use super::value;

/// Reads one row for each line after the header.
pub(super) fn rows(file: &str, text: &str) -> Result<Vec<Row>, MissionError> {
    // Some programs begin a text file with a byte order mark.
    let text = text.trim_start_matches('\u{feff}');
    let mut reader = csv::ReaderBuilder::new()
        .trim(csv::Trim::All)
        .flexible(true)
        .from_reader(text.as_bytes());

    let failed = |error: csv::Error| MissionError::whole(file, error.into());
    let header = reader.headers().map_err(failed)?;
    let columns = Columns::find(file, header)?;

    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.map_err(failed)?;
        let line = Line {
            file,
            line: record.position().map_or(0, csv::Position::line),
            record: &record,
            columns: &columns,
        };

        rows.push(line.row()?);
    }

    Ok(rows)
}

/// The positions of the known columns.
struct Columns {
    id: usize,
    lat: usize,
    lng: usize,
    demand: Option<usize>,
    duration: Option<usize>,
    from: Option<usize>,
    to: Option<usize>,
    requires: Option<usize>,
}

impl Columns {
    fn find(file: &str, header: &StringRecord) -> Result<Self, MissionError> {
        let find = |name: &str| {
            header
                .iter()
                .position(|field| field.eq_ignore_ascii_case(name))
        };

        let must = |name: &'static str| {
            find(name).ok_or_else(|| MissionError {
                file: file.to_owned(),
                place: Location::Line(1, name),
                problem: Problem::Missing,
            })
        };

        Ok(Self {
            id: must("ID")?,
            lat: must("LAT")?,
            lng: must("LNG")?,
            demand: find("DEMAND"),
            duration: find("DURATION"),
            from: find("TW_START"),
            to: find("TW_END"),
            requires: find("REQUIRES"),
        })
    }
}

/// A line, with all that is needed to read it.
struct Line<'a> {
    file: &'a str,
    line: u64,
    record: &'a StringRecord,
    columns: &'a Columns,
}

impl Line<'_> {
    fn row(&self) -> Result<Row, MissionError> {
        let columns = self.columns;
        let id = self.must("ID", columns.id)?.to_owned();
        let lat = self.must("LAT", columns.lat)?;
        let lat = self.parse("LAT", lat, value::latitude)?;
        let lng = self.must("LNG", columns.lng)?;
        let lng = self.parse("LNG", lng, value::longitude)?;

        let demand = self
            .optional("DEMAND", columns.demand, value::demand)?
            .unwrap_or(0);
        let service_s = self
            .optional("DURATION", columns.duration, value::duration)?
            .unwrap_or(0);

        Ok(Row {
            id,
            lat,
            lng,
            demand,
            service_s,
            window: self.window()?,
            requires: self.labels(columns.requires)?,
        })
    }

    /// Returns a field that is not empty.
    fn field(&self, column: Option<usize>) -> Option<&str> {
        column
            .and_then(|column| self.record.get(column))
            .filter(|field| !field.is_empty())
    }

    fn must(&self, name: &'static str, column: usize) -> Result<&str, MissionError> {
        self.field(Some(column))
            .ok_or_else(|| self.error(name, Problem::Missing))
    }

    fn optional<T>(
        &self,
        name: &'static str,
        column: Option<usize>,
        check: fn(f64) -> Result<T, Problem>,
    ) -> Result<Option<T>, MissionError> {
        self.field(column)
            .map(|field| self.parse(name, field, check))
            .transpose()
    }

    fn parse<T>(
        &self,
        name: &'static str,
        field: &str,
        check: fn(f64) -> Result<T, Problem>,
    ) -> Result<T, MissionError> {
        let Ok(number) = field.parse() else {
            let field = field.chars().take(40).collect();
            return Err(self.error(name, Problem::Number(field)));
        };

        check(number).map_err(|problem| self.error(name, problem))
    }

    fn moment(
        &self,
        name: &'static str,
        column: Option<usize>,
    ) -> Result<Option<i64>, MissionError> {
        let moment = self.field(column).map(value::moment).transpose();
        moment.map_err(|problem| self.error(name, problem))
    }

    fn window(&self) -> Result<(Option<i64>, Option<i64>), MissionError> {
        let from = self.moment("TW_START", self.columns.from)?;
        let to = self.moment("TW_END", self.columns.to)?;

        value::window((from, to)).map_err(|problem| self.error("TW_END", problem))?;
        Ok((from, to))
    }

    fn labels(&self, column: Option<usize>) -> Result<BTreeSet<Label>, MissionError> {
        let labels = self
            .field(column)
            .unwrap_or_default()
            .split_whitespace()
            .map(str::parse);

        labels
            .collect::<Result<_, _>>()
            .map_err(|error| self.error("REQUIRES", Problem::Label(error)))
    }

    fn error(&self, column: &'static str, problem: Problem) -> MissionError {
        MissionError {
            file: self.file.to_owned(),
            place: Location::Line(self.line, column),
            problem,
        }
    }
}
