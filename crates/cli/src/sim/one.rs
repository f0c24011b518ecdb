//! Runs one seed and reports it in full.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;
use std::rc::Rc;

use anyhow::{Context, Result};
use indicatif::{ProgressBar, ProgressStyle};
use quorate_console::say;
use quorate_node::Clock;
use quorate_sim::{Adversary, Line, Plan, SimReport, Work};
use quorate_types::Millis;
use serde::Serialize;

use super::args::Args;
use super::findings::Finding;
use super::play::{Mark, Stop, Trace, play};
use super::source::{self, Source};
use super::{table, text};

/// Steps between two updates of the progress bar.
const STEPS: u64 = 64;
/// Exit code of a run that was stopped.
const STOPPED: u8 = 130;

/// The object that `--json` prints for one seed. Names may be added but not changed.
#[derive(Debug, Serialize)]
struct Json<'a> {
    #[serde(flatten)]
    report: &'a SimReport,
    /// The fault profile of the seed; `null` for a scenario.
    profile: Option<&'a str>,
    /// Milliseconds of real time that the run took.
    elapsed_ms: Millis,
    /// Heights decided in a second of real time.
    heights_per_s: u64,
    /// The cells of the coverage table that are not 0: circumstance, step, count.
    coverage: BTreeMap<&'static str, BTreeMap<&'static str, u64>>,
    /// The cells that are 0, with `--coverage`.
    #[serde(skip_serializing_if = "Option::is_none")]
    empty: Option<Vec<(&'static str, &'static str)>>,
    /// The command that runs the seed again.
    command: String,
}

/// Runs one seed and prints its report.
///
/// # Errors
/// If the plan does not make a world, or if the trace or standard output cannot be written.
pub(super) fn run(args: &Args, source: &Source, stop: &Stop) -> Result<ExitCode> {
    let seed = args.seed.unwrap_or_else(|| source.default_seed());
    let plan = source.plan(seed);

    let file = args.trace.as_deref().map(TraceFile::create).transpose()?;
    let trace = file.clone().map(TraceFile::into_trace);

    let clock = Clock::start();
    let report = play_with_bar(args, plan, trace, stop)?;

    // The clock started with the run, so its time is how long the run took.
    let elapsed_ms = clock.monotonic().0;

    // The first error of the trace shows only here.
    file.map_or(Ok(()), TraceFile::finish)?;

    match args.json {
        true => {
            let json = json(args, source, &report, elapsed_ms);
            say(serde_json::to_string(&json)?)?;
        }
        false => say_for_people(args, source, &report, elapsed_ms)?,
    }

    Ok(exit_code(&report, stop))
}

/// Plays the plan until its end, the step of `--until-step` or a stop, and shows how far it is.
fn play_with_bar(args: &Args, plan: Plan, trace: Option<Trace>, stop: &Stop) -> Result<SimReport> {
    // The bar runs until the swarm heals: nobody knows how long the phase after that takes.
    let heal_at = plan.heal_at;
    let bar = bar(args, heal_at)?;
    let until = args.until_step.unwrap_or(u64::MAX);

    let report = play(plan, trace, |mark| {
        if mark.step % STEPS == 0 {
            show(&bar, mark, heal_at);
        }
        mark.step < until && !stop.is_asked()
    })?;

    bar.finish_and_clear();
    Ok(report)
}

/// The exit code of a run. An interrupt that comes after the end of the run does not change it.
fn exit_code(report: &SimReport, stop: &Stop) -> ExitCode {
    if !report.holds() {
        return ExitCode::FAILURE;
    }

    match stop.is_interrupted() && report.broken_off {
        true => ExitCode::from(STOPPED),
        false => ExitCode::SUCCESS,
    }
}

