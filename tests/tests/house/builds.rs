//! Tests and programs share one build: what a newcomer has compiled for the demonstration is not
//! compiled again for the tests.

use std::collections::BTreeSet;
use std::process::Command;

use quorate_tests::{Checked, repository};

/// Cargo builds a crate again if its features differ. The dependencies of tests may turn features
/// on, so what they turn on is on for the programs as well.
#[test]
fn dependencies_have_the_same_features_with_and_without_the_tests() -> Checked {
    let with = features("normal,build,dev")?;
    let without = features("normal,build")?;

    let again: Vec<_> = without.difference(&with).cloned().collect();
    assert!(
        again.is_empty(),
        "built twice, since tests turn further features on: {again:?}; turn these on in Cargo.toml"
    );
    Ok(())
}

/// Returns each package of the workspace's tree with its features, by the kinds of dependencies.
fn features(kinds: &str) -> Checked<BTreeSet<String>> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo
        .args(["tree", "--workspace", "--offline", "--locked"])
        .args(["--prefix", "none", "--no-dedupe", "--format", "{p} [{f}]"])
        .args(["--edges", kinds])
        .current_dir(repository::root());
    let output = cargo.output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }

    let text = String::from_utf8(output.stdout)?;
    Ok(text.lines().map(str::to_owned).collect())
}
