//! Checks that the scenario tables cover the list of scenario names.

use std::collections::BTreeSet;
use std::path::PathBuf;

use crate::{cometbft, malachite_driver, malachite_quint};

/// Reads the list in the folder that `QUORATE_DATA` names; if it is not set, beside the workspace.
#[test]
fn every_listed_scenario_stands_in_a_table() {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data");
    let folder =
        std::env::var_os("QUORATE_DATA").map_or_else(|| PathBuf::from(beside), PathBuf::from);
    let Ok(list) = std::fs::read_to_string(folder.join("scenarios.txt")) else {
        println!("skipped: no scenarios.txt in {}", folder.display());
        return;
    };
    let listed: BTreeSet<_> = list
        .lines()
        .map(str::trim)
        .filter(|l| !l.is_empty() && !l.starts_with('#'))
        .collect();
    let tables = [
        cometbft::SCENARIOS,
        malachite_driver::SCENARIOS,
        malachite_quint::SCENARIOS,
    ];
    let ours: BTreeSet<_> = tables
        .iter()
        .flat_map(|table| table.iter())
        .map(|s| s.0)
        .collect();
    assert_eq!(
        tables.iter().map(|table| table.len()).sum::<usize>(),
        ours.len(),
        "a name stands in the tables twice"
    );
    let missing: Vec<_> = listed.difference(&ours).collect();
    let unknown: Vec<_> = ours.difference(&listed).collect();
    assert!(
        missing.is_empty() && unknown.is_empty(),
        "missing {missing:?}, unknown {unknown:?}"
    );
}
