//! A host of a test: a folder in which commands run, if need be in a network namespace of its own.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::process::Process;
use crate::{Checked, program};

/// A folder in which commands run, with the network that they see.
#[derive(Debug, Clone)]
pub struct Host {
    folder: PathBuf,
    /// The network namespace; `None` for the network of this machine.
    namespace: Option<String>,
}

impl Host {
    /// Makes the folder `folder` and a host in it, with the network of this machine.
    ///
    /// # Errors
    /// Fails if the folder cannot be made.
    pub fn new(folder: impl Into<PathBuf>) -> Checked<Self> {
        let folder = folder.into();
        std::fs::create_dir_all(&folder)?;
        Ok(Self {
            folder,
            namespace: None,
        })
    }

    /// Moves the host into the network namespace `name`.
    #[must_use]
    pub fn within(self, name: &str) -> Self {
        Self {
            namespace: Some(name.to_owned()),
            ..self
        }
    }

    /// Returns the path of a file in the folder.
    pub fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.folder.join(name)
    }

    /// Returns a command that runs `quorate` in the folder, without the `QUORATE_` variables of
    /// this process.
    ///
    /// # Errors
    /// Fails if the binary does not build.
    pub fn quorate(&self, arguments: &[&str]) -> Checked<Command> {
        let program = program::quorate()?;
        let mut command = match &self.namespace {
            None => Command::new(program),
            Some(name) => {
                let mut command = Command::new("ip");
                command.args(["netns", "exec", name]).arg(program);
                command
            }
        };
        let ours = std::env::vars_os().map(|(name, _)| name);
        for name in ours.filter(|name| name.as_encoded_bytes().starts_with(b"QUORATE_")) {
            command.env_remove(name);
        }
        command
            .args(arguments)
            .current_dir(&self.folder)
            .env("NO_COLOR", "1");
        Ok(command)
    }

    /// Runs `quorate` to its end.
    ///
    /// # Errors
    /// Fails if it does not start.
    pub fn output(&self, arguments: &[&str]) -> Checked<Output> {
        let mut command = self.quorate(arguments)?;
        Ok(command
            .output()
            .map_err(|error| format!("{command:?}: {error}"))?)
    }

    /// Runs `quorate` to its end and returns its standard output.
    ///
    /// # Errors
    /// Fails if the exit code is not 0; the error holds both outputs.
    pub fn run(&self, arguments: &[&str]) -> Checked<String> {
        let output = self.output(arguments)?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        if output.status.success() {
            return Ok(said);
        }
        let error = String::from_utf8_lossy(&output.stderr);
        Err(format!(
            "quorate {}: {}\n{said}{error}",
            arguments.join(" "),
            output.status
        )
        .into())
    }

    /// Starts `quorate`. Both its outputs go to `LOG.log` in the folder.
    ///
    /// # Errors
    /// Fails if it does not start.
    pub fn start(&self, log: &str, arguments: &[&str]) -> Checked<Process> {
        Process::start(&mut self.quorate(arguments)?, &self.log(log))
    }

    /// Returns the path of the log of this name that [`Self::start`] writes.
    pub fn log(&self, name: &str) -> PathBuf {
        self.path(format!("{name}.log"))
    }

    /// Copies a file of this host to another host, under the same name.
    ///
    /// # Errors
    /// Fails if it cannot be copied.
    pub fn carry(&self, name: &str, to: &Host) -> Checked {
        let target = to.path(name);
        if target == self.path(name) {
            return Ok(());
        }
        if let Some(parent) = target.parent() {
            std::fs::create_dir_all(parent)?;
        }
        std::fs::copy(self.path(name), target).map_err(|error| format!("{name}: {error}"))?;
        Ok(())
    }
}
