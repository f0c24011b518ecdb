//! Violations, with what shows them again.

use std::fmt;

use quorate_sim::Violation;
use quorate_types::Millis;
use serde::{Deserialize, Serialize};

use super::source::Source;

/// A violation as `--json` and state files hold it. Names may be added, not changed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Finding {
    /// Seed of the run.
    pub(super) seed: u64,
    /// Its profile; `null` for a scenario.
    profile: Option<String>,
    /// Number of the invariant.
    invariant: u8,
    /// Its name.
    name: String,
    /// How it was broken.
    how: String,
    /// The run up to this step is the shortest prefix that shows it.
    step: u64,
    /// Milliseconds since the start.
    at_ms: Millis,
    /// The command that shows it again.
    command: String,
}

impl Finding {
    pub(super) fn of(source: &Source, violation: &Violation) -> Self {
        let Violation {
            invariant,
            name,
            how,
            step,
            at_ms,
            seed,
        } = violation;
        Self {
            seed: *seed,
            profile: source.profile(*seed).map(str::to_owned),
            invariant: *invariant,
            name: (*name).to_owned(),
            how: how.clone(),
            step: *step,
            at_ms: *at_ms,
            command: source.command(*seed, Some(*step)),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            seed,
            invariant,
            name,
            how,
            step,
            at_ms,
            command,
            ..
        } = self;
        write!(
            f,
            "VIOLATED: invariant {invariant} ({name}), seed {seed}, step {step}, {at_ms} ms: \
             {how}\n\
             {:10}the shortest prefix that shows it: {command}",
            ""
        )
    }
}
