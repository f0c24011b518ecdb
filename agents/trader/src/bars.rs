//! Bars: the prices and the volume in each part of a day.

use std::path::Path;

use csv::{ReaderBuilder, StringRecord};

use crate::Ticks;
use crate::decimal::{price, volume};

/// The most bars that a file may have.
const MOST_BARS: usize = 100_000;

/// The prices and the volume from one moment to the next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bar {
    /// The date or time, as in the file.
    pub time: String,
    /// The first price of one unit, in ticks.
    pub open: Ticks,
    /// The highest price of one unit, in ticks.
    pub high: Ticks,
    /// The lowest price of one unit, in ticks.
    pub low: Ticks,
    /// The last price of one unit, in ticks.
    pub close: Ticks,
    /// The number of units traded.
    pub volume: u64,
}

/// The bars of a file, in its order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bars {
    /// The name of the file.
    pub name: String,
    /// The bars, at least one.
    pub bars: Vec<Bar>,
}

/// The reason why a file of bars is not valid.
#[derive(Debug, thiserror::Error)]
pub enum BarsError {
    /// The file cannot be read.
    #[error("{file}: cannot be read: {source}")]
    Read {
        /// The path of the file.
        file: String,
        /// The error of the system.
        source: std::io::Error,
    },
    /// A row is not valid CSV.
    #[error("{file}: not valid CSV: {source}")]
    Csv {
        /// The name of the file.
        file: String,
        /// The error, with its line.
        source: csv::Error,
    },
    /// A column is missing.
    #[error(
        "{file}: no column `{column}` in the header ({found}); name it `{column}`, or something \
         that ends in `.{column}`"
    )]
    Column {
        /// The name of the file.
        file: String,
        /// The column that is missing.
        column: &'static str,
        /// The names in the header.
        found: String,
    },
    /// Two columns could be the one that is meant.
    #[error("{file}: `{first}` and `{second}` could both be the column `{column}`; keep one")]
    Ambiguous {
        /// The name of the file.
        file: String,
        /// The column that was looked for.
        column: &'static str,
        /// The first of the two names.
        first: String,
        /// The second of the two names.
        second: String,
    },
    /// A field is not a number, or out of its range.
    #[error("{file}, line {line}, `{column}`: `{value}` is not a valid {expected}")]
    Field {
        /// The name of the file.
        file: String,
        /// The line, counted from 1.
        line: u64,
        /// The name of the column.
        column: &'static str,
        /// The value of the field.
        value: String,
        /// A description of the values that are valid.
        expected: &'static str,
    },
    /// The prices of a bar contradict each other.
    #[error("{file}, line {line}: `low` must be at most `open` and `close`, `high` at least both")]
    Range {
        /// The name of the file.
        file: String,
        /// The line, counted from 1.
        line: u64,
    },
    /// The file has no bars, or too many.
    #[error("{file}: {count} bars, but a file must have 1 to {MOST_BARS}")]
    Count {
        /// The name of the file.
        file: String,
        /// The number of bars in the file.
        count: usize,
    },
}

impl Bar {
    /// Returns the price by which fills are measured: the mean of open, high, low and close, halves
    /// up.
    pub fn benchmark(&self) -> Ticks {
        (self.open + self.high + self.low + self.close + 2) / 4
    }

    /// Returns whether the first and the last price are between the lowest and the highest.
    fn is_consistent(&self) -> bool {
        // If `low` is above `high`, the range is empty and holds neither price.
        let range = self.low..=self.high;
        range.contains(&self.open) && range.contains(&self.close)
    }
}

impl Bars {
    /// Reads a CSV file.
    ///
    /// # Errors
    /// [`BarsError`], which names the file, the line and the field.
    pub fn read(path: &Path) -> Result<Self, BarsError> {
        let file = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|source| BarsError::Read {
            file: file.clone(),
            source,
        })?;
        Self::parse(&file, &text)
    }

    /// Reads CSV with a header. The columns are `date` or `time`, `open`, `high`, `low`, `close`
    /// and `volume`, in any order and case. A name may end in one of these after a dot
    /// (`AAPL.Open`) if no column has just that name. Other columns, and lines that begin with `#`,
    /// are ignored.
    ///
    /// # Errors
    /// The errors of [`Self::read`], with `file` as the name of the file.
    pub fn parse(file: &str, text: &str) -> Result<Self, BarsError> {
        let failed = |source| BarsError::Csv {
            file: file.to_owned(),
            source,
        };

        let mut reader = ReaderBuilder::new()
            .comment(Some(b'#'))
            .trim(csv::Trim::All)
            .from_reader(text.as_bytes());

        let header = reader.headers().map_err(failed)?;
        let columns = Columns::find(file, header)?;

        let mut bars = Vec::new();
        // One row too many is enough to tell that there are too many.
        for record in reader.records().take(MOST_BARS + 1) {
            let record = record.map_err(failed)?;
            let row = Row {
                file,
                line: record.position().map_or(0, csv::Position::line),
                fields: &record,
            };
            bars.push(row.bar(&columns)?);
        }

        if bars.is_empty() || bars.len() > MOST_BARS {
            return Err(BarsError::Count {
                file: file.to_owned(),
                count: bars.len(),
            });
        }

        Ok(Self {
            name: file.to_owned(),
            bars,
        })
    }
}

