//! A computer of the story: a folder where commands run, maybe behind addresses of its own.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::process::Process;
use crate::{Checked, program};

/// Where commands run.
#[derive(Debug, Clone)]
pub struct Host {
    folder: PathBuf,
    /// Network namespace, where it has one.
    namespace: Option<String>,
}

impl Host {
    /// A host in the folder `folder`, which is made, with the network of this machine.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn new(folder: impl Into<PathBuf>) -> Checked<Self> {
        let folder = folder.into();
        std::fs::create_dir_all(&folder)?;
        Ok(Self {
            folder,
            namespace: None,
        })
    }

    /// The same in the network namespace `name`.
    #[must_use]
    pub fn within(self, name: &str) -> Self {
        Self {
            namespace: Some(name.to_owned()),
            ..self
        }
    }

    /// The path of a file on it.
    pub fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.folder.join(name)
    }

    /// `quorate` with arguments: in the folder, and with nothing of this process's own settings.
    ///
    /// # Errors
    /// When the binary does not build.
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

    /// Runs it to its end.
    ///
    /// # Errors
    /// When it does not start.
    pub fn output(&self, arguments: &[&str]) -> Checked<Output> {
        let mut command = self.quorate(arguments)?;
        Ok(command
            .output()
            .map_err(|error| format!("{command:?}: {error}"))?)
    }

    /// Runs it to its end, and gives what it said on standard output.
    ///
    /// # Errors
    /// When it does not end with 0; the error carries what it said.
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

    /// Starts it; both its outputs go to `LOG.log` in the folder.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start(&self, log: &str, arguments: &[&str]) -> Checked<Process> {
        Process::start(&mut self.quorate(arguments)?, &self.log(log))
    }

    /// Where [`Self::start`] has it written.
    pub fn log(&self, name: &str) -> PathBuf {
        self.path(format!("{name}.log"))
    }

    /// Carries a file of this host to another, under the same name.
    ///
    /// # Errors
    /// When it cannot be copied.
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
