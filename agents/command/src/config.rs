//! The configuration of an agent that is a program.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use quorate_types::Capabilities;

/// The program to run, and how it is asked.
#[derive(Debug, Clone)]
pub struct CommandConfig {
    /// The program: a path, or a name that is looked up in `PATH`.
    pub program: PathBuf,
    /// The arguments of the program.
    pub arguments: Vec<OsString>,
    /// The capabilities that the agent's attestations claim.
    pub capabilities: Capabilities,
    /// The longest time that a bid may take.
    pub patience: Duration,
}

impl CommandConfig {
    /// Makes a configuration without arguments and capabilities, and with a patience of one second.
    pub fn new(program: impl Into<PathBuf>) -> Self {
        Self {
            program: program.into(),
            arguments: Vec::new(),
            capabilities: Capabilities::new(),
            patience: Duration::from_secs(1),
        }
    }
}
