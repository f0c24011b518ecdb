//! Waiting for a condition, with a bound.

use std::time::{Duration, Instant};

use crate::Checked;

/// The longest time that anything may take, on a machine that is busy with something else.
pub const LIMIT: Duration = Duration::from_secs(120);

/// The pause between two checks of a condition.
const PAUSE: Duration = Duration::from_millis(20);

/// Calls `ask` until it returns an answer.
///
/// # Errors
/// Fails if `ask` fails, or if there is no answer within `limit`: then the error names `what` was
/// awaited.
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

/// The current time, for bounds and reports.
#[expect(
    clippy::disallowed_methods,
    reason = "tests over real processes wait in real time"
)]
pub fn now() -> Instant {
    Instant::now()
}
