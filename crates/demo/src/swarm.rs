//! The running swarm of a demonstration: its processes, the operator's node, and their news.

use std::collections::{BTreeSet, VecDeque};
use std::io::IsTerminal;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, bail};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use quorate_node::{Clock, DossierBundle, Node, NodeError, NodeEvent, NodeHandle, store_dossier};
use quorate_types::Hash;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, mpsc};
use tokio::task::JoinSet;
use tokio::time::Interval;

use crate::processes::{Heard, Process};
use crate::setting::{Member, Setting};
use crate::worker::Line;

/// The longest wait for the next process to be ready, and for the swarm to take a submission.
pub(super) const GATHERING: Duration = Duration::from_secs(20);
/// The interval at which a demonstration checks what is due while nothing else happens.
const TICK: Duration = Duration::from_millis(100);

/// The longest wait for dossiers that are still on their way at the end of a run.
const DOSSIER_LIMIT: Duration = Duration::from_secs(5);

/// The processes of a run, and the operator's node, which runs in this process.
pub(super) struct DemoSwarm<'a> {
    pub(super) setting: &'a Setting,
    pub(super) clock: Clock,
    pub(super) operator: NodeHandle,
    pub(super) bar: ProgressBar,
    processes: Vec<Process>,
    heard: mpsc::UnboundedReceiver<(usize, Heard)>,
    events: broadcast::Receiver<NodeEvent>,
    /// Lines that processes sent while the swarm gathered.
    early: VecDeque<(usize, Line)>,
    tick: Interval,
    /// The clearings whose dossiers are kept or on their way.
    clearings: BTreeSet<Hash>,
    dossiers: JoinSet<Fetched>,
}

/// The clearing whose dossier was asked for, and the answer.
type Fetched = (Hash, Result<Option<Arc<DossierBundle>>, NodeError>);

/// The next thing that happened in a swarm.
pub(super) enum News {
    /// The process with this index sent a line.
    Line(usize, Line),
    /// The operator's node learned something.
    Event(Box<NodeEvent>),
    /// [`TICK`] has passed.
    Tick,
    /// The operator's node has stopped.
    Closed,
}

impl<'a> DemoSwarm<'a> {
    /// Starts every process and waits until each is ready. The first validator knows no other
    /// member; all others know only the first validator. Agents run as workers of `role`.
    pub(super) async fn start(setting: &'a Setting, role: &str, bar: ProgressBar) -> Result<Self> {
        let clock = Clock::start();
        let (say, mut heard) = mpsc::unbounded_channel();
        let mut processes = Vec::new();
        let mut boot = Vec::new();

        for validator in &setting.validators {
            Setting::configure(&validator.data_dir, true, &boot)?;
            let index = processes.len();
            processes.push(start(setting, validator, "validator", index, &say)?);

            // Its port is known only once it listens, and all others start from its address.
            if index == 0 {
                boot = first_address(&mut heard, setting).await?;
            }
        }

        for agent in &setting.agents {
            Setting::configure(&agent.data_dir, false, &boot)?;
            // Agents are numbered after the validators: see `name`.
            let index = processes.len();
            processes.push(start(setting, agent, role, index, &say)?);
        }

        let operator = start_operator(setting, &boot).await?;
        let events = operator.subscribe();

        let mut swarm = Self {
            setting,
            clock,
            operator,
            bar,
            processes,
            heard,
            events,
            early: VecDeque::new(),
            tick: tokio::time::interval(TICK),
            clearings: BTreeSet::new(),
            dossiers: JoinSet::new(),
        };

        swarm.gather(role).await?;
        Ok(swarm)
    }

    /// Waits until each process is ready.
    async fn gather(&mut self, role: &str) -> Result<()> {
        let all = self.processes.len();
        // The first validator was ready in `first_address`.
        let mut ready = 1;

        while ready < all {
            let next = tokio::time::timeout(GATHERING, self.heard.recv()).await;
            match next.ok().flatten() {
                Some((_, Heard::Line(Line::Ready { .. }))) => ready += 1,
                Some((index, Heard::Ended)) => {
                    let name = self.name(index);
                    let log = self.setting.log(name);
                    bail!("{name} ended while it started; see {}", log.display())
                }

                // A process may have news before the last one is ready.
                Some((index, Heard::Line(line))) => self.early.push_back((index, line)),
                None => bail!("only {ready} of {all} processes were ready within 20 s; see logs/"),
            }
        }

        self.say(&format!(
            "{} validators and {} {role}s run as {all} processes, pid {}",
            self.setting.validators.len(),
            self.setting.agents.len(),
            std::process::id()
        ));

        Ok(())
    }

