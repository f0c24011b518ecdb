//! The run of the drone demonstration: mission and faults, until every task has ended.

use anyhow::{Context, Result};
use humantime::format_duration;
use quorate_node::{NodeEvent, TaskHandle};
use quorate_types::{Label, Reason, TaskId};

use super::args::Args;
use super::stage::DroneSetup;
use crate::record::Record;
use crate::swarm::{DemoSwarm, GATHERING, News, progress_bar};
use crate::worker::Line;

/// A running demonstration.
pub(super) struct Play<'a> {
    args: &'a Args,
    stage: &'a DroneSetup,
    swarm: DemoSwarm<'a>,
    record: Record,
    /// The number of flights so far.
    flights: usize,
}

impl<'a> Play<'a> {
    /// Starts every process.
    pub(super) async fn start(args: &'a Args, stage: &'a DroneSetup) -> Result<Self> {
        let bar = progress_bar(args.run.json, stage.mission.tasks.len());
        let swarm = DemoSwarm::start(&stage.setting, "drone", bar).await?;

        let record = Record::new(
            &stage.setting,
            swarm.clock,
            &[Reason::CapabilityNotAttested],
        );

        Ok(Self {
            args,
            stage,
            swarm,
            record,
            flights: 0,
        })
    }

    /// Runs until every task has ended or the time is up, then stops every process.
    pub(super) async fn run(mut self) -> Result<Record> {
        self.submit().await?;

        let limit = self.args.run.timeout;
        if tokio::time::timeout(limit, self.follow()).await.is_err() {
            self.swarm
                .say(&format!("time is up after {}", format_duration(limit)));
        }

        self.swarm.stop().await;
        Ok(self.record)
    }

    /// Submits the mission.
    async fn submit(&mut self) -> Result<()> {
        let market: Label = "drones".parse()?;
        let tasks = &self.stage.mission.tasks;
        let specs = tasks.iter().map(|task| task.spec(market.clone()));

        let submitted = self.swarm.operator.submit_all(specs.collect());
        let handles = tokio::time::timeout(GATHERING, submitted)
            .await
            .context("the swarm did not take the mission within 20 s; see logs/")??;

        // The record must know the tasks before it takes in news of them.
        let names = tasks.iter().map(|task| task.task.id.clone());
        self.record
            .submitted(handles.iter().map(TaskHandle::id).zip(names));

        let count = handles.len();
        self.swarm
            .say(&format!("{count} tasks submitted to the market `drones`"));

        Ok(())
    }

    /// Takes in all news until every task has ended.
    async fn follow(&mut self) {
        while !self.record.is_over() {
            match self.swarm.next().await {
                News::Line(index, line) => self.hear(index, line).await,
                News::Event(event) => self.learn(*event).await,
                News::Tick => self.swarm.bar.set_position(self.record.ended() as u64),
                News::Closed => return,
            }
        }
    }

    async fn hear(&mut self, index: usize, line: Line) {
        match line {
            Line::Height(decided) => self.record.height(&decided),
            Line::Refused { items, certificate } => {
                let name = self.swarm.name(index).to_owned();
                for text in self.record.refused(&name, &items, &certificate) {
                    self.swarm.say(&text);
                }
            }

            Line::Ready { .. } => {}
            Line::Working { task } => self.kill_drone(index, task).await,
        }
    }

    async fn learn(&mut self, event: NodeEvent) {
        for text in self.record.learn(&event) {
            self.swarm.say(&text);
        }
        if let NodeEvent::Completed { .. } = event {
            self.kill_validator().await;
        }
    }

    /// Kills one honest drone in flight, as soon as a quarter of the mission has taken off.
    /// `process` is a drone that has just taken off for `task`.
    async fn kill_drone(&mut self, process: usize, task: TaskId) {
        self.flights += 1;

        // Agents are numbered after the validators.
        let index = process.saturating_sub(self.stage.setting.validators.len());
        let files = &self.stage.drone_files;
        let honest = files.get(index).is_some_and(|file| file.claims.is_none());

        // It is the first honest drone that takes off from then on.
        if self.wants_drone_killed() && honest && self.swarm.kill(process).await {
            let drone = &self.stage.setting.agents[index];
            let text = format!(
                "{} killed in flight to {}",
                drone.name,
                self.record.name_of(task)
            );
            self.record.killed_agent = Some((drone.key, self.record.now()));
            self.swarm.say(&text);
        }
    }

    /// Checks whether a drone must be killed and none was so far.
    fn wants_drone_killed(&self) -> bool {
        let all = self.stage.mission.tasks.len();

        !self.args.run.no_faults
            && self.record.killed_agent.is_none()
            && self.stage.setting.agents.len() > 2
            && self.flights * 4 >= all
    }

    /// Kills one validator after half of the mission, if the committee tolerates that.
    async fn kill_validator(&mut self) {
        let validators = &self.stage.setting.validators;
        // The seed decides which one.
        let index = self.args.seed as usize % validators.len();

        if self.wants_validator_killed() && self.swarm.kill(index).await {
            let victim = &validators[index];
            self.record.killed_validator = Some((victim.key, self.record.now()));
            self.swarm
                .say(&format!("{} killed; the committee goes on", victim.name));
        }
    }

    /// Checks whether a validator must be killed and none was so far.
    fn wants_validator_killed(&self) -> bool {
        let done = self.record.ended();
        let all = self.stage.mission.tasks.len();
        // All powers are equal: without fewer than a third of them, a quorum remains (N-5).
        let tolerated = (self.stage.setting.validators.len() - 1) / 3;

        !self.args.run.no_faults
            && self.record.killed_validator.is_none()
            && tolerated > 0
            && done * 2 >= all
    }
}
