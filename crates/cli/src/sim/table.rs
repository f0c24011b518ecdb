//! The coverage table: which steps in the life of tasks (columns) met which circumstances (rows).

use std::collections::BTreeMap;

use quorate_sim::{Coverage, STEPS};

/// Width of a cell, in characters.
const CELL: usize = 7;

/// The table, and below it the names of the cells that are 0.
pub(super) fn table(coverage: &Coverage) -> String {
    let names = Coverage::circumstances();
    let width = names.iter().map(|name| name.len()).max().unwrap_or(0);
    let heads = STEPS.map(|step| format!(" {:>6}", head(step)));

    let mut lines = vec![format!("{:width$}{}", "", heads.concat())];

    for name in names {
        let cells = row(coverage, name);
        lines.push(format!("{name:width$}{cells}"));
    }

    lines.extend(empty(coverage));
    lines.join("\n")
}

/// The cells of a circumstance, one for each step.
fn row(coverage: &Coverage, circumstance: &'static str) -> String {
    let cells = STEPS.map(|step| cell(coverage.count(circumstance, step)));
    cells.map(|cell| format!("{cell:>CELL$}")).concat()
}

/// One line for each circumstance that met some steps but not all, and one line for those that met
/// none.
fn empty(coverage: &Coverage) -> Vec<String> {
    let rows = steps_never_met(coverage);

    // Many circumstances may never have been there, so these share one line.
    let (absent, partly): (Vec<_>, Vec<_>) = rows
        .into_iter()
        .partition(|(_, steps)| steps.len() == STEPS.len());

    let lines = partly
        .into_iter()
        .map(|(circumstance, steps)| format!("never met: {circumstance} and {}", steps.join(", ")));

    let absent: Vec<&str> = absent.into_iter().map(|(name, _)| name).collect();
    let last = (!absent.is_empty()).then(|| format!("never there: {}", absent.join(", ")));

    lines.chain(last).collect()
}

/// The steps that each circumstance never met.
fn steps_never_met(coverage: &Coverage) -> BTreeMap<&'static str, Vec<&'static str>> {
    let mut rows: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for (circumstance, step) in coverage.empty() {
        rows.entry(circumstance).or_default().push(step);
    }

    rows
}

/// The first six letters of a step's name, which fit over its column.
fn head(step: &str) -> &str {
    step.get(..6).unwrap_or(step)
}

fn cell(count: u64) -> String {
    match count {
        0 => "-".to_owned(),
        1..100_000 => count.to_string(),
        100_000..100_000_000 => format!("{}k", count / 1_000),
        _ => format!("{}M", count / 1_000_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_that_is_0_is_named() {
        let mut coverage = Coverage::default();
        for step in STEPS.iter().filter(|step| **step != "expired") {
            coverage.restore("crash", step, 250_000);
        }
        let table = table(&coverage);
        assert!(table.contains("never met: crash and expired"), "{table}");
        assert!(table.contains(", ring"), "{table}");
        assert!(table.contains("250k"), "{table}");
        assert!(
            table
                .lines()
                .next()
                .is_some_and(|line| line.contains(" reassi")),
            "{table}"
        );
    }
}