    /// Waits for the next news. The future may be dropped at any time: no news is lost.
    pub(super) async fn next(&mut self) -> News {
        // News that came while the swarm gathered is first.
        if let Some((index, line)) = self.early.pop_front() {
            return News::Line(index, line);
        }

        loop {
            tokio::select! {
                Some((index, heard)) = self.heard.recv() => match heard {
                    Heard::Line(line) => return News::Line(index, line),
                    Heard::Ended => self.ended(index),
                },

                event = self.events.recv() => match event {
                    Ok(event) => {
                        self.fetch_dossier(&event);
                        return News::Event(Box::new(event));
                    }
                    Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => return News::Closed,
                },

                Some(Ok((clearing, fetched))) = self.dossiers.join_next() => {
                    self.keep_dossier(&clearing, fetched.ok().flatten().as_deref());
                }

                _ = self.tick.tick() => return News::Tick,
            }
        }
    }

    /// Asks for the dossier of the auction that an award followed from, once for each auction. It
    /// asks at once, because validators keep only recent dossiers.
    fn fetch_dossier(&mut self, event: &NodeEvent) {
        let NodeEvent::Awarded { certificate, .. } = event else {
            return;
        };
        let Some(assignment) = certificate.assignment() else {
            return;
        };

        let clearing = assignment.clearing;
        if self.clearings.insert(clearing) {
            let dossier = self.operator.dossier(clearing);
            self.dossiers
                .spawn(async move { (clearing, dossier.await) });
        }
    }

    /// Keeps a dossier in the run folder. One that does not come is missing from the audit, which
    /// says so.
    fn keep_dossier(&self, clearing: &Hash, bundle: Option<&DossierBundle>) {
        let Some(bundle) = bundle else { return };
        if let Err(error) = store_dossier(&self.setting.certificates(), clearing, bundle) {
            self.say(&error.to_string());
        }
    }

    fn ended(&self, index: usize) {
        let process = self.processes.get(index);
        if process.is_some_and(|process| !process.killed) {
            let name = self.name(index);
            self.say(&format!("{name} ended unexpectedly; see logs/{name}.log"));
        }
    }

    /// Kills a process without warning. Returns whether it could be killed.
    pub(super) async fn kill(&mut self, index: usize) -> bool {
        match self.processes.get_mut(index) {
            Some(process) => process.kill().await.is_ok(),
            None => false,
        }
    }

    /// Waits for dossiers that are on their way, then ends the operator's node and every process.
    pub(super) async fn stop(mut self) {
        self.bar.finish_and_clear();

        let left = async {
            while let Some(fetched) = self.dossiers.join_next().await {
                let Ok((clearing, fetched)) = fetched else {
                    continue;
                };
                self.keep_dossier(&clearing, fetched.ok().flatten().as_deref());
            }
        };

        // A dossier that does not come in time is missing from the audit, which says so.
        let _ = tokio::time::timeout(DOSSIER_LIMIT, left).await;
        self.operator.shutdown().await;

        for mut process in self.processes {
            process.stop().await;
        }
    }

    pub(super) fn name(&self, index: usize) -> &str {
        let mut members = self.setting.validators.iter().chain(&self.setting.agents);
        members
            .nth(index)
            .map_or("a process", |member| &member.name)
    }

    /// Prints a line of news above the bar: on standard error, so that `--json` stays clean.
    pub(super) fn say(&self, text: &str) {
        let seconds = self.clock.monotonic().0 as f64 / 1000.0;
        let line = format!("{seconds:6.1} s  {text}");
        if self.bar.is_hidden() {
            eprintln!("{line}");
        } else {
            self.bar.println(line);
        }
    }
}

/// Starts the operator's node. It runs in this process, so it is not one of the processes.
async fn start_operator(setting: &Setting, boot: &[String]) -> Result<NodeHandle> {
    Setting::configure(&setting.operator, false, boot)?;
    let builder = Node::builder(setting.operator.clone());
    Ok(builder.start().await?)
}

/// Starts the process of a member in this role. What is heard of it comes with `index`.
fn start(
    setting: &Setting,
    member: &Member,
    role: &str,
    index: usize,
    say: &mpsc::UnboundedSender<(usize, Heard)>,
) -> Result<Process> {
    let log = setting.log(&member.name);
    Process::start(role, member.data_dir.root(), &log, index, say.clone())
}

async fn first_address(
    heard: &mut mpsc::UnboundedReceiver<(usize, Heard)>,
    setting: &Setting,
) -> Result<Vec<String>> {
    let log = setting.log(&setting.validators[0].name);

    match tokio::time::timeout(GATHERING, heard.recv())
        .await
        .ok()
        .flatten()
    {
        Some((_, Heard::Line(Line::Ready { addresses }))) => Ok(addresses),
        _ => bail!("the first validator did not start; see {}", log.display()),
    }
}

/// Returns a progress bar. It is hidden with `--json` and if standard error is not a terminal.
pub(super) fn progress_bar(json: bool, length: usize) -> ProgressBar {
    let bar = ProgressBar::new(length as u64);
    if json || !std::io::stderr().is_terminal() {
        bar.set_draw_target(ProgressDrawTarget::hidden());
    }

    if let Ok(style) = ProgressStyle::with_template("{bar:40.cyan} {pos}/{len} tasks  {elapsed}") {
        bar.set_style(style);
    }

    bar
}
