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
        let csv = |source| BarsError::Csv {
            file: file.to_owned(),
            source,
        };

        let mut reader = ReaderBuilder::new()
            .comment(Some(b'#'))
            .trim(csv::Trim::All)
            .from_reader(text.as_bytes());
        let columns = Columns::find(file, reader.headers().map_err(csv)?)?;

        let mut bars = Vec::new();
        // One row too many is enough to tell that there are too many.
        for row in reader.records().take(MOST_BARS + 1) {
            bars.push(columns.bar(file, &row.map_err(csv)?)?);
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

    fn bar(&self, file: &str, row: &StringRecord) -> Result<Bar, BarsError> {
        let line = row.position().map_or(0, csv::Position::line);
        let text = |at: usize| row.get(at).unwrap_or("");

        let wrong = |column, at, expected| BarsError::Field {
            file: file.to_owned(),
            line,
            column,
            value: text(at).to_owned(),
            expected,
        };

        let read =
            |column, at| price(text(at)).ok_or_else(|| wrong(column, at, "price, such as 101.25"));

        let bar = Bar {
            time: text(self.time).to_owned(),
            open: read("open", self.open)?,
            high: read("high", self.high)?,
            low: read("low", self.low)?,
            close: read("close", self.close)?,
            volume: volume(text(self.volume))
                .ok_or_else(|| wrong("volume", self.volume, "number of units, such as 12000"))?,
        };

        // If `low` is above `high`, the range is empty and holds neither price.
        let ends = [bar.open, bar.close];
        if ends
            .iter()
            .any(|price| !(bar.low..=bar.high).contains(price))
        {
            return Err(BarsError::Range {
                file: file.to_owned(),
                line,
            });
        }

        Ok(bar)
    }
}

/// Finds the column of just this name; otherwise the only one that ends in it after a dot.
fn find(file: &str, header: &StringRecord, column: &'static str) -> Result<usize, BarsError> {
    let lower: Vec<String> = header.iter().map(str::to_lowercase).collect();

    let exact = matching(&lower, |name| name == column);
    let suffix = matching(&lower, |name| {
        name.strip_suffix(column)
            .is_some_and(|before| before.ends_with('.'))
    });

    let found = if exact.is_empty() { suffix } else { exact };
    let name = |at: usize| header.get(at).unwrap_or("").to_owned();

    match *found {
        [at] => Ok(at),
        [] => Err(BarsError::Column {
            file: file.to_owned(),
            column,
            found: header.iter().collect::<Vec<_>>().join(", "),
        }),
        [first, second, ..] => Err(BarsError::Ambiguous {
            file: file.to_owned(),
            column,
            first: name(first),
            second: name(second),
        }),
    }
}

fn matching(names: &[String], fits: impl Fn(&str) -> bool) -> Vec<usize> {
    names
        .iter()
        .enumerate()
        .filter(|(_, name)| fits(name))
        .map(|(at, _)| at)
        .collect()
}
