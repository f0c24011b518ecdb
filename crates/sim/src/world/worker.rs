//! The work of simulated agents: an [`Agent`] as any author would write it.

use std::time::Duration;

use async_trait::async_trait;
use quorate_agent::{Agent, Award, CallForBids, LeaseGuard, Quote, TaskError, TaskOutput};
use quorate_types::{Capabilities, Price};

use crate::adversary::Manner;
use crate::plan::AgentPlan;
use crate::seed::Dice;

/// The agent that fills one slot of a client's host.
pub(super) struct Worker {
    plan: AgentPlan,
    /// The capabilities that it claims.
    claims: Capabilities,
    dice: Dice,
}

impl Worker {
    pub(super) fn new(plan: AgentPlan, claims: Capabilities, dice: Dice) -> Self {
        Self { plan, claims, dice }
    }
}

#[async_trait]
impl Agent for Worker {
    fn capabilities(&self) -> Capabilities {
        self.claims.clone()
    }

    async fn bid(&mut self, call: &CallForBids) -> Option<Quote> {
        let price = match self.plan.manner {
            Manner::WinAndAbandon => self.dice.below(3),
            _ => self.plan.price + self.dice.between(0, self.plan.price / 10),
        };
        Some(call.quote(Price::try_from(price).unwrap_or(Price::MAX)))
    }

    async fn execute(&mut self, award: Award, lease: LeaseGuard) -> Result<TaskOutput, TaskError> {
        if self.plan.manner == Manner::WinAndAbandon {
            // It never works on the task and sends nothing. Only the loss of the lease ends this.
            lease.lost().await;
            return Ok(TaskOutput::new("done, of course"));
        }

        lease
            .sleep(Duration::from_millis(self.plan.work_ms))
            .await?;

        if self.dice.chance(self.plan.fails_permille) {
            return Err(TaskError::failed("the dice said so"));
        }

        Ok(TaskOutput::new(award.spec.payload.0))
    }
}
