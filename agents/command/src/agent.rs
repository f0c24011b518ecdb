//! The agent that passes its questions on to a program.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use quorate_agent::{Agent, Award, CallForBids, LeaseGuard, LeaseLost, Offer, Outcome, TaskError};
use quorate_types::Capabilities;
use tokio::time::timeout;

use crate::process::{Process, ProgramError};
use crate::protocol::{Answer, Question, detail};

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

/// An agent whose bids and work come from a program. The crate's documentation describes the lines
/// that the program reads and writes.
///
/// It needs a tokio runtime.
pub struct CommandAgent {
    config: CommandConfig,
    /// `None` after the program failed, until the next question starts it again.
    process: Option<Process>,
    last_id: u64,
}

impl CommandAgent {
    /// Starts the program.
    ///
    /// # Errors
    /// [`ProgramError::Io`] if the system cannot start it.
    pub fn start(config: CommandConfig) -> Result<Self, ProgramError> {
        let process = Process::start(&config)?;
        Ok(Self {
            config,
            process: Some(process),
            last_id: 0,
        })
    }

    /// Takes the running program out of its place, or starts it. If a question fails or is dropped
    /// halfway, the program is dropped with it, so that none is left that has read half a line.
    fn take_process(&mut self) -> Result<Process, ProgramError> {
        match self.process.take() {
            Some(process) => Ok(process),
            None => Process::start(&self.config),
        }
    }

    async fn ask_for_bid(&mut self, call: &CallForBids) -> Result<Option<Offer>, ProgramError> {
        self.last_id += 1;
        let id = self.last_id;
        let mut process = self.take_process()?;

        let patience = self.config.patience;
        // A question that cannot be written in time leaves half a line, so the program is not kept.
        let Ok(written) = timeout(patience, process.write(&Question::call(id, call))).await else {
            return Ok(None);
        };
        written?;

        let answer = timeout(patience, process.answer(id)).await;
        let answer = match answer {
            // A slow program is not a broken one: a late answer is skipped by its id.
            Err(_) => None,
            Ok(answer) => Some(answer?),
        };

        self.process = Some(process);
        Ok(match answer {
            Some(Answer::Bid { price, .. }) => Some(call.offer(price)),
            _ => None,
        })
    }

    async fn work(&mut self, award: &Award, lease: &LeaseGuard) -> Result<Outcome, TaskError> {
        self.last_id += 1;
        let id = self.last_id;
        let mut process = self.take_process().map_err(TaskError::failed)?;

        // The program may hang, so each wait ends when the lease is lost.
        let question = Question::execute(id, award);
        let written = tokio::select! {
            written = process.write(&question) => written,
            () = lease.lost() => return Err(LeaseLost.into()),
        };
        written.map_err(TaskError::failed)?;

        let answer = tokio::select! {
            answer = process.answer(id) => answer.map_err(TaskError::failed)?,
            () = lease.lost() => {
                // The program is kept only if it can be told that the award is over.
                let lost = Question::Lost { id };
                let told = timeout(self.config.patience, process.write(&lost)).await;
                self.process = matches!(told, Ok(Ok(()))).then_some(process);
                return Err(LeaseLost.into());
            }
        };

        self.process = Some(process);
        match answer {
            Answer::Outcome { detail: value, .. } => Ok(Outcome::new(detail(value))),
            Answer::Error { reason, .. } => Err(TaskError::failed(reason)),
            Answer::Bid { .. } | Answer::Pass { .. } => {
                Err(TaskError::failed("the program answered a task with a bid"))
            }
        }
    }
}

#[async_trait]
impl Agent for CommandAgent {
    fn capabilities(&self) -> Capabilities {
        self.config.capabilities.clone()
    }

    async fn bid(&mut self, call: &CallForBids) -> Option<Offer> {
        self.ask_for_bid(call).await.ok().flatten()
    }

    async fn execute(&mut self, award: Award, lease: LeaseGuard) -> Result<Outcome, TaskError> {
        self.work(&award, &lease).await
    }
}

impl std::fmt::Debug for CommandAgent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CommandAgent")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}
