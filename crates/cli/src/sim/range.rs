//! Runs many seeds, on all cores.

use std::io::IsTerminal;
use std::num::NonZero;
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError, mpsc};
use std::thread;

use anyhow::Result;
use indicatif::{ProgressBar, ProgressStyle};
use quorate_console::say;
use quorate_node::Clock;
use quorate_sim::{Coverage, SimReport};
use quorate_types::{Millis, MonotonicMillis};
use serde::Serialize;

use super::args::Args;
use super::play::{Stop, play};
use super::seeds::Seeds;
use super::source::Source;
use super::state::{Liars, SavedRange, Sums};
use super::{table, text};

/// Milliseconds between two writes of the state file.
const SAVE_MS: Millis = 3_000;
/// Exit code of a range that was stopped.
const STOPPED: u8 = 130;

/// The object that `--json` prints for a range. Names may be added but not changed.
#[derive(Debug, Serialize)]
struct Json<'a> {
    /// The range as it was given.
    range: String,
    /// The number of seeds of the range that are done, including those of earlier calls.
    seeds: u64,
    /// Whether all seeds of the range are done.
    finished: bool,
    /// The value of `--faults`; `null` for a scenario.
    profile: Option<&'a str>,
    #[serde(flatten)]
    sums: &'a Sums,
    /// The cells of the coverage table that are 0.
    empty: Vec<(&'static str, &'static str)>,
    /// Milliseconds of real time that this call took.
    elapsed_ms: Millis,
    /// Heights decided in a second by this call, on all cores together.
    heights_per_s: u64,
}

/// Runs the seeds of a range that are not done yet, and prints the sums over all that are.
///
/// # Errors
/// If the state file is not one of these runs, or a file or standard output cannot be written.
pub(super) fn run(args: &Args, source: &Source, seeds: &Seeds, stop: &Stop) -> Result<ExitCode> {
    let mut collector = Collector::open(args, source, *seeds)?;
    // Heights of earlier calls do not count for the rate of this one.
    let before = collector.state.sums.heights;

    collector.collect(*seeds, stop)?;
    collector.bar.finish_and_clear();

    // The clock started with the run, so its time is how long the run took.
    let elapsed_ms = collector.clock.monotonic().0;

    let state = collector.state;
    let heights = state.sums.heights - before;
    let json = Json::of(source, *seeds, &state, heights, elapsed_ms);

    match args.json {
        true => say(serde_json::to_string(&json)?)?,
        false => say(summary(args, &json, &state.sums.coverage()))?,
    }

    Ok(exit_code(&state.sums, stop))
}

fn exit_code(sums: &Sums, stop: &Stop) -> ExitCode {
    match (sums.violations.is_empty(), stop.is_interrupted()) {
        (false, _) => ExitCode::FAILURE,
        (true, true) => ExitCode::from(STOPPED),
        (true, false) => ExitCode::SUCCESS,
    }
}

impl<'a> Json<'a> {
    /// The results of a call that took `elapsed_ms` and decided `heights`.
    fn of(
        source: &'a Source,
        seeds: Seeds,
        state: &'a SavedRange,
        heights: u64,
        elapsed_ms: Millis,
    ) -> Self {
        let done = state.done.within(seeds);

        Self {
            range: seeds.to_string(),
            seeds: done,
            finished: done == seeds.count(),
            profile: match source {
                Source::Profile(faults, _) => Some(faults.name()),
                Source::Scenario(_) => None,
            },
            sums: &state.sums,
            empty: state.sums.coverage().empty(),
            elapsed_ms,
            heights_per_s: text::rate(heights, elapsed_ms),
        }
    }
}

/// Takes in the reports that the threads send.
struct Collector<'a> {
    args: &'a Args,
    source: &'a Source,
    state: SavedRange,
    clock: Clock,
    saved: MonotonicMillis,
    bar: ProgressBar,
}

impl<'a> Collector<'a> {
    /// Starts from the results of earlier calls, if there are any.
    fn open(args: &'a Args, source: &'a Source, seeds: Seeds) -> Result<Self> {
        let state = SavedRange::open(args.resume.as_deref(), source)?;
        let clock = Clock::start();
        let bar = bar(args, seeds)?;
        bar.set_position(state.done.within(seeds));

        Ok(Self {
            args,
            source,
            state,
            clock,
            saved: MonotonicMillis::ZERO,
            bar,
        })
    }

    fn collect(&mut self, seeds: Seeds, stop: &Stop) -> Result<()> {
        let done = self.state.done.clone();
        let left = Mutex::new((seeds.first..=seeds.last).filter(|seed| !done.contains(*seed)));

        // All threads take their seeds from one iterator, so that none runs twice.
        let next = || left.lock().unwrap_or_else(PoisonError::into_inner).next();

        let jobs = self.jobs(seeds);
        let source = self.source;

        let collected = thread::scope(|scope| {
            let (tell, reports) = mpsc::channel();

            for _ in 0..jobs {
                let tell = tell.clone();
                scope.spawn(move || work(next, source, stop, &tell));
            }

            // The loop over the reports ends when the last thread has dropped its sender.
            drop(tell);

            let collected = reports
                .into_iter()
                .try_for_each(|report| self.take(report?, stop));

            // Either all reports are in or something failed: the threads need not go on.
            stop.enough();

            collected
        });

        collected.and_then(|()| self.save())
    }

