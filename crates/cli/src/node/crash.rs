//! Ending the process at a named point of its write path, for tests of recovery.

use anyhow::Result;
use quorate_store::{CRASH_POINTS, CrashPoints};

/// The variable that names the point.
const VARIABLE: &str = "QUORATE_CRASH_POINT";

/// What `QUORATE_CRASH_POINT` asks for; nothing where it is unset.
///
/// # Errors
/// Where it is no `NAME:COUNT` of a point that there is.
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
            "{VARIABLE}={text}: expected NAME:COUNT with a count from 1 and one of {points}"
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
