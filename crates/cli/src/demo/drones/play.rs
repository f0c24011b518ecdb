//! The run itself: processes, mission, faults, until every task has ended.

use std::io::IsTerminal;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use quorate_node::{Clock, Node, NodeEvent, NodeHandle};
use quorate_types::{Label, PublicKey, TaskId};
use tokio::sync::{broadcast, mpsc};

use super::Args;
use super::record::Record;
use super::stage::Stage;
use crate::demo::processes::{Heard, Process};
use crate::demo::worker::Line;

/// How long the swarm may take to find together.
const GATHERING: Duration = Duration::from_secs(20);

/// A running demonstration.
pub(super) struct Play<'a> {
    args: &'a Args,
    stage: &'a Stage,
    clock: Clock,
    processes: Vec<Process>,
    heard: mpsc::UnboundedReceiver<(usize, Heard)>,
    operator: NodeHandle,
    events: broadcast::Receiver<NodeEvent>,
    record: Record,
    /// Drones that took off so far.
    flights: usize,
    bar: ProgressBar,
}

impl<'a> Play<'a> {
    /// Starts every process and waits until each says it runs. The first validator knows nobody,
    /// all others know the first one only.
    pub(super) async fn start(args: &'a Args, stage: &'a Stage) -> Result<Self> {
        let clock = Clock::start();
        let (say, mut heard) = mpsc::unbounded_channel();
        let mut processes = Vec::new();
        let mut boot = Vec::new();
        for (index, validator) in stage.validators.iter().enumerate() {
            Stage::configure(&validator.home, true, &boot)?;
            let log = stage.log(&validator.name);
            let place = (index, say.clone());
            processes.push(Process::start("validator", validator.home.root(), &log, place)?);
            if index == 0 {
                boot = first_address(&mut heard, stage).await?;
            }
        }
        for (index, drone) in stage.drones.iter().enumerate() {
            Stage::configure(&drone.home, false, &boot)?;
            let place = (stage.validators.len() + index, say.clone());
            let log = stage.log(&drone.name);
            processes.push(Process::start("drone", drone.home.root(), &log, place)?);
        }
        Stage::configure(&stage.operator, false, &boot)?;
        let operator = Node::builder(stage.operator.clone()).start().await?;
        let events = operator.subscribe();
        let bar = progress_bar(args, stage.mission.tasks.len());
        let record = Record::new(stage, clock);
        let mut play = Self {
            args,
            stage,
            clock,
            processes,
            heard,
            operator,
            events,
            record,
            flights: 0,
            bar,
        };
        play.gather().await?;
        Ok(play)
    }

    /// Runs until every task has ended, or the time is up.
    pub(super) async fn run(mut self) -> Result<(Record, Vec<Process>)> {
        let market: Label = "drones".parse()?;
        let tasks = self.stage.mission.tasks.iter();
        let specs = tasks.map(|task| task.spec(Label::clone(&market))).collect();
        let submitted = self.operator.submit_all(specs);
        let handles = tokio::time::timeout(GATHERING, submitted)
            .await
            .context("the swarm did not take the mission within 20 s; see logs/")??;
        self.record.submitted(handles.iter().map(quorate_node::TaskHandle::id).collect());
        self.tell(&format!("{} tasks submitted to the market `drones`", handles.len()));
        let limit = Duration::from_secs(self.args.timeout);
        if tokio::time::timeout(limit, self.follow()).await.is_err() {
            self.tell(&format!("time is up after {} s", self.args.timeout));
        }
        self.bar.finish_and_clear();
        self.operator.shutdown().await;
        Ok((self.record, self.processes))
    }

    async fn gather(&mut self) -> Result<()> {
        let all = self.processes.len();
        let mut ready = 1;
        while ready < all {
            let next = tokio::time::timeout(GATHERING, self.heard.recv()).await;
            match next.ok().flatten() {
                Some((_, Heard::Line(Line::Ready { .. }))) => ready += 1,
                Some((index, Heard::Ended)) => bail!(
                    "{} ended at its start; see {}",
                    self.name(index),
                    self.stage.log(self.name(index)).display()
                ),
                Some((index, heard)) => self.hear(index, heard).await,
                None => bail!("only {ready} of {all} processes came up within 20 s; see logs/"),
            }
        }
        let (validators, drones) = (self.stage.validators.len(), self.stage.drones.len());
        self.tell(&format!(
            "{validators} validators and {drones} drones run as {all} processes, pid {}",
            std::process::id()
        ));
        Ok(())
    }