fn json<'a>(
    args: &Args,
    source: &'a Source,
    report: &'a SimReport,
    elapsed_ms: Millis,
) -> Json<'a> {
    let mut coverage: BTreeMap<_, BTreeMap<_, _>> = BTreeMap::new();
    for (circumstance, step, count) in report.coverage.cells() {
        coverage
            .entry(circumstance)
            .or_default()
            .insert(step, count);
    }

    Json {
        report,
        profile: source.profile(report.seed),
        elapsed_ms,
        heights_per_s: text::rate(report.heights, elapsed_ms),
        coverage,
        empty: args.coverage.then(|| report.coverage.empty()),
        command: source.command(report.seed, None),
    }
}

fn say_for_people(
    args: &Args,
    source: &Source,
    report: &SimReport,
    elapsed_ms: Millis,
) -> Result<()> {
    say(told(args, source, report, elapsed_ms))?;

    for violation in &report.violations {
        say(Finding::of(source, violation).to_string())?;
    }

    if report.broken_off {
        say(format!(
            "broken off at step {}, so this is not a verdict",
            report.steps
        ))?;
    }

    Ok(())
}

fn told(args: &Args, source: &Source, report: &SimReport, elapsed_ms: Millis) -> String {
    let mut lines = vec![head(source, report.seed)];

    lines.extend(result_lines(report, elapsed_ms));
    lines.extend(agents(source, report));
    lines.extend(report.adversaries.iter().map(liar_line));

    lines.push(text::line("digest", &report.digest));

    if report.holds() && !report.broken_off {
        lines.push("every invariant held".to_owned());
    }

    if args.coverage {
        lines.push(table::table(&report.coverage));
    }

    if !report.last.is_empty() {
        lines.push("the last lines of the trace:".to_owned());
        lines.extend(report.last.iter().map(ToString::to_string));
    }

    lines.join("\n")
}

/// The lines about what the swarm did, and how fast.
fn result_lines(report: &SimReport, elapsed_ms: Millis) -> [String; 8] {
    // The rate is by the clock on the wall, not by simulated time.
    let heights = format!(
        "{}, in {} steps, {} a second",
        report.heights,
        text::thousands(report.steps),
        text::rate(report.heights, elapsed_ms)
    );

    let pace = text::pace(report.simulated_ms, elapsed_ms);

    [
        text::line("heights", &heights),
        text::line("simulated", &pace),
        text::line("tasks", &text::counts(&report.tasks)),
        text::line("assignments", &report.assignments.to_string()),
        text::line("until given", &text::waits(&report.to_award)),
        text::line("until done", &text::waits(&report.to_completion)),
        text::line("blocks", &text::counts(&report.outcomes)),
        text::line("faults", &text::counts(&report.faults)),
    ]
}

/// The line about a liar, and the consequences of its lie.
fn liar_line(liar: &Adversary) -> String {
    let Adversary { who, lie, .. } = liar;

    // Only validators, whose names begin with `v`, can be convicted.
    let fate = match (liar.convicted_at, liar.refused) {
        (Some(height), _) => format!("convicted at height {height}"),
        (None, 0) if who.starts_with('v') => "not convicted".to_owned(),
        (None, refused) => format!("{refused} operations refused"),
    };

    text::line("liar", &format!("{who} {lie}: {fate}"))
}

/// The lines about the agents' work: one for each group of a scenario, or one for all agents.
fn agents(source: &Source, report: &SimReport) -> Vec<String> {
    let plan = source.plan(report.seed);

    // Groups take their agents in the order of the plan.
    let mut rest = report.agents.iter().zip(&plan.agents);
    let mut lines = Vec::new();

    for (name, count) in groups(source, report) {
        let members: Vec<_> = rest.by_ref().take(count).collect();
        let work = sum_of(members.iter().map(|(work, _)| *work));
        let slots: u64 = members.iter().map(|(_, plan)| plan.slots as u64).sum();

        lines.push(group_line(name, count, &work, report.simulated_ms * slots));
    }

    lines
}

/// The groups of agents, each with its name and the number of its agents.
fn groups<'a>(source: &'a Source, report: &SimReport) -> Vec<(&'a str, usize)> {
    match source {
        Source::Scenario(file) => file.scenario.groups().collect(),
        Source::Profile(..) => vec![("all", report.agents.len())],
    }
}

