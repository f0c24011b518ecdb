//! The program as a process that is written to and read from line by line.

use std::io;
use std::process::Stdio;

use serde::Serialize;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use crate::config::CommandConfig;
use crate::protocol::Answer;

/// The most bytes that a line of the program may have.
pub const LINE_BYTES: usize = 64 * 1024;

/// The reason why the program gives no answer.
#[derive(Debug, thiserror::Error)]
pub enum ProgramError {
    /// The program cannot be started, written to or read from.
    #[error("cannot start the program `{program}`, or talk to it: {source}")]
    Io {
        /// The program as configured.
        program: String,
        /// The error of the system.
        source: io::Error,
    },
    /// The program ended, or closed its standard output.
    #[error("the program `{0}` ended, or closed its standard output")]
    Ended(String),
    /// The program wrote a line longer than [`LINE_BYTES`].
    #[error("the program `{0}` wrote a line of more than {LINE_BYTES} bytes")]
    LineTooLong(String),
    /// The program wrote a line that is not a valid answer.
    #[error("the program `{program}` wrote a line that is not a valid answer: {source}")]
    NoAnswer {
        /// The program as configured.
        program: String,
        /// The error of the JSON decoder.
        source: serde_json::Error,
    },
}

/// A running program. Dropping it kills the program.
pub(crate) struct Process {
    program: String,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
    /// The beginning of the line that is being read.
    line: Vec<u8>,
    _child: Child,
}

impl Process {
    /// Starts the program.
    pub(crate) fn start(config: &CommandConfig) -> Result<Self, ProgramError> {
        let program = config.program.display().to_string();
        let failed = |source| ProgramError::Io {
            program: program.clone(),
            source,
        };

        let mut child = Command::new(&config.program)
            .args(&config.arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(failed)?;

        let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(ProgramError::Ended(program));
        };

        Ok(Self {
            program,
            stdin,
            stdout: BufReader::new(stdout),
            line: Vec::new(),
            _child: child,
        })
    }

    /// Writes a question as one line.
    pub(crate) async fn write<T: Serialize>(&mut self, question: &T) -> Result<(), ProgramError> {
        let written = self.write_line(question).await;
        written.map_err(|error| self.failed(error))
    }

    async fn write_line<T: Serialize>(&mut self, question: &T) -> io::Result<()> {
        let mut line = serde_json::to_vec(question).map_err(io::Error::other)?;
        line.push(b'\n');
        self.stdin.write_all(&line).await?;
        self.stdin.flush().await
    }

    /// Returns the next answer to the question `id`, and skips others. Nothing is lost if the
    /// future is dropped.
    pub(crate) async fn answer(&mut self, id: u64) -> Result<Answer, ProgramError> {
        loop {
            let line = self.next_line().await?;
            if line.iter().all(u8::is_ascii_whitespace) {
                continue;
            }

            let answer: Answer =
                serde_json::from_slice(&line).map_err(|source| ProgramError::NoAnswer {
                    program: self.program.clone(),
                    source,
                })?;

            if answer.id() == id {
                return Ok(answer);
            }
        }
    }

    async fn next_line(&mut self) -> Result<Vec<u8>, ProgramError> {
        loop {
            let is_whole = self.read_on().await?;

            if self.line.len() > LINE_BYTES {
                return Err(ProgramError::LineTooLong(self.program.clone()));
            }

            if is_whole {
                return Ok(std::mem::take(&mut self.line));
            }
        }
    }

    /// Reads what is there of the line, and returns whether its end was reached. The beginning of a
    /// line is kept, so that a dropped future loses nothing.
    async fn read_on(&mut self) -> Result<bool, ProgramError> {
        let buffer = match self.stdout.fill_buf().await {
            Ok([]) => return Err(ProgramError::Ended(self.program.clone())),
            Ok(buffer) => buffer,
            Err(error) => return Err(self.failed(error)),
        };

        let end = buffer.iter().position(|byte| *byte == b'\n');
        let taken = end.unwrap_or(buffer.len());
        self.line.extend_from_slice(&buffer[..taken]);

        // The line feed is not part of the line.
        let read = taken + usize::from(end.is_some());
        self.stdout.consume(read);

        Ok(end.is_some())
    }

    fn failed(&self, source: io::Error) -> ProgramError {
        ProgramError::Io {
            program: self.program.clone(),
            source,
        }
    }
}