/// The positions of a bar's fields in a row.
struct Columns {
    time: usize,
    open: usize,
    high: usize,
    low: usize,
    close: usize,
    volume: usize,
}

impl Columns {
    fn find(file: &str, header: &StringRecord) -> Result<Self, BarsError> {
        let column = |name| find(file, header, name);
        // Only a missing `time` makes way for `date`; an ambiguous one is an error.
        let time = match column("time") {
            Err(BarsError::Column { .. }) => column("date")?,
            found => found?,
        };

        Ok(Self {
            time,
            open: column("open")?,
            high: column("high")?,
            low: column("low")?,
            close: column("close")?,
            volume: column("volume")?,
        })
    }
}

/// A row, with all that is needed to read it.
struct Row<'a> {
    file: &'a str,
    line: u64,
    fields: &'a StringRecord,
}

impl Row<'_> {
    fn bar(&self, columns: &Columns) -> Result<Bar, BarsError> {
        let bar = Bar {
            time: self.text(columns.time).to_owned(),
            open: self.price("open", columns.open)?,
            high: self.price("high", columns.high)?,
            low: self.price("low", columns.low)?,
            close: self.price("close", columns.close)?,
            volume: self.volume("volume", columns.volume)?,
        };

        if !bar.is_consistent() {
            return Err(BarsError::Range {
                file: self.file.to_owned(),
                line: self.line,
            });
        }

        Ok(bar)
    }

    fn text(&self, at: usize) -> &str {
        self.fields.get(at).unwrap_or("")
    }

    fn price(&self, column: &'static str, at: usize) -> Result<Ticks, BarsError> {
        price(self.text(at)).ok_or_else(|| self.wrong(column, at, "price, such as 101.25"))
    }

    fn volume(&self, column: &'static str, at: usize) -> Result<u64, BarsError> {
        let expected = "number of units, such as 12000";
        volume(self.text(at)).ok_or_else(|| self.wrong(column, at, expected))
    }

    fn wrong(&self, column: &'static str, at: usize, expected: &'static str) -> BarsError {
        BarsError::Field {
            file: self.file.to_owned(),
            line: self.line,
            column,
            value: self.text(at).to_owned(),
            expected,
        }
    }
}

/// Finds the column of just this name; otherwise the only one that ends in it after a dot.
fn find(file: &str, header: &StringRecord, column: &'static str) -> Result<usize, BarsError> {
    let file = file.to_owned();
    let name = |at: usize| header.get(at).unwrap_or("").to_owned();

    match *candidates(header, column) {
        [at] => Ok(at),
        [] => Err(BarsError::Column {
            file,
            column,
            found: header.iter().collect::<Vec<_>>().join(", "),
        }),
        [first, second, ..] => Err(BarsError::Ambiguous {
            file,
            column,
            first: name(first),
            second: name(second),
        }),
    }
}

/// Returns the positions of the columns of just this name; if there are none, of those that end in
/// it after a dot.
fn candidates(header: &StringRecord, column: &str) -> Vec<usize> {
    let lower: Vec<String> = header.iter().map(str::to_lowercase).collect();
    let exact = matching(&lower, |name| name == column);
    if !exact.is_empty() {
        return exact;
    }

    matching(&lower, |name| {
        name.strip_suffix(column)
            .is_some_and(|before| before.ends_with('.'))
    })
}

fn matching(names: &[String], fits: impl Fn(&str) -> bool) -> Vec<usize> {
    names
        .iter()
        .enumerate()
        .filter(|(_, name)| fits(name))
        .map(|(at, _)| at)
        .collect()
}
