//! Crash points: end the process at a named point of its write path, for tests of recovery.

use anyhow::Result;
use quorate_store::{CRASH_POINTS, CrashPoints};

/// The environment variable that names the point.
const VARIABLE: &str = "QUORATE_CRASH_POINT";

/// The crash point that `QUORATE_CRASH_POINT` asks for, or none if the variable is unset.
///
/// # Errors
/// If the variable is not `NAME:COUNT` with the name of a known point and a count of at least 1.
pub(super) fn points() -> Result<CrashPoints> {
    let Ok(text) = std::env::var(VARIABLE) else {
        return Ok(CrashPoints::default());
    };

    let parsed = text
        .split_once(':')
        .and_then(|(name, count)| Some((name, count.parse().ok()?)));
    let known = parsed.filter(|(name, count)| CRASH_POINTS.contains(name) && *count > 0);

    let Some((name, count)) = known else {
        let points = CRASH_POINTS.join(" ");
        anyhow::bail!(
            "{VARIABLE}={text}: expected NAME:COUNT, with a count of at least 1 and one of these \
             names: {points}"
        );
    };

    Ok(abort_at(name.to_owned(), count))
}

fn abort_at(name: String, count: u64) -> CrashPoints {
    let mut passed = 0;

    CrashPoints::new(move |point| {
        if point == name {
            passed += 1;
            if passed == count {
                std::process::abort();
            }
        }
    })
}
