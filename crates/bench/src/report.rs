//! The report of a run, as JSON and as a table beside the aims of the project.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use serde::Serialize;

use crate::args::{Args, Mix, Transport};
use crate::floor::Floor;
use crate::quantiles::{Quantiles, round};
use crate::sample::Sample;

/// The counts and the usage between begin and end.
pub(super) struct Measured {
    pub(super) sample: Sample,
    pub(super) elapsed: Duration,
    /// The CPU time of one validator, on average.
    pub(super) cpu: Duration,
    /// The CPU time of this process, which is the load.
    pub(super) load_cpu: Duration,
    /// The resident memory of the largest validator.
    pub(super) rss_bytes: u64,
}

/// The object that `--json` prints; `quorate bench --help` defines its keys. A value is `null` if
/// there was nothing to measure it on. Keys may be added, not changed; each part adds its keys to
/// the one object.
#[derive(Debug, Serialize)]
pub(super) struct BenchReport {
    #[serde(flatten)]
    setup: Setup,
    #[serde(flatten)]
    heights: Heights,
    #[serde(flatten)]
    latency: Latency,
    #[serde(flatten)]
    throughput: Throughput,
    #[serde(flatten)]
    floor: BesideFloor,
    #[serde(flatten)]
    traffic: Traffic,
    #[serde(flatten)]
    usage: Usage,
}

impl BenchReport {
    pub(super) fn new(args: &Args, floor: &Floor, measured: Measured) -> Self {
        let rates = Rates::of(&measured);
        let living = (args.validators - args.dead) as f64;

        let heights = Heights::of(&measured.sample, &rates);
        let throughput = Throughput::of(&measured.sample, &rates);
        let traffic = Traffic::of(&measured.sample, &rates, living);
        let usage = Usage::of(&measured, &rates);
        let latency = Latency::of(measured.sample);

        Self {
            setup: Setup::of(args),
            heights,
            floor: BesideFloor::of(floor, args.validators, latency.commit_ms),
            latency,
            throughput,
            traffic,
            usage,
        }
    }

    /// Returns a table for a person: a line for each number, with the aim of the project if there
    /// is one.
    pub(super) fn table(&self) -> String {
        let mut table = Table(self.setup.heading(self.heights.duration_s));

        table.row("", String::new(), "");
        self.latency.list(&mut table, self.setup.latency_aim());
        self.floor.list(&mut table);
        self.heights.list(&mut table);
        self.throughput.list(&mut table);
        self.traffic.list(&mut table);
        self.usage.list(&mut table, &self.setup);

        table.0.trim_end().to_owned()
    }
}

/// The text of a table.
struct Table(String);

impl Table {
    /// Adds a line: the name of a number, the number, and a note.
    fn row(&mut self, name: &str, value: String, note: &str) {
        // Writing to a string does not fail.
        let _ = writeln!(self.0, "{name:<28}{value:>20}   {note}");
    }
}

/// The numbers that the counts of a run are divided by.
struct Rates {
    seconds: f64,
    heights: f64,
    operations: f64,
}

impl Rates {
    fn of(measured: &Measured) -> Self {
        Self {
            seconds: measured.elapsed.as_secs_f64(),
            heights: measured.sample.heights as f64,
            operations: measured.sample.operations as f64,
        }
    }

    fn per_second(&self, of: f64) -> f64 {
        round(of / self.seconds)
    }

    /// Returns a count by height; `None` if there were no heights.
    fn per_height(&self, of: f64) -> Option<f64> {
        (self.heights > 0.0).then(|| round(of / self.heights))
    }

    /// Returns a count by operation; `None` if there were no operations.
    fn per_operation(&self, of: f64) -> Option<f64> {
        (self.operations > 0.0).then(|| round(of / self.operations))
    }

    /// Returns a CPU time in percent of the time of the run.
    fn percent(&self, cpu: Duration) -> f64 {
        round(100.0 * cpu.as_secs_f64() / self.seconds)
    }
}

/// The arguments of the run, and the cores of this computer.
#[derive(Debug, Serialize)]
struct Setup {
    validators: u64,
    dead: u64,
    agents: u64,
    mix: Mix,
    payload_bytes: u64,
    rate: u64,
    in_flight: u64,
    idle: bool,
    transport: Transport,
    cores: usize,
}

