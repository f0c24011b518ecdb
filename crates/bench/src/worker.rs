//! A process of a measurement: a validator that counts what it commits and reports to its parent.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use quorate_console::say;
use quorate_network::Counters;
use quorate_node::{CommittedBlock, CrashPoints, DataDir, Validator, ValidatorEvent};
use quorate_types::{OperationBody, Outcome, PublicKey, SignedOperation};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use crate::args::WorkerArgs;
use crate::sample::{BEGIN, END, HeightProgress, Line, Sample};
use crate::stamp::{self, STAMP_BYTES};

/// The longest time until a socket is bound, and until all other validators are connected.
const START_LIMIT: Duration = Duration::from_secs(60);

pub(super) async fn run(args: WorkerArgs) -> Result<ExitCode> {
    let data_dir = DataDir::new(args.data_dir);
    let others = data_dir.genesis()?.validators.len().saturating_sub(1);
    let validator = Validator::start(&data_dir, CrashPoints::default()).await?;
    let events = validator.subscribe();
    report_ready(&validator, others).await?;

    let mut worker = Worker {
        // Counting begins anew with `BEGIN`; everything before it is dropped.
        counting: Counting::from(&validator),
        validator,
        tells: args.tells,
    };

    match worker.work(events).await? {
        Ended::Parent => {
            worker.validator.shutdown().await?;
            Ok(ExitCode::SUCCESS)
        }
        Ended::Validator => Ok(ExitCode::FAILURE),
    }
}

/// Reports the addresses of a validator once it listens, and then that it is connected with all
/// `others`.
async fn report_ready(validator: &Validator, others: usize) -> Result<()> {
    until("no socket could be bound", || {
        !validator.addresses().is_empty()
    })
    .await?;

    let addresses = validator
        .addresses()
        .iter()
        .map(ToString::to_string)
        .collect();
    tell(&Line::Ready { addresses })?;

    until("not all validators were connected", || {
        validator.status().connected_validators >= others
    })
    .await?;
    tell(&Line::Connected)
}

/// Waits until something holds that comes about soon after the start. `otherwise` begins the error.
async fn until(otherwise: &'static str, holds: impl Fn() -> bool) -> Result<()> {
    let held = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };

    tokio::time::timeout(START_LIMIT, held)
        .await
        .with_context(|| format!("{otherwise} within {START_LIMIT:?}"))
}

fn tell(line: &Line) -> Result<()> {
    say(serde_json::to_string(line)?)
}

/// A validator that counts.
struct Worker {
    validator: Validator,
    counting: Counting,
    /// Whether it reports every height.
    tells: bool,
}

/// The side that ended first, after which nothing is left to count.
enum Ended {
    Parent,
    Validator,
}

impl Worker {
    /// Counts, and follows the orders of the parent, until one side ends.
    async fn work(&mut self, mut events: Receiver<ValidatorEvent>) -> Result<Ended> {
        let mut orders = BufReader::new(tokio::io::stdin()).lines();

        loop {
            tokio::select! {
                order = orders.next_line() => match order? {
                    Some(order) => self.follow(&order)?,
                    None => return Ok(Ended::Parent),
                },

                ended = self.validator.wait() => {
                    ended?;
                    return Ok(Ended::Validator);
                }

                event = events.recv() => match event {
                    Ok(ValidatorEvent::Committed(block)) => self.on_commit(&block)?,
                    Err(RecvError::Lagged(missed)) => tracing::warn!(missed, "heights were missed"),
                    Err(RecvError::Closed) => return Ok(Ended::Validator),
                },
            }
        }
    }

    fn follow(&mut self, order: &str) -> Result<()> {
        match order {
            BEGIN => self.counting = Counting::from(&self.validator),
            END => tell(&Line::Sample(Box::new(self.counting.take(&self.validator))))?,
            _ => {}
        }
        Ok(())
    }

    fn on_commit(&mut self, block: &CommittedBlock) -> Result<()> {
        self.counting.count(block);
        if self.tells {
            tell(&Line::Height(progress(block)))?;
        }
        Ok(())
    }
}

/// The counts so far, and the counters of the node as they were when counting began.
struct Counting {
    sample: Sample,
    traffic: Counters,
    signatures: u64,
    me: PublicKey,
}

