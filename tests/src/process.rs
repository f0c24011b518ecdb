//! Processes that end with the test, and the logs that they write.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use serde_json::Value;

use crate::Checked;
use crate::wait::{self, LIMIT};

/// A running process with its log. It is killed when it is dropped.
#[derive(Debug)]
pub struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts a process whose standard output and standard error are appended to the file `log`.
    ///
    /// # Errors
    /// Fails if the process does not start, or if the file cannot be written.
    pub fn start(command: &mut Command, log: &Path) -> Checked<Self> {
        let mut file = OpenOptions::new().create(true).append(true).open(log)?;
        // An earlier process with this log may have ended in the middle of a line.
        writeln!(file)?;
        let command = command
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file);
        let child = command
            .spawn()
            .map_err(|error| format!("{command:?}: {error}"))?;
        Ok(Self {
            child,
            log: log.to_owned(),
        })
    }

    /// Returns the exit status, or `None` if the process is still running.
    ///
    /// # Errors
    /// Fails if the system cannot tell.
    pub fn ended(&mut self) -> Checked<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    /// Waits until the process ends.
    ///
    /// # Errors
    /// Fails if it does not end within [`LIMIT`]; the error holds the end of its log.
    pub fn wait_for_end(&mut self) -> Checked<ExitStatus> {
        let log = self.log.clone();
        wait::until(LIMIT, "a process to end", || self.ended())
            .map_err(|error| format!("{error}\n{}", tail(&log)).into())
    }

    /// Kills the process without warning (SIGKILL), as a loss of power would.
    ///
    /// # Errors
    /// Fails if the system refuses.
    pub fn kill(&mut self) -> Checked {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Sends the process a signal by its name: `TERM`, `STOP`, `CONT`.
    ///
    /// # Errors
    /// Fails if the system refuses.
    pub fn signal(&self, name: &str) -> Checked {
        let line = format!("kill -{name} {}", self.child.id());
        let status = Command::new("sh").args(["-c", &line]).status()?;
        if status.success() {
            Ok(())
        } else {
            Err(format!("`{line}`: {status}").into())
        }
    }

    /// Checks that the process is still running.
    ///
    /// # Errors
    /// Fails if it has ended; the error holds its exit status and the end of its log.
    pub fn expect_running(&mut self) -> Checked {
        match self.ended()? {
            None => Ok(()),
            Some(status) => Err(format!("ended early, {status}\n{}", tail(&self.log)).into()),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // The process may have ended before.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A reader of a file to which processes write lines, and which grows meanwhile.
#[derive(Debug)]
pub struct Log {
    path: PathBuf,
    offset: u64,
}

impl Log {
    /// Makes a reader at the beginning of a file, which need not exist yet.
    pub fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            offset: 0,
        }
    }

    /// Returns the complete lines that were written since the last call.
    ///
    /// # Errors
    /// Fails if the file cannot be read.
    pub fn new_lines(&mut self) -> Checked<Vec<String>> {
        let mut file = match File::open(&self.path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            file => file?,
        };
        file.seek(SeekFrom::Start(self.offset))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        let whole = bytes
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(0, |end| end + 1);
        self.offset += whole as u64;
        let text = String::from_utf8_lossy(&bytes[..whole]).into_owned();
        Ok(text.lines().map(str::to_owned).collect())
    }

    /// Returns the new lines that are JSON objects, and drops the others.
    ///
    /// # Errors
    /// Fails if the file cannot be read.
    pub fn new_objects(&mut self) -> Checked<Vec<Value>> {
        let lines = self.new_lines()?;
        let objects = lines
            .iter()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok());
        Ok(objects.filter(Value::is_object).collect())
    }
}

/// Waits until a line of the log of `process` holds `text`, and returns the line.
///
/// # Errors
/// Fails if no line does within [`LIMIT`], or if the process ends before; the error holds the end
/// of the log.
pub fn wait_for_line(process: &mut Process, text: &str) -> Checked<String> {
    let path = process.log.clone();
    let mut log = Log::new(&path);
    wait::until(LIMIT, &format!("`{text}`"), || {
        let found = log
            .new_lines()?
            .into_iter()
            .find(|line| line.contains(text));
        if found.is_none() {
            process.expect_running()?;
        }
        Ok(found)
    })
    .map_err(|error| format!("{error}\n{}", tail(&path)).into())
}

/// Returns the last 30 lines of a log, for a report.
pub fn tail(path: &Path) -> String {
    let text = std::fs::read(path).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    let from = lines.len().saturating_sub(30);
    format!(
        "the end of {}:\n{}",
        path.display(),
        lines[from..].join("\n")
    )
}