impl Setup {
    fn of(args: &Args) -> Self {
        Self {
            validators: args.validators,
            dead: args.dead,
            agents: args.agents,
            mix: args.mix,
            payload_bytes: args.payload_bytes,
            rate: args.rate,
            in_flight: args.in_flight,
            idle: args.idle,
            transport: args.transport,
            cores: std::thread::available_parallelism().map_or(1, usize::from),
        }
    }

    fn heading(&self, seconds: f64) -> String {
        let Self {
            validators,
            dead,
            agents,
            payload_bytes,
            ..
        } = self;

        let committee = format!("{validators} validators, {dead} dead");
        let load = match (self.idle, self.rate) {
            (true, _) => "idle".to_owned(),
            (false, 0) => format!("{agents} agents with {} under way each", self.in_flight),
            (false, rate) => format!("{agents} agents, {rate} tasks/s"),
        };

        let mix = match self.mix {
            Mix::SubmitCancel => "each canceled once it is open",
            Mix::PileUp => "piling up",
            Mix::FirstPrice => "whole lives, first price",
            Mix::Assignment => "whole lives, least cost",
        };

        format!("{committee}; {load}; tasks of {payload_bytes} bytes, {mix}; {seconds:.0} s\n")
    }

    fn latency_aim(&self) -> &'static str {
        match self.validators {
            4 => "aim: 4 ms",
            _ => "aim at 7 validators: twice that at 4",
        }
    }
}

/// The length of the run, and the heights that were decided in it.
#[derive(Debug, Serialize)]
struct Heights {
    duration_s: f64,
    heights: u64,
    heights_per_s: f64,
    later_rounds: u64,
}

impl Heights {
    fn of(sample: &Sample, rates: &Rates) -> Self {
        Self {
            duration_s: round(rates.seconds),
            heights: sample.heights,
            heights_per_s: rates.per_second(rates.heights),
            later_rounds: sample.later_rounds,
        }
    }

    fn list(&self, table: &mut Table) {
        let per_second = format!("{:.1} /s", self.heights_per_s);
        let later = format!("{} in later rounds", self.later_rounds);
        table.row("heights", per_second, &later);
    }
}

/// The times to a commit.
#[derive(Debug, Serialize)]
struct Latency {
    commit_ms: Option<Quantiles>,
    received_to_commit_ms: Option<Quantiles>,
    submit_to_commit_ms: Option<Quantiles>,
}

impl Latency {
    fn of(sample: Sample) -> Self {
        Self {
            commit_ms: Quantiles::of_micros(sample.built_us),
            received_to_commit_ms: Quantiles::of_micros(sample.received_us),
            submit_to_commit_ms: Quantiles::of_micros(sample.submitted_us),
        }
    }

    fn list(&self, table: &mut Table, aim: &str) {
        table.row("commit, p50 / p99", times(self.commit_ms), aim);

        let received = times(self.received_to_commit_ms);
        table.row("  seen by the others", received, "");

        let submitted = times(self.submit_to_commit_ms);
        table.row("submission to commit", submitted, "");
    }
}

/// The operations that were committed, and the tasks that they left open.
#[derive(Debug, Serialize)]
struct Throughput {
    operations_per_s: f64,
    operations_per_commit: Option<f64>,
    assignments_per_s: f64,
    refusals: u64,
    open_tasks_at_begin: u64,
    open_tasks_at_end: u64,
}

impl Throughput {
    fn of(sample: &Sample, rates: &Rates) -> Self {
        Self {
            operations_per_s: rates.per_second(rates.operations),
            operations_per_commit: rates.per_height(rates.operations),
            assignments_per_s: rates.per_second(sample.assignments as f64),
            refusals: sample.refusals,
            open_tasks_at_begin: sample.open_tasks_at_begin,
            open_tasks_at_end: sample.open_tasks_at_end,
        }
    }

    fn list(&self, table: &mut Table) {
        let refused = match self.refusals {
            0 => String::new(),
            refusals => format!("{refusals} refused, whole or in part"),
        };

        let operations = format!("{:.0} /s", self.operations_per_s);
        table.row("operations", operations, &refused);

        let assignments = format!("{:.0} /s", self.assignments_per_s);
        table.row("assignments", assignments, "");

        let open = format!("{} / {}", self.open_tasks_at_begin, self.open_tasks_at_end);
        table.row("open tasks, begin / end", open, "");
    }
}

/// The floor of the run, and the median commit latency divided by it.
#[derive(Debug, Serialize)]
struct BesideFloor {
    floor_ms: f64,
    floor: Floor,
    floor_ratio: Option<f64>,
}

