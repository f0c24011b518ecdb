//! The run of the trading demonstration: bar by bar, until every slice has ended.

use anyhow::{Context, Result};
use humantime::format_duration;
use quorate_node::{NodeEvent, TaskHandle};
use quorate_types::{Reason, TaskId};

use super::args::Args;
use super::broker::{Broker, Child};
use super::stage::{MARKETS, TradingSetup};
use crate::record::Record;
use crate::swarm::{DemoSwarm, GATHERING, News, progress_bar};
use crate::worker::Line;

/// Milliseconds from when slices of a market were seen to be awarded until its other slices are
/// called back. Its auction is over by then: all of its awards come with the same block.
const GRACE_MS: u64 = 250;
/// Milliseconds after which the slices of a market that awards nothing are called back.
const PATIENCE_MS: u64 = 6_000;
/// The most rounds of auctions for what is left when the day is over.
const CLOSING_ROUNDS: usize = 4;

/// A running demonstration.
pub(super) struct Play<'a> {
    args: &'a Args,
    stage: &'a TradingSetup,
    swarm: DemoSwarm<'a>,
    broker: Broker<'a>,
    played: Played,
}

/// The facts that a run leaves.
pub(super) struct Played {
    pub(super) record: Record,
    /// The slices and their tasks, in the order of the record's tasks.
    pub(super) children: Vec<(TaskId, Child)>,
}

/// Slices that are up for auction together.
struct Batch {
    /// The index of its first slice among all slices.
    first: usize,
    submitted_ms: u64,
    /// When the first award in each market was seen.
    awarded_ms: [Option<u64>; MARKETS.len()],
    /// Whether the slices of each market were called back.
    called_back: [bool; MARKETS.len()],
}

impl Batch {
    /// Returns when the open slices of a market are called back: see `GRACE_MS` and `PATIENCE_MS`.
    fn due_ms(&self, market: usize) -> u64 {
        match self.awarded_ms[market] {
            Some(awarded) => awarded + GRACE_MS,
            None => self.submitted_ms + PATIENCE_MS,
        }
    }
}

impl<'a> Play<'a> {
    /// Starts every process.
    pub(super) async fn start(args: &'a Args, stage: &'a TradingSetup) -> Result<Self> {
        let slices: u64 = stage.orders.iter().map(|order| order.lots).sum();
        let bar = progress_bar(args.run.json, usize::try_from(slices).unwrap_or(usize::MAX));
        let swarm = DemoSwarm::start(&stage.setting, "trader", bar).await?;

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

    /// Runs until every slice has ended or the time is up, then stops every process.
    pub(super) async fn run(mut self) -> Result<Played> {
        let limit = self.args.run.timeout;
        match tokio::time::timeout(limit, self.trade()).await {
            Ok(traded) => traded?,
            Err(_) => self
                .swarm
                .say(&format!("time is up after {}", format_duration(limit))),
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

        self.auction_rest().await?;
        // Slices that were awarded still have to be completed.
        while !self.played.record.is_over() && self.take().await {}

        Ok(())
    }

    /// Puts up what is left at the close. A slice that nobody takes then is put up again.
    async fn auction_rest(&mut self) -> Result<()> {
        for _ in 0..CLOSING_ROUNDS {
            let children = self.broker.closing_slices();
            let count = children.len();
            if count > 0 {
                self.swarm.say(&format!("at the close: {count} slices"));
            }
            self.auction(children).await?;
        }

        Ok(())
    }

    /// Puts slices up for auction, and waits until each is awarded or has ended.
    async fn auction(&mut self, children: Vec<Child>) -> Result<()> {
        if children.is_empty() {
            return Ok(());
        }

        let mut batch = self.submit(children).await?;
        while !self.is_settled(&mut batch).await? && self.take().await {}

        // The next slices depend on those that were bought.
        for (task, child) in &self.played.children[batch.first..] {
            if self.played.is_bought(*task) {
                self.broker.bought(child.order);
            }
        }

        Ok(())
    }

    async fn submit(&mut self, children: Vec<Child>) -> Result<Batch> {
        let ids = self.submit_tasks(&children).await?;

        let batch = Batch {
            first: self.played.children.len(),
            submitted_ms: self.played.record.now(),
            awarded_ms: [None; MARKETS.len()],
            called_back: [false; MARKETS.len()],
        };

        // The record must know the slices before it takes in news of them.
        let names = children.iter().map(|child| child.slice.id.clone());
        self.played.record.submitted(ids.iter().copied().zip(names));
        self.played.children.extend(ids.into_iter().zip(children));

        Ok(batch)
    }

    async fn submit_tasks(&self, children: &[Child]) -> Result<Vec<TaskId>> {
        let specs = children.iter().map(|child| self.broker.spec(child));
        let specs = specs.collect::<Result<_, _>>()?;

        let submitted = self.swarm.operator.submit_all(specs);
        let handles = tokio::time::timeout(GATHERING, submitted)
            .await
            .context("the swarm did not take the slices within 20 s; see logs/")??;

        Ok(handles.iter().map(TaskHandle::id).collect())
    }

    /// Checks whether each slice of a batch is awarded or has ended. Calls back the slices that
    /// nobody took.
    async fn is_settled(&mut self, batch: &mut Batch) -> Result<bool> {
        let open = self.note_awards(batch);
        let now = self.played.record.now();
        // Each market is settled for itself.
        for market in 0..MARKETS.len() {
            if now < batch.due_ms(market) || batch.called_back[market] {
                continue;
            }

            batch.called_back[market] = true;
            for (task, _) in open.iter().filter(|(_, of)| *of == market) {
                self.swarm.operator.cancel(*task).await?;
            }
        }

        Ok(open.is_empty())
    }

    /// Notes the markets of a batch that have made an award. Returns the slices that are still
    /// open, each with its market.
    fn note_awards(&self, batch: &mut Batch) -> Vec<(TaskId, usize)> {
        let now = self.played.record.now();
        let mut open = Vec::new();

        for (task, child) in &self.played.children[batch.first..] {
            let facts = self.played.record.task(*task);
            if self.played.is_bought(*task) {
                batch.awarded_ms[child.market].get_or_insert(now);
            } else if facts.is_some_and(|facts| facts.state.is_none()) {
                open.push((*task, child.market));
            }
        }

        open
    }

    /// Takes in the next news. Returns `false` if there will be none.
    async fn take(&mut self) -> bool {
        match self.swarm.next().await {
            News::Line(index, line) => self.hear(index, line),
            News::Event(event) => self.learn(&event),
            News::Tick => {
                // The bar counts slices that were bought: those called back are put up again.
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
    /// Checks whether a slice was awarded, and neither called back nor given up afterwards.
    pub(super) fn is_bought(&self, task: TaskId) -> bool {
        use crate::report::TaskState::Completed;
        self.record.task(task).is_some_and(|facts| {
            facts.certified.is_some() && facts.state.is_none_or(|state| state == Completed)
        })
    }
}
