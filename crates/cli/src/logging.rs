//! Logging: writes log lines to standard error.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

/// The environment variable that chooses what is logged.
const VARIABLE: &str = "QUORATE_LOG";

/// Starts logging with the filter in `QUORATE_LOG`, or with `default` if that variable is unset or
/// is not a valid filter.
pub(crate) fn start(json: bool, default: &str) {
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter(default))
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());

    match json {
        true => lines.json().init(),
        false => lines.init(),
    }
}

fn filter(default: &str) -> EnvFilter {
    let text = std::env::var(VARIABLE).unwrap_or_else(|_| default.to_owned());
    EnvFilter::try_new(&text).unwrap_or_else(|error| {
        eprintln!(
            "warning: {VARIABLE}={text} is not a valid filter: {error}; using {default} instead"
        );
        EnvFilter::new(default)
    })
}