    /// Takes everything in until no task is left.
    async fn follow(&mut self) {
        let mut tick = tokio::time::interval(Duration::from_millis(100));
        while !self.record.is_over() {
            tokio::select! {
                Some((index, heard)) = self.heard.recv() => self.hear(index, heard).await,
                event = self.events.recv() => match event {
                    Ok(event) => self.learn(event).await,
                    Err(broadcast::error::RecvError::Lagged(_)) => {}
                    Err(broadcast::error::RecvError::Closed) => return,
                },
                _ = tick.tick() => self.bar.set_position(self.record.ended() as u64),
            }
        }
    }

    async fn hear(&mut self, index: usize, heard: Heard) {
        match heard {
            Heard::Line(Line::Height(decided)) => self.record.height(&decided),
            Heard::Line(Line::Refused { items, certificate }) => {
                let name = self.name(index).to_owned();
                for text in self.record.refused(&name, &items, &certificate) {
                    self.tell(&text);
                }
            }
            Heard::Line(Line::Ready { .. }) => {}
            Heard::Line(Line::Flying { task }) => self.kill_drone(index, task).await,
            Heard::Ended => {
                if self.processes.get(index).is_some_and(|process| !process.killed) {
                    let name = self.name(index).to_owned();
                    self.tell(&format!("{name} ended by itself; see logs/{name}.log"));
                }
            }
        }
    }

    async fn learn(&mut self, event: NodeEvent) {
        for text in self.record.learn(&event) {
            self.tell(&text);
        }
        if let NodeEvent::Completed { .. } = event {
            self.kill_validator().await;
        }
    }

    /// One honest drone dies in flight, as soon as a quarter of the mission has taken off.
    async fn kill_drone(&mut self, process: usize, task: TaskId) {
        self.flights += 1;
        let index = process.saturating_sub(self.stage.validators.len());
        let all = self.stage.mission.tasks.len();
        let honest = self.stage.drone_files.get(index).is_some_and(|file| file.claims.is_none());
        let wanted = !self.args.no_faults
            && self.record.killed_drone.is_none()
            && self.stage.drones.len() > 2
            && self.flights * 4 >= all;
        if wanted && honest && self.processes[process].kill().await.is_ok() {
            let (name, key) = (&self.stage.drones[index].name, self.stage.drones[index].key);
            let text = format!("{name} killed in flight to {}", self.record.name_of(task));
            self.record.killed_drone = Some((key, self.clock.monotonic()));
            self.tell(&text);
        }
    }

    /// One validator dies after half of the mission, where the committee can bear it.
    async fn kill_validator(&mut self) {
        let (done, all) = (self.record.ended(), self.stage.mission.tasks.len());
        let tolerated = (self.stage.validators.len() - 1) / 3;
        let wanted = !self.args.no_faults
            && self.record.killed_validator.is_none()
            && tolerated > 0
            && done * 2 >= all;
        let index = self.args.seed as usize % self.stage.validators.len();
        if wanted && self.processes[index].kill().await.is_ok() {
            let key: PublicKey = self.stage.validators[index].key;
            self.record.killed_validator = Some((key, self.clock.monotonic()));
            self.tell(&format!("{} killed; the committee goes on", self.name(index)));
        }
    }

    fn name(&self, index: usize) -> &str {
        let mut members = self.stage.validators.iter().chain(&self.stage.drones);
        members.nth(index).map_or("a process", |member| &member.name)
    }

    /// A line of what happens, above the bar; on standard error, so that `--json` stays clean.
    fn tell(&self, text: &str) {
        let seconds = self.clock.monotonic() as f64 / 1000.0;
        let line = format!("{seconds:6.1} s  {text}");
        if self.bar.is_hidden() {
            eprintln!("{line}");
        } else {
            self.bar.println(line);
        }
    }
}

async fn first_address(
    heard: &mut mpsc::UnboundedReceiver<(usize, Heard)>,
    stage: &Stage,
) -> Result<Vec<String>> {
    let log = stage.log(&stage.validators[0].name);
    match tokio::time::timeout(GATHERING, heard.recv()).await.ok().flatten() {
        Some((_, Heard::Line(Line::Ready { addresses }))) => Ok(addresses),
        _ => bail!("the first validator did not start; see {}", log.display()),
    }
}

fn progress_bar(args: &Args, tasks: usize) -> ProgressBar {
    let bar = ProgressBar::new(tasks as u64);
    if args.json || !std::io::stderr().is_terminal() {
        bar.set_draw_target(ProgressDrawTarget::hidden());
    }
    if let Ok(style) = ProgressStyle::with_template("{bar:40.cyan} {pos}/{len} tasks  {elapsed}") {
        bar.set_style(style);
    }
    bar
}
