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
use quorate_node::Clock;
use quorate_sim::{Line, Report, Work};
use quorate_types::Millis;
use serde::Serialize;

use super::findings::Finding;
use super::play::{Mark, Stop, Trace, play};
use super::source::Source;
use super::{Args, table, text};
use crate::output::say;

/// Steps between two updates of the progress bar.
const STEPS: u64 = 64;
/// Exit code of a run that was stopped.
const STOPPED: u8 = 130;

/// The object that `--json` prints for one seed. Names may be added but not changed.
#[derive(Debug, Serialize)]
struct Json<'a> {
    #[serde(flatten)]
    report: &'a Report,
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
    // The bar runs until the swarm heals: nobody knows how long the phase after that takes.
    let (bar, heal_at) = (bar(args, plan.heal_at)?, plan.heal_at);
    let trace = file.clone().map(TraceFile::into_trace);

    let clock = Clock::start();
    let until = args.until_step.unwrap_or(u64::MAX);
    let report = play(plan, trace, |mark| {
        if mark.step % STEPS == 0 {
            show(&bar, mark, heal_at);
        }
        mark.step < until && !stop.is_asked()
    })?;

    let elapsed_ms = clock.monotonic();
    bar.finish_and_clear();
    file.map_or(Ok(()), TraceFile::finish)?;

    let findings = report
        .violations
        .iter()
        .map(|violation| Finding::of(source, violation));
    let findings: Vec<Finding> = findings.collect();

    match args.json {
        true => say(serde_json::to_string(&json(
            args, source, &report, elapsed_ms,
        ))?)?,
        false => {
            say(told(args, source, &report, elapsed_ms))?;
            findings
                .iter()
                .try_for_each(|finding| say(finding.to_string()))?;

            if report.broken_off {
                say(format!(
                    "broken off at step {}, so this is not a verdict",
                    report.steps
                ))?;
            }
        }
    }

    // An interrupt that comes after the end of the run does not change its exit code.
    Ok(
        match (report.holds(), stop.is_interrupted() && report.broken_off) {
            (false, _) => ExitCode::FAILURE,
            (true, true) => ExitCode::from(STOPPED),
            (true, false) => ExitCode::SUCCESS,
        },
    )
}

fn json<'a>(args: &Args, source: &'a Source, report: &'a Report, elapsed_ms: Millis) -> Json<'a> {
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

fn told(args: &Args, source: &Source, report: &Report, elapsed_ms: Millis) -> String {
    let mut lines = vec![head(source, report.seed)];

    let heights = format!(
        "{}, in {} steps",
        report.heights,
        text::thousands(report.steps)
    );
    let pace = text::pace(report.simulated_ms, elapsed_ms);
    let rate = text::rate(report.heights, elapsed_ms);

    lines.extend([
        text::line("heights", &format!("{heights}, {rate} a second")),
        text::line("simulated", &pace),
        text::line("tasks", &text::counts(&report.tasks)),
        text::line("assignments", &report.assignments.to_string()),
        text::line("until given", &text::waits(&report.to_award)),
        text::line("until done", &text::waits(&report.to_completion)),
        text::line("blocks", &text::counts(&report.outcomes)),
        text::line("faults", &text::counts(&report.faults)),
    ]);

    lines.extend(agents(source, report));

    for liar in &report.adversaries {
        // Only validators, whose names begin with `v`, can be convicted.
        let fate = match (liar.convicted_at, liar.refused) {
            (Some(height), _) => format!("convicted at height {height}"),
            (None, 0) if liar.who.starts_with('v') => "not convicted".to_owned(),
            (None, refused) => format!("{refused} operations refused"),
        };

        lines.push(text::line(
            "liar",
            &format!("{} {}: {fate}", liar.who, liar.lie),
        ));
    }

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

/// The lines about the agents' work: one for each group of a scenario, or one for all agents.
fn agents(source: &Source, report: &Report) -> Vec<String> {
    let groups: Vec<(&str, usize)> = match source {
        Source::Scenario(file) => file.scenario.groups().collect(),
        Source::Profile(..) => vec![("all", report.agents.len())],
    };

    let plan = source.plan(report.seed);

    // Groups take their agents in the order of the plan.
    let mut rest = report.agents.iter().zip(&plan.agents);

    let line = |(name, count): (&str, usize)| {
        let (mut work, mut slots) = (Work::default(), 0);
        for (one, plan) in rest.by_ref().take(count) {
            work.completed += one.completed;
            work.earned = work.earned.saturating_add(one.earned);
            work.busy_ms += one.busy_ms;
            slots += plan.slots as u64;
        }

        // The share of the run's time in which the group's slots had a task.
        let busy = 100 * work.busy_ms / (report.simulated_ms * slots).max(1);
        let (completed, earned) = (
            text::thousands(work.completed),
            text::thousands(work.earned),
        );

        let what =
            format!("{name} x{count}: completed {completed}, busy {busy} %, earned {earned}");

        text::line("agents", &what)
    };

    groups.into_iter().map(line).collect()
}

/// The head of the report: what is run.
fn head(source: &Source, seed: u64) -> String {
    let plan = source.plan(seed);
    let (validators, agents) = (plan.validators.len() as u64, plan.agents.len() as u64);
    let size = [
        text::count(validators, "validator"),
        text::count(agents, "agent"),
        text::count(plan.tasks.len() as u64, "task"),
    ];

    let what = match (source, source.profile(seed)) {
        (Source::Scenario(file), _) => {
            let path = file.path.display().to_string();
            let named = file.scenario.name().map(|name| format!("{name} ({path})"));
            let legend = file.scenario.legend().into_iter();
            let legend: Vec<_> = legend.map(|(who, name)| format!("{who} {name}")).collect();

            let hosts = text::line("hosts", &legend.join(", "));
            format!("{}\n{hosts}", named.unwrap_or(path))
        }

        (_, profile) => format!("faults: {}", profile.unwrap_or_default()),
    };

    let size = size.join(", ");

    match plan.over_threshold {
        true => format!(
            "seed {seed}, {size}, {what}\n{}",
            text::line(
                "note",
                "a third of the power or more lies: the run is judged by whether it is convicted"
            )
        ),
        false => format!("seed {seed}, {size}, {what}"),
    }
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
