//! The run itself: bar by bar, until every slice has ended.

use std::time::Duration;

use anyhow::{Context, Result};
use quorate_node::{NodeEvent, TaskHandle};
use quorate_types::{Reason, TaskId};

use super::Args;
use super::broker::{Broker, Child};
use super::stage::{MARKETS, Stage};
use crate::demo::record::Record;
use crate::demo::swarm::{GATHERING, News, Swarm, progress_bar};
use crate::demo::worker::Line;

/// Once slices of a market were awarded, the others are called back after so many milliseconds:
/// its auction is over, they come with the same block.
const GRACE_MS: u64 = 250;
/// A market that awards nothing is left after so many milliseconds.
const PATIENCE_MS: u64 = 6_000;
/// Rounds for what is left when the day is over, at most.
const CLOSING_ROUNDS: usize = 4;

/// A running demonstration.
pub(super) struct Play<'a> {
    args: &'a Args,
    stage: &'a Stage,
    swarm: Swarm<'a>,
    broker: Broker<'a>,
    played: Played,
}

/// What a run leaves.
pub(super) struct Played {
    pub(super) record: Record,
    /// In the order of the record's tasks.
    pub(super) children: Vec<(TaskId, Child)>,
}

/// Slices that are up for auction together.
struct Batch {
    /// Place of the first among all slices.
    first: usize,
    submitted_ms: u64,
    /// When the first of each market was seen to be awarded.
    awarded_ms: [Option<u64>; MARKETS.len()],
    /// Markets whose slices were called back.
    called_back: [bool; MARKETS.len()],
}

impl<'a> Play<'a> {
    /// Starts every process.
    pub(super) async fn start(args: &'a Args, stage: &'a Stage) -> Result<Self> {
        let slices: u64 = stage.orders.iter().map(|order| order.lots).sum();
        let bar = progress_bar(args.json, usize::try_from(slices).unwrap_or(usize::MAX));
        let swarm = Swarm::start(&stage.setting, "trader", bar).await?;
        let telling = [Reason::BudgetExceeded, Reason::Unopened, Reason::Barred];
        let record = Record::new(&stage.setting, swarm.clock, &telling);
        let played = Played {
            record,
            children: Vec::new(),
        };
        Ok(Self {
            args,
            stage,
            swarm,
            broker: Broker::new(stage),
            played,
        })
    }

    /// Runs until every slice has ended, or the time is up; then stops every process.
    pub(super) async fn run(mut self) -> Result<Played> {
        let limit = Duration::from_secs(self.args.timeout);
        match tokio::time::timeout(limit, self.trade()).await {
            Ok(traded) => traded?,
            Err(_) => self
                .swarm
                .say(&format!("time is up after {} s", self.args.timeout)),
        }
        self.swarm.stop().await;
        Ok(self.played)
    }

    async fn trade(&mut self) -> Result<()> {
        let all: u64 = self.stage.orders.iter().map(|order| order.lots).sum();
        let bars = self.stage.bars.bars.len();
        self.swarm.say(&format!(
            "{} orders, to be cut into {all} slices over {bars} bars",
            self.stage.orders.len()
        ));
        for bar in 0..bars {
            let children = self.broker.slices(bar);
            self.auction(children).await?;
        }
        for _ in 0..CLOSING_ROUNDS {
            let children = self.broker.closing_slices();
            if !children.is_empty() {
                self.swarm
                    .say(&format!("at the close: {} slices", children.len()));
            }
            self.auction(children).await?;
        }
        while !self.played.record.is_over() && self.take().await {}
        Ok(())
    }

    /// Puts slices up, and waits until each is awarded or called back.
    async fn auction(&mut self, children: Vec<Child>) -> Result<()> {
        if children.is_empty() {
            return Ok(());
        }
        let specs = children.iter().map(|child| self.broker.spec(child));
        let submitted = self
            .swarm
            .operator
            .submit_all(specs.collect::<Result<_, _>>()?);
        let handles = tokio::time::timeout(GATHERING, submitted)
            .await
            .context("the swarm did not take the slices within 20 s; see logs/")??;
        let ids: Vec<TaskId> = handles.iter().map(TaskHandle::id).collect();
        let names = children.iter().map(|child| child.slice.id.clone());
        let mut batch = Batch {
            first: self.played.children.len(),
            submitted_ms: self.played.record.now(),
            awarded_ms: [None; MARKETS.len()],
            called_back: [false; MARKETS.len()],
        };
        self.played.record.submitted(ids.iter().copied().zip(names));
        self.played.children.extend(ids.into_iter().zip(children));
        while !self.is_settled(&mut batch).await? && self.take().await {}
        for (task, child) in &self.played.children[batch.first..] {
            if self.played.is_bought(*task) {
                self.broker.bought(child.order);
            }
        }
        Ok(())
    }

    /// Whether each slice of a batch is awarded or ended; calls those back that nobody took.
    async fn is_settled(&mut self, batch: &mut Batch) -> Result<bool> {
        let now = self.played.record.now();
        let mut open: Vec<(TaskId, usize)> = Vec::new();
        for (task, child) in &self.played.children[batch.first..] {
            let facts = self.played.record.task(*task);
            if self.played.is_bought(*task) {
                batch.awarded_ms[child.market].get_or_insert(now);
            } else if facts.is_some_and(|facts| facts.state.is_none()) {
                open.push((*task, child.market));
            }
        }
        for market in 0..MARKETS.len() {
            let due = match batch.awarded_ms[market] {
                Some(awarded) => awarded + GRACE_MS,
                None => batch.submitted_ms + PATIENCE_MS,
            };
            if now < due || batch.called_back[market] {
                continue;
            }
            batch.called_back[market] = true;
            for (task, _) in open.iter().filter(|(_, of)| *of == market) {
                self.swarm.operator.cancel(*task).await?;
            }
        }
        Ok(open.is_empty())
    }

    /// Takes in what happens next; `false` where nothing will.
    async fn take(&mut self) -> bool {
        match self.swarm.next().await {
            News::Line(index, line) => self.hear(index, line),
            News::Event(event) => self.learn(&event),
            News::Tick => {
                let bought = self.played.children.iter();
                let bought = bought
                    .filter(|(task, _)| self.played.is_bought(*task))
                    .count();
                self.swarm.bar.set_position(bought as u64);
            }
            News::Closed => return false,
        }
        true
    }

    fn hear(&mut self, index: usize, line: Line) {
        match line {
            Line::Height(decided) => self.played.record.height(&decided),
            Line::Refused { items, certificate } => {
                let name = self.swarm.name(index).to_owned();
                for text in self.played.record.refused(&name, &items, &certificate) {
                    self.swarm.say(&text);
                }
            }
            Line::Ready { .. } | Line::Working { .. } => {}
        }
    }

    fn learn(&mut self, event: &NodeEvent) {
        for text in self.played.record.learn(event) {
            self.swarm.say(&text);
        }
    }
}

impl Played {
    /// Whether a slice was awarded, and not called back or given up afterwards.
    pub(super) fn is_bought(&self, task: TaskId) -> bool {
        use crate::report::TaskState::Completed;
        self.record.task(task).is_some_and(|facts| {
            facts.certified.is_some() && facts.state.is_none_or(|state| state == Completed)
        })
    }
}
