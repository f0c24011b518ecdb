//! Tests of files of bars: the shipped file and files from elsewhere are read, and errors in files
//! are explained.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "helpers of tests")]

use std::path::Path;

use quorate_trader::{Bars, synthetic};

const HEADER: &str = "time,open,high,low,close,volume\n";

/// The error for a file with this text.
fn complaint(text: &str) -> String {
    Bars::parse("x.csv", text).unwrap_err().to_string()
}

#[test]
fn the_day_that_ships_is_what_its_generator_makes() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/trading/day.csv");
    let shipped = std::fs::read_to_string(path).unwrap();
    assert_eq!(shipped, synthetic::day(synthetic::SEED));
    assert!(shipped.starts_with("# Synthetic"));
    let day = Bars::parse("day.csv", &shipped).unwrap();
    assert_eq!((day.bars.len(), day.bars[0].time.as_str()), (26, "09:30"));
}

#[test]
fn every_seed_gives_a_day_that_can_be_read() {
    for seed in 0..200 {
        let day = Bars::parse("day.csv", &synthetic::day(seed)).unwrap();
        assert!(
            day.bars.windows(2).all(|two| two[0].close == two[1].open),
            "{seed}"
        );
    }
}

#[test]
fn columns_may_stand_anywhere_and_have_longer_names() {
    let text = "Date,AAPL.Close,dn,AAPL.Open,AAPL.Low,AAPL.High,AAPL.Volume,AAPL.Adjusted\n\
                2015-02-17,127.830002,106.7,127.489998,126.919998,128.880005,63152400,122.9\n";
    let bar = Bars::parse("x.csv", text).unwrap().bars.remove(0);
    assert_eq!((bar.time.as_str(), bar.volume), ("2015-02-17", 63_152_400));
    assert_eq!(
        (bar.open, bar.high, bar.low, bar.close),
        (1_274_900, 1_288_800, 1_269_200, 1_278_300)
    );
    assert_eq!(bar.benchmark(), 1_277_800);
    // If there is a column with the plain name, that one is taken.
    let text = "time,open,x.open,high,low,close,volume\n1,2,9,3,1,2,0\n";
    assert_eq!(Bars::parse("x.csv", text).unwrap().bars[0].open, 20_000);
}

#[test]
fn what_is_wrong_is_said_with_file_line_and_field() {
    let row = |row: &str| format!("# a comment\n{HEADER}1,1,1,1,1,1\n{row}\n");
    let table = [
        (
            row("2,one,1,1,1,1"),
            ["x.csv, line 4, `open`", "`one` is not a valid price"],
        ),
        (row("2,1,1,1,0,1"), ["line 4, `close`", "such as 101.25"]),
        (row("2,1,1,1,1,-5"), ["line 4, `volume`", "such as 12000"]),
        (row("2,5,4,1,2,1"), ["line 4", "`high` at least"]),
        (row("2,1,1"), ["x.csv", "line: 4"]),
        (
            "time,open,high,low,volume\n".to_owned(),
            ["no column `close`", "name it `close`"],
        ),
        (
            "a.open,b.open,time,high,low,close,volume\n".to_owned(),
            ["`a.open` and `b.open`", "keep one"],
        ),
        (HEADER.to_owned(), ["x.csv: 0 bars", "1 to"]),
    ];
    for (text, parts) in table {
        let said = complaint(&text);
        assert!(
            parts.iter().all(|part| said.contains(part)),
            "{text}: {said}"
        );
    }
    let missing = Bars::read(Path::new("no/such.csv"))
        .unwrap_err()
        .to_string();
    assert!(missing.starts_with("no/such.csv: "), "{missing}");
}

/// Reads a file that is not part of this repository, if `QUORATE_BARS` names one.
#[test]
fn bars_from_outside_are_read() {
    let Some(path) = std::env::var_os("QUORATE_BARS") else {
        eprintln!("skipped: QUORATE_BARS names no file of bars");
        return;
    };
    let bars = Bars::read(Path::new(&path)).unwrap();
    assert!(!bars.bars.is_empty());
}

proptest::proptest! {
    #[test]
    fn no_text_panics(text in "(time|open|high|low|close|volume|[,\n0-9.#\"-]){0,40}") {
        let _ = Bars::parse("x.csv", &text);
    }
}
