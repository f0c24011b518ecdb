//! Waiting for a condition, with a bound.

use std::time::{Duration, Instant};

use crate::Checked;

/// How long anything may take on a machine that is busy with something else.
pub const LIMIT: Duration = Duration::from_secs(120);

/// How often a condition is looked at.
const PAUSE: Duration = Duration::from_millis(20);

/// Asks until there is an answer.
///
/// # Errors
/// When asking fails, or there is none within `limit`; then the error says `what` was awaited.
pub fn until<T>(
    limit: Duration,
    what: &str,
    mut ask: impl FnMut() -> Checked<Option<T>>,
) -> Checked<T> {
    let start = now();
    loop {
        if let Some(answer) = ask()? {
            return Ok(answer);
        }
        if start.elapsed() > limit {
            return Err(format!("waited {limit:?} in vain for {what}").into());
        }
        std::thread::sleep(PAUSE);
    }
}

/// The time, for bounds and reports.
#[expect(
    clippy::disallowed_methods,
    reason = "tests over real processes wait in real time"
)]
pub fn now() -> Instant {
    Instant::now()
}
