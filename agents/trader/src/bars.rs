//! Bars: what a price did in each part of a day.

use std::path::Path;

use csv::{ReaderBuilder, StringRecord};

use crate::Ticks;
use crate::decimal::{price, volume};

/// Bars of a file, at most.
const MOST_BARS: usize = 100_000;

/// What a price did, and how much was traded, from one moment to the next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bar {
    /// Date or time, as the file has it.
    pub time: String,
    /// First price.
    pub open: Ticks,
    /// Highest price.
    pub high: Ticks,
    /// Lowest price.
    pub low: Ticks,
    /// Last price.
    pub close: Ticks,
    /// Units traded.
    pub volume: u64,
}

/// The bars of a file, in its order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bars {
    /// Of the file.
    pub name: String,
    /// At least one.
    pub bars: Vec<Bar>,
}

/// What is wrong with a file of bars.
#[derive(Debug, thiserror::Error)]
pub enum BarsError {
    /// It cannot be read.
    #[error("{file}: {source}")]
    Read {
        /// File.
        file: String,
        /// Why.
        source: std::io::Error,
    },
    /// A row is no CSV.
    #[error("{file}: {source}")]
    Csv {
        /// File.
        file: String,
        /// Why, with its line.
        source: csv::Error,
    },
    /// A column is missing.
    #[error(
        "{file}: no column `{column}` in the header ({found}); name it `{column}`, or something \
         that ends in `.{column}`"
    )]
    Column {
        /// File.
        file: String,
        /// What was looked for.
        column: &'static str,
        /// The header.
        found: String,
    },
    /// Two columns could be meant.
    #[error("{file}: `{first}` and `{second}` could both be the column `{column}`; keep one")]
    Ambiguous {
        /// File.
        file: String,
        /// What was looked for.
        column: &'static str,
        /// The first of the two.
        first: String,
        /// The second.
        second: String,
    },
    /// A field is out of its range.
    #[error("{file}, line {line}, `{column}`: `{value}` is no {expected}")]
    Field {
        /// File.
        file: String,
        /// Line, from 1.
        line: u64,
        /// Column.
        column: &'static str,
        /// What stands there.
        value: String,
        /// What should.
        expected: &'static str,
    },
    /// The prices of a bar contradict each other.
    #[error("{file}, line {line}: `low` must be at most, `high` at least, `open` and `close`")]
    Range {
        /// File.
        file: String,
        /// Line, from 1.
        line: u64,
    },
    /// No bars, or too many.
    #[error("{file}: {count} bars, must be 1 to {MOST_BARS}")]
    Count {
        /// File.
        file: String,
        /// Bars in it.
        count: usize,
    },
}

impl Bar {
    /// The price that fills are measured by: the mean of open, high, low and close, halves up.
    pub fn benchmark(&self) -> Ticks {
        (self.open + self.high + self.low + self.close + 2) / 4
    }
}

impl Bars {
    /// Reads a CSV file.
    ///
    /// # Errors
    /// [`BarsError`] with file, line and field.
    pub fn read(path: &Path) -> Result<Self, BarsError> {
        let file = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|source| BarsError::Read {
            file: file.clone(),
            source,
        })?;
        Self::parse(&file, &text)
    }

    /// Reads CSV with a header. Columns `date` or `time`, `open`, `high`, `low`, `close` and
    /// `volume`, in any order and case; a name may end in one of these behind a dot (`AAPL.Open`)
    /// where none is just that. Other columns, and lines that begin with `#`, are ignored.
    ///
    /// # Errors
    /// As [`Self::read`]; `file` is what errors call it.
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

/// Where in a row the fields of a bar stand.
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

/// The column of just this name, else the only one that ends in it behind a dot.
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
