//! The report of a run, as JSON and as a table beside the aims of the project.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use serde::Serialize;

use super::floor::Floor;
use super::quantiles::{Quantiles, round};
use super::sample::Sample;
use super::{Args, Mix, Transport};

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
/// there was nothing to measure it on. Keys may be added, not changed.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    validators: u64,
    dead: u64,
    agents: u64,
    mix: Mix,
    payload: u64,
    rate: u64,
    window: u64,
    idle: bool,
    transport: Transport,
    cores: usize,
    duration_s: f64,
    heights: u64,
    heights_per_s: f64,
    later_rounds: u64,
    commit_ms: Option<Quantiles>,
    received_to_commit_ms: Option<Quantiles>,
    submit_to_commit_ms: Option<Quantiles>,
    operations_per_s: f64,
    operations_per_commit: Option<f64>,
    assignments_per_s: f64,
    refusals: u64,
    floor_ms: f64,
    floor: Floor,
    floor_ratio: Option<f64>,
    messages_per_commit: Option<f64>,
    messages_per_commit_by_lane: BTreeMap<String, f64>,
    bytes_per_commit: Option<f64>,
    signatures_per_operation: Option<f64>,
    cpu_ms_per_height: Option<f64>,
    cpu_us_per_operation: Option<f64>,
    cpu_percent: f64,
    load_cpu_percent: f64,
    rss_mib: f64,
}

impl Report {
    pub(super) fn new(args: &Args, floor: &Floor, measured: Measured) -> Self {
        let Measured {
            sample,
            elapsed,
            cpu,
            load_cpu,
            rss_bytes,
        } = measured;

        let seconds = elapsed.as_secs_f64();
        let (heights, operations) = (sample.heights as f64, sample.operations as f64);
        // Without heights or operations, there is nothing to divide by.
        let per_height = |of: f64| (heights > 0.0).then(|| round(of / heights));
        let per_operation = |of: f64| (operations > 0.0).then(|| round(of / operations));

        let living = (args.validators - args.dead) as f64;
        let floor_ms = floor.commit_ms(args.validators);
        let commit_ms = Quantiles::of_micros(sample.built_us);
        let frames: u64 = sample.frames.values().sum();

        let lanes = sample
            .frames
            .iter()
            .filter_map(|(lane, frames)| Some((lane.clone(), per_height(*frames as f64)?)));

        Self {
            validators: args.validators,
            dead: args.dead,
            agents: args.agents,
            mix: args.mix,
            payload: args.payload,
            rate: args.rate,
            window: args.window,
            idle: args.idle,
            transport: args.transport,
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            duration_s: round(seconds),
            heights: sample.heights,
            heights_per_s: round(heights / seconds),
            later_rounds: sample.later_rounds,
            commit_ms,
            received_to_commit_ms: Quantiles::of_micros(sample.received_us),
            submit_to_commit_ms: Quantiles::of_micros(sample.submitted_us),
            operations_per_s: round(operations / seconds),
            operations_per_commit: per_height(operations),
            assignments_per_s: round(sample.assignments as f64 / seconds),
            refusals: sample.refusals,
            floor_ms,
            floor: *floor,
            floor_ratio: commit_ms.map(|of| round(of.p50 / floor_ms)),
            messages_per_commit: per_height(frames as f64),
            messages_per_commit_by_lane: lanes.collect(),
            bytes_per_commit: per_height(sample.bytes as f64),
            // The sample has the signatures of all live validators.
            signatures_per_operation: per_operation(sample.signatures as f64 / living),
            cpu_ms_per_height: per_height(cpu.as_secs_f64() * 1e3),
            cpu_us_per_operation: per_operation(cpu.as_secs_f64() * 1e6),
            cpu_percent: round(100.0 * cpu.as_secs_f64() / seconds),
            load_cpu_percent: round(100.0 * load_cpu.as_secs_f64() / seconds),
            rss_mib: round(rss_bytes as f64 / 1_048_576.0),
        }
    }

    /// Returns a table for a person: a line for each number, with the aim of the project if there
    /// is one.
    pub(super) fn table(&self) -> String {
        let mut text = self.heading();
        // Writing to a string does not fail.
        let mut row = |name: &str, value: String, note: &str| {
            let _ = writeln!(text, "{name:<28}{value:>20}   {note}");
        };

        row("", String::new(), "");
        row(
            "commit, p50 / p99",
            times(self.commit_ms),
            self.latency_aim(),
        );
        row(
            "  seen by the others",
            times(self.received_to_commit_ms),
            "",
        );
        row("submission to commit", times(self.submit_to_commit_ms), "");

        let ratio = self
            .floor_ratio
            .map_or("-".to_owned(), |ratio| format!("{ratio:.1}"));
        row(
            "floor of this run",
            format!("{:.2} ms", self.floor_ms),
            &self.floor.to_string(),
        );
        row("commit by floor", ratio, "");

        let heights = format!("{:.1} /s", self.heights_per_s);
        row(
            "heights",
            heights,
            &format!("{} in later rounds", self.later_rounds),
        );

        let refused = match self.refusals {
            0 => String::new(),
            refusals => format!("{refusals} refused, whole or in part"),
        };
        row(
            "operations",
            format!("{:.0} /s", self.operations_per_s),
            &refused,
        );
        row(
            "assignments",
            format!("{:.0} /s", self.assignments_per_s),
            "",
        );

        row(
            "messages per commit",
            number(self.messages_per_commit),
            &self.lanes(),
        );
        row("bytes per commit", number(self.bytes_per_commit), "");
        row(
            "signatures per operation",
            number(self.signatures_per_operation),
            "checked, a node",
        );

        row(
            "CPU per height, a node",
            unit(self.cpu_ms_per_height, "ms"),
            "aim: 1.5 ms",
        );
        row(
            "CPU per operation, a node",
            unit(self.cpu_us_per_operation, "us"),
            "",
        );

        let load = format!("load {:.0}%, {} cores", self.load_cpu_percent, self.cores);
        row("CPU, a node", format!("{:.1}%", self.cpu_percent), &load);
        let aim = if self.idle { "aim: 40 MiB" } else { "" };
        row(
            "memory, the largest node",
            format!("{:.1} MiB", self.rss_mib),
            aim,
        );

        text.trim_end().to_owned()
    }

    fn heading(&self) -> String {
        let Self {
            validators,
            dead,
            agents,
            payload,
            ..
        } = self;

        let committee = format!("{validators} validators, {dead} dead");
        let load = match (self.idle, self.rate) {
            (true, _) => "idle".to_owned(),
            (false, 0) => format!("{agents} agents with {} under way each", self.window),
            (false, rate) => format!("{agents} agents, {rate} tasks/s"),
        };

        let mix = match self.mix {
            Mix::Submit => "submissions",
            Mix::FirstPrice => "whole lives, first price",
            Mix::Assignment => "whole lives, least cost",
        };

        let seconds = self.duration_s;
        format!("{committee}; {load}; {mix} of {payload} bytes; {seconds:.0} s\n")
    }

    fn latency_aim(&self) -> &'static str {
        match self.validators {
            4 => "aim: 4 ms",
            _ => "aim at 7 validators: twice that at 4",
        }
    }

    fn lanes(&self) -> String {
        let lanes = self.messages_per_commit_by_lane.iter();
        let lanes: Vec<_> = lanes
            .map(|(lane, frames)| format!("{lane} {frames:.1}"))
            .collect();
        lanes.join(", ")
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