impl Counting {
    fn from(validator: &Validator) -> Self {
        Self {
            sample: Sample {
                open_tasks_at_begin: open_tasks(validator),
                ..Sample::default()
            },
            traffic: validator.traffic(),
            signatures: validator.status().counters.signatures,
            me: validator.public_key(),
        }
    }

    fn count(&mut self, block: &CommittedBlock) {
        let sample = &mut self.sample;
        sample.heights += 1;
        sample.later_rounds += u64::from(block.round > 0);
        sample.operations += block.operations as u64;

        for outcome in &block.outcomes {
            match outcome {
                Outcome::Assignment(_) => sample.assignments += 1,
                Outcome::Refusal(_) => sample.refusals += 1,
                _ => {}
            }
        }

        self.count_times(block);
    }

    fn count_times(&mut self, block: &CommittedBlock) {
        let sample = &mut self.sample;
        // The builder measures from building on, all others from receipt on.
        let times = match block.builder == self.me {
            true => &mut sample.built_us,
            false => &mut sample.received_us,
        };
        times.extend(block.proposed_to_committed_us.map(saturate));

        let now = stamp::now();
        let stamps = block.content.operations.iter().filter_map(submitted_at);
        sample
            .submitted_us
            .extend(stamps.map(|then| saturate(now.saturating_sub(then))));
    }

    fn take(&mut self, validator: &Validator) -> Sample {
        // Counting begins anew from here; the old counters are compared with the present ones.
        let next = Self::from(validator);
        let Self {
            mut sample,
            traffic,
            signatures,
            ..
        } = std::mem::replace(self, next);

        // The tasks that are open now are those with which the next counting begins.
        sample.open_tasks_at_end = self.sample.open_tasks_at_begin;
        sample.signatures = self.signatures.saturating_sub(signatures);
        let lanes = [
            ("consensus", traffic.consensus, self.traffic.consensus),
            ("bulk", traffic.bulk, self.traffic.bulk),
        ];
        for (name, before, after) in lanes {
            sample
                .frames
                .insert(name.to_owned(), after.sent_frames - before.sent_frames);
            sample.bytes += after.sent_bytes - before.sent_bytes;
        }

        sample
    }
}

/// Returns the number of open tasks in all markets after the last height.
fn open_tasks(validator: &Validator) -> u64 {
    let ledger = validator.status().ledger;
    let windows = ledger.iter().flat_map(|ledger| &ledger.windows);
    windows.map(|window| window.open_tasks).sum()
}

fn saturate(micros: u64) -> u32 {
    u32::try_from(micros).unwrap_or(u32::MAX)
}

/// Returns the stamp that the load put in front of the bytes that are opaque to the swarm.
fn submitted_at(operation: &SignedOperation) -> Option<u64> {
    let opaque = match &operation.payload.body {
        OperationBody::Submit(submit) => &submit.tasks.first()?.payload,
        OperationBody::Accept(report) | OperationBody::Complete(report) => &report.detail,
        _ => return None,
    };
    let stamp = opaque.0.first_chunk::<STAMP_BYTES>()?;
    Some(u64::from_be_bytes(*stamp))
}

/// Returns the facts of a height that the load needs.
fn progress(block: &CommittedBlock) -> HeightProgress {
    let assigned = block.outcomes.iter().filter_map(|outcome| match outcome {
        Outcome::Assignment(made) => Some((made.task, made.token, made.agent)),
        _ => None,
    });

    HeightProgress {
        height: block.height,
        next: next_sequences(block).into_iter().collect(),
        assigned: assigned.collect(),
        cleared: block
            .outcomes
            .iter()
            .any(|outcome| matches!(outcome, Outcome::Clearing(_))),
    }
}

/// Returns the next sequence number of each agent that has operations in a block.
fn next_sequences(block: &CommittedBlock) -> BTreeMap<PublicKey, u64> {
    let mut next = BTreeMap::new();
    for operation in &block.content.operations {
        let payload = &operation.payload;
        let of: &mut u64 = next.entry(payload.agent).or_default();
        *of = (payload.sequence + 1).max(*of);
    }

    next
}
