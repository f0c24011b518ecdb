//! The agent that passes its questions on to a program.

use async_trait::async_trait;
use quorate_agent::{
    Agent, Award, CallForBids, LeaseGuard, LeaseLost, Quote, TaskError, TaskOutput,
};
use quorate_types::Capabilities;
use tokio::time::timeout;

use crate::config::CommandConfig;
use crate::process::{Process, ProgramError};
use crate::protocol::{Answer, Question, detail};

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

    /// Returns an id for the next question.
    fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    async fn ask_for_bid(&mut self, call: &CallForBids) -> Result<Option<Quote>, ProgramError> {
        let id = self.next_id();
        let patience = self.config.patience;
        let mut process = self.take_process()?;

        // A question that cannot be written in time leaves half a line, so the program is not kept.
        let question = Question::call(id, call);
        let Ok(written) = timeout(patience, process.write(&question)).await else {
            return Ok(None);
        };
        written?;

        let answer = match timeout(patience, process.answer(id)).await {
            // A slow program is not a broken one: a late answer is skipped by its id.
            Err(_) => None,
            Ok(answer) => Some(answer?),
        };

        self.process = Some(process);
        Ok(match answer {
            Some(Answer::Bid { price, .. }) => Some(call.quote(price)),
            _ => None,
        })
    }

    async fn work(&mut self, award: &Award, lease: &LeaseGuard) -> Result<TaskOutput, TaskError> {
        let id = self.next_id();
        let question = Question::execute(id, award);
        let mut process = self.take_process().map_err(TaskError::failed)?;

        // The program may hang, so each wait ends when the lease is lost.
        tokio::select! {
            written = process.write(&question) => written.map_err(TaskError::failed)?,
            () = lease.lost() => return Err(LeaseLost.into()),
        }

        let answer = tokio::select! {
            answer = process.answer(id) => answer.map_err(TaskError::failed)?,
            () = lease.lost() => {
                self.tell_loss(id, process).await;
                return Err(LeaseLost.into());
            }
        };

        self.process = Some(process);
        result_of(answer)
    }

    /// Tells the program that the award of a question is over. The program is kept only if it can
    /// be told.
    async fn tell_loss(&mut self, id: u64, mut process: Process) {
        let lost = Question::Lost { id };
        let told = timeout(self.config.patience, process.write(&lost)).await;
        self.process = matches!(told, Ok(Ok(()))).then_some(process);
    }
}

/// Returns the result of a task that the answer to it tells.
fn result_of(answer: Answer) -> Result<TaskOutput, TaskError> {
    match answer {
        Answer::Outcome { detail: value, .. } => Ok(TaskOutput::new(detail(value))),
        Answer::Error { reason, .. } => Err(TaskError::failed(reason)),
        Answer::Bid { .. } | Answer::Pass { .. } => {
            Err(TaskError::failed("the program answered a task with a bid"))
        }
    }
}

#[async_trait]
impl Agent for CommandAgent {
    fn capabilities(&self) -> Capabilities {
        self.config.capabilities.clone()
    }

    async fn bid(&mut self, call: &CallForBids) -> Option<Quote> {
        self.ask_for_bid(call).await.ok().flatten()
    }

    async fn execute(&mut self, award: Award, lease: LeaseGuard) -> Result<TaskOutput, TaskError> {
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