impl BesideFloor {
    fn of(floor: &Floor, validators: u64, commit_ms: Option<Quantiles>) -> Self {
        let floor_ms = floor.commit_ms(validators);

        Self {
            floor_ms,
            floor: *floor,
            floor_ratio: commit_ms.map(|of| round(of.p50 / floor_ms)),
        }
    }

    fn list(&self, table: &mut Table) {
        let floor = format!("{:.2} ms", self.floor_ms);
        table.row("floor of this run", floor, &self.floor.to_string());
        table.row("commit by floor", number(self.floor_ratio), "");
    }
}

/// The frames and bytes between validators, and the signatures that each of them checked.
#[derive(Debug, Serialize)]
struct Traffic {
    messages_per_commit: Option<f64>,
    messages_per_commit_by_lane: BTreeMap<String, f64>,
    bytes_per_commit: Option<f64>,
    signatures_per_operation: Option<f64>,
}

impl Traffic {
    /// `living` is the number of live validators.
    fn of(sample: &Sample, rates: &Rates, living: f64) -> Self {
        let frames: u64 = sample.frames.values().sum();
        let lanes = sample.frames.iter().filter_map(|(lane, frames)| {
            let per_height = rates.per_height(*frames as f64)?;
            Some((lane.clone(), per_height))
        });

        Self {
            messages_per_commit: rates.per_height(frames as f64),
            messages_per_commit_by_lane: lanes.collect(),
            bytes_per_commit: rates.per_height(sample.bytes as f64),
            // The sample has the signatures of all live validators.
            signatures_per_operation: rates.per_operation(sample.signatures as f64 / living),
        }
    }

    fn list(&self, table: &mut Table) {
        let messages = number(self.messages_per_commit);
        table.row("messages per commit", messages, &self.lanes());
        table.row("bytes per commit", number(self.bytes_per_commit), "");

        let signatures = number(self.signatures_per_operation);
        table.row("signatures per operation", signatures, "checked, a node");
    }

    fn lanes(&self) -> String {
        let lanes = self.messages_per_commit_by_lane.iter();
        let lanes: Vec<_> = lanes
            .map(|(lane, frames)| format!("{lane} {frames:.1}"))
            .collect();
        lanes.join(", ")
    }
}

/// The CPU time and the memory of the validators, and the CPU time of the load.
#[derive(Debug, Serialize)]
struct Usage {
    cpu_ms_per_height: Option<f64>,
    cpu_us_per_operation: Option<f64>,
    cpu_percent: f64,
    load_cpu_percent: f64,
    rss_mib: f64,
}

impl Usage {
    fn of(measured: &Measured, rates: &Rates) -> Self {
        let cpu = measured.cpu.as_secs_f64();

        Self {
            cpu_ms_per_height: rates.per_height(cpu * 1e3),
            cpu_us_per_operation: rates.per_operation(cpu * 1e6),
            cpu_percent: rates.percent(measured.cpu),
            load_cpu_percent: rates.percent(measured.load_cpu),
            rss_mib: round(measured.rss_bytes as f64 / 1_048_576.0),
        }
    }

    fn list(&self, table: &mut Table, setup: &Setup) {
        let per_height = unit(self.cpu_ms_per_height, "ms");
        table.row("CPU per height, a node", per_height, "aim: 1.5 ms");

        let per_operation = unit(self.cpu_us_per_operation, "us");
        table.row("CPU per operation, a node", per_operation, "");

        let percent = format!("{:.1}%", self.cpu_percent);
        let load = format!("load {:.0}%, {} cores", self.load_cpu_percent, setup.cores);
        table.row("CPU, a node", percent, &load);

        let memory = format!("{:.1} MiB", self.rss_mib);
        let aim = if setup.idle { "aim: 40 MiB" } else { "" };
        table.row("memory, the largest node", memory, aim);
    }
}

fn times(of: Option<Quantiles>) -> String {
    of.map_or("-".to_owned(), |of| {
        format!("{:.2} / {:.2} ms", of.p50, of.p99)
    })
}

fn number(of: Option<f64>) -> String {
    of.map_or("-".to_owned(), |of| format!("{of:.1}"))
}

fn unit(of: Option<f64>, unit: &str) -> String {
    of.map_or("-".to_owned(), |of| format!("{of:.2} {unit}"))
}