    /// The number of threads that run seeds.
    fn jobs(&self, seeds: Seeds) -> u64 {
        let cores = thread::available_parallelism().map_or(1, NonZero::get) as u64;
        self.args.jobs.unwrap_or(cores).min(seeds.count())
    }

    fn take(&mut self, report: SimReport, stop: &Stop) -> Result<()> {
        self.state.done.insert(report.seed);
        self.state.sums.add(&report, self.source);

        if !report.holds() {
            self.show_violation();
            if !self.args.keep_going {
                stop.enough();
            }
        }

        self.show();

        match self.clock.monotonic() >= self.saved + SAVE_MS {
            true => self.save(),
            false => Ok(()),
        }
    }

    /// Prints the newest violation above the bar. A hidden bar has no reader, and the summary names
    /// all violations in any case.
    fn show_violation(&self) {
        let newest = self.state.sums.violations.last();
        if let Some(finding) = newest.filter(|_| !self.bar.is_hidden()) {
            self.bar.suspend(|| eprintln!("{finding}"));
        }
    }

    fn show(&self) {
        let Sums {
            heights,
            violations,
            ..
        } = &self.state.sums;

        let violations = text::count(violations.len() as u64, "violation");
        self.bar.set_message(format!(
            "{} heights, {violations}",
            text::thousands(*heights)
        ));

        self.bar.inc(1);
    }

    fn save(&mut self) -> Result<()> {
        self.saved = self.clock.monotonic();
        match &self.args.resume {
            Some(path) => self.state.save(path),
            None => Ok(()),
        }
    }
}

/// The work of one thread: plays seed after seed until none is left or it must stop. Does not
/// report a run that was broken off.
fn work(
    next: impl Fn() -> Option<u64>,
    source: &Source,
    stop: &Stop,
    tell: &mpsc::Sender<Result<SimReport>>,
) {
    while let Some(seed) = next().filter(|_| !stop.is_asked()) {
        let report = play(source.plan(seed), None, |_| !stop.is_asked());
        let broken_off = report.as_ref().is_ok_and(|report| report.broken_off);

        // If the receiver is gone, taking in a report has failed, and no more are wanted.
        if broken_off || tell.send(report).is_err() {
            return;
        }
    }
}

fn bar(args: &Args, seeds: Seeds) -> Result<ProgressBar> {
    if args.json || !std::io::stderr().is_terminal() {
        return Ok(ProgressBar::hidden());
    }

    let form = "{bar:30.cyan} {pos}/{len} seeds, {per_sec}  {msg}  {elapsed_precise}, {eta} to go";
    let bar = ProgressBar::new(seeds.count()).with_style(ProgressStyle::with_template(form)?);

    bar.enable_steady_tick(std::time::Duration::from_millis(200));
    Ok(bar)
}

fn summary(args: &Args, json: &Json<'_>, coverage: &Coverage) -> String {
    let sums = json.sums;
    let mut lines = vec![head(json)];

    lines.extend(result_lines(json));
    lines.extend(
        sums.adversaries
            .iter()
            .map(|(lie, liars)| liars_line(lie, *liars)),
    );

    if args.coverage {
        lines.push(table::table(coverage));
    }

    lines.extend(sums.violations.iter().map(ToString::to_string));

    if !json.finished {
        let hint = match &args.resume {
            Some(path) => format!("go on with --resume {}", path.display()),
            None => "with --resume FILE a later call can go on".to_owned(),
        };
        lines.push(format!("not all seeds were run: {hint}"));
    }

    lines.join("\n")
}

/// The head of the summary: which seeds were run, and the verdict on them.
fn head(json: &Json<'_>) -> String {
    let verdict = match json.sums.violations.len() {
        0 if json.seeds == 0 => "no verdict".to_owned(),
        0 => "every invariant held".to_owned(),
        count => text::count(count as u64, "violation"),
    };

    let done = text::thousands(json.seeds);
    format!("seeds {}: {done} done, {verdict}", json.range)
}

/// The lines about what the swarms did, and how fast.
fn result_lines(json: &Json<'_>) -> [String; 6] {
    let sums = json.sums;
    let heights = format!(
        "{}, {} a second",
        text::thousands(sums.heights),
        json.heights_per_s
    );

    let pace = text::pace(sums.simulated_ms, json.elapsed_ms);

    [
        text::line("heights", &heights),
        text::line("simulated", &pace),
        text::line("tasks", &text::counts(&sums.tasks)),
        text::line("assignments", &text::thousands(sums.assignments)),
        text::line("blocks", &text::counts(&sums.outcomes)),
        text::line("faults", &text::counts(&sums.faults)),
    ]
}

/// The line about the liars of one lie.
fn liars_line(lie: &str, liars: Liars) -> String {
    let Liars {
        took_part,
        convicted,
        refused,
    } = liars;

    let what = format!("{lie}: {took_part}, convicted {convicted}, refused {refused}");
    text::line("liars", &what)
}
