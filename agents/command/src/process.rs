//! The program as a process, line by line.

use std::process::Stdio;

use serde::Serialize;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use crate::CommandConfig;
use crate::protocol::Answer;

/// Bytes of a line that the program writes, at most.
pub const LINE_BYTES: usize = 64 * 1024;

/// Why the program gives no answer.
#[derive(Debug, thiserror::Error)]
pub enum ProgramError {
    /// It cannot be started, written to or read from.
    #[error("program `{program}`: {source}")]
    Io {
        /// As configured.
        program: String,
        /// What the system says.
        source: std::io::Error,
    },
    /// It ended, or closed its standard output.
    #[error("program `{0}` ended")]
    Ended(String),
    /// It wrote a line longer than [`LINE_BYTES`].
    #[error("program `{0}` wrote a line of more than {LINE_BYTES} bytes")]
    LineTooLong(String),
    /// It wrote a line that is no answer.
    #[error("program `{program}` wrote a line that is no answer: {source}")]
    NoAnswer {
        /// As configured.
        program: String,
        /// What is wrong with it.
        source: serde_json::Error,
    },
}

/// A running program; dropping it kills it.
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
        let stdout = BufReader::new(stdout);
        Ok(Self {
            program,
            stdin,
            stdout,
            line: Vec::new(),
            _child: child,
        })
    }

    /// Writes one line.
    pub(crate) async fn write<T: Serialize>(&mut self, question: &T) -> Result<(), ProgramError> {
        let mut line = serde_json::to_vec(question)
            .map_err(|error| self.failed(std::io::Error::other(error)))?;
        line.push(b'\n');
        self.stdin
            .write_all(&line)
            .await
            .map_err(|error| self.failed(error))?;
        self.stdin.flush().await.map_err(|error| self.failed(error))
    }

    /// The next answer to the question `id`; others are skipped. Nothing is lost where the future
    /// is dropped.
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
            let buffer = match self.stdout.fill_buf().await {
                Ok([]) => return Err(ProgramError::Ended(self.program.clone())),
                Ok(buffer) => buffer,
                Err(error) => return Err(self.failed(error)),
            };
            let end = buffer.iter().position(|byte| *byte == b'\n');
            let taken = end.unwrap_or(buffer.len());
            self.line.extend_from_slice(&buffer[..taken]);
            self.stdout.consume(taken + usize::from(end.is_some()));
            if self.line.len() > LINE_BYTES {
                return Err(ProgramError::LineTooLong(self.program.clone()));
            }
            if end.is_some() {
                return Ok(std::mem::take(&mut self.line));
            }
        }
    }

    fn failed(&self, source: std::io::Error) -> ProgramError {
        ProgramError::Io {
            program: self.program.clone(),
            source,
        }
    }
}
