//! Violations, with the commands that show them again.

use std::fmt;

use quorate_sim::Violation;
use quorate_types::Millis;
use serde::{Deserialize, Serialize};

use super::source::Source;

/// A violation in the form of `--json` and of state files. Names may be added but not changed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Finding {
    /// Seed of the run.
    pub(super) seed: u64,
    /// Profile of the run; `null` for a scenario.
    profile: Option<String>,
    /// Number of the invariant that was broken.
    invariant: u8,
    /// Name of the invariant.
    name: String,
    /// Description, for people, of how it was broken.
    how: String,
    /// The step of the violation. The run up to it is the shortest prefix that shows the violation.
    step: u64,
    /// Simulated milliseconds since the start of the run.
    at_ms: Millis,
    /// The command that shows the violation again.
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