/// The line about a group of agents. `slots_ms` is the time that their slots had together.
fn group_line(name: &str, count: usize, work: &Work, slots_ms: Millis) -> String {
    // The share of the run's time in which the group's slots had a task.
    let busy = 100 * work.busy_ms / slots_ms.max(1);
    let completed = text::thousands(work.completed);
    let earned = text::thousands(work.earned);

    let what = format!("{name} x{count}: completed {completed}, busy {busy} %, earned {earned}");
    text::line("agents", &what)
}

/// The work of several agents together.
fn sum_of<'a>(works: impl Iterator<Item = &'a Work>) -> Work {
    let mut sum = Work::default();
    for work in works {
        sum.completed += work.completed;
        sum.earned = sum.earned.saturating_add(work.earned);
        sum.busy_ms += work.busy_ms;
    }

    sum
}

/// The head of the report: what is run.
fn head(source: &Source, seed: u64) -> String {
    let plan = source.plan(seed);
    let size = [
        text::count(plan.validators.len() as u64, "validator"),
        text::count(plan.agents.len() as u64, "agent"),
        text::count(plan.tasks.len() as u64, "task"),
    ];

    let what = match source {
        Source::Scenario(file) => named_hosts(file),
        Source::Profile(..) => {
            let profile = source.profile(seed);
            format!("faults: {}", profile.unwrap_or_default())
        }
    };

    let head = format!("seed {seed}, {}, {what}", size.join(", "));

    match plan.over_threshold {
        true => {
            let note =
                "a third of the power or more lies: the run is judged by whether it is convicted";
            format!("{head}\n{}", text::line("note", note))
        }
        false => head,
    }
}

/// The name of a scenario and its file, and the line about its hosts.
fn named_hosts(file: &source::File) -> String {
    let path = file.path.display().to_string();
    let named = file.scenario.name().map(|name| format!("{name} ({path})"));

    // Traces name hosts in short, such as `v0`.
    let legend = file.scenario.legend().into_iter();
    let legend: Vec<_> = legend.map(|(who, name)| format!("{who} {name}")).collect();
    let hosts = text::line("hosts", &legend.join(", "));

    format!("{}\n{hosts}", named.unwrap_or(path))
}

fn bar(args: &Args, heal_at: Millis) -> Result<ProgressBar> {
    if args.json || !io::stderr().is_terminal() {
        return Ok(ProgressBar::hidden());
    }

    let form = "{bar:30.cyan} {msg}  {elapsed_precise}";
    Ok(ProgressBar::new(heal_at).with_style(ProgressStyle::with_template(form)?))
}

fn show(bar: &ProgressBar, mark: Mark, heal_at: Millis) {
    if bar.is_hidden() {
        return;
    }

    let phase = if mark.at_ms < heal_at {
        ""
    } else {
        ", healed: waiting for what is left"
    };

    bar.set_position(mark.at_ms.min(heal_at));
    bar.set_message(format!(
        "height {}, {} s simulated{phase}",
        mark.height,
        mark.at_ms / 1000
    ));
}

/// The file of `--trace`, with the first error that writing it gave.
#[derive(Clone)]
struct TraceFile(Rc<RefCell<(BufWriter<File>, io::Result<()>)>>);

impl TraceFile {
    fn create(path: &Path) -> Result<Self> {
        let file = File::create(path).with_context(|| format!("write {}", path.display()))?;
        Ok(Self(Rc::new(RefCell::new((BufWriter::new(file), Ok(()))))))
    }

    fn into_trace(self) -> Trace {
        Box::new(move |line: &Line| {
            let (file, result) = &mut *self.0.borrow_mut();
            // After the first error nothing more is written. `finish` reports the error.
            if result.is_ok() {
                let written = serde_json::to_writer(&mut *file, line).map_err(io::Error::from);
                *result = written.and_then(|()| file.write_all(b"\n"));
            }
        })
    }

    fn finish(self) -> Result<()> {
        let (file, result) = &mut *self.0.borrow_mut();
        let result = std::mem::replace(result, Ok(()));

        result
            .and_then(|()| file.flush())
            .context("write the trace")
    }
}
