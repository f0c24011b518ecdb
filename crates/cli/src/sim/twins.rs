//! Runs a file of Twins scenarios, which say round by round which instances of a key hear which
//! others.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use quorate_console::say;
use quorate_twins::{Scenarios, TwinsReport, Withheld};

use super::args::Args;
use super::play::Stop;

/// Exit code of a run that was stopped.
const STOPPED: u8 = 130;

/// The file of Twins scenarios that the arguments ask for, if they do.
pub(super) fn asked(args: &Args) -> Option<&Path> {
    args.scenario
        .as_deref()
        .filter(|path| path.extension().is_some_and(|end| end == "json"))
}

/// Runs all scenarios of the file, and goes on after violations.
///
/// # Errors
/// If other options are given, or the file is not valid. The error names the file and its fault.
pub(super) fn run(args: &Args, path: &Path, stop: &Stop) -> Result<ExitCode> {
    // Twins scenarios have no seed and no profile, so most options would mean nothing.
    ensure!(
        !has_other_options(args),
        "with Twins scenarios, --json is the only other option that can be given"
    );

    let scenarios = read(path)?;
    let report = scenarios
        .run(Withheld::Lost, |_| !stop.is_asked())
        .with_context(|| path.display().to_string())?;

    match args.json {
        true => say(serde_json::to_string(&report)?)?,
        false => tell(&report)?,
    }

    // An interrupt leaves scenarios that were not run.
    let is_complete = report.scenarios == scenarios.scenarios.len();
    Ok(match is_complete {
        _ if !report.holds() => ExitCode::FAILURE,
        true => ExitCode::SUCCESS,
        false => ExitCode::from(STOPPED),
    })
}

fn read(path: &Path) -> Result<Scenarios> {
    let name = path.display();
    let text = std::fs::read_to_string(path).with_context(|| format!("read {name}"))?;
    Scenarios::parse(&text).with_context(|| name.to_string())
}

/// Whether an option is given that asks for seeds, their length, or a view of one run.
fn has_other_options(args: &Args) -> bool {
    let seeded = args.seed.is_some() || args.seeds.is_some() || args.heights.is_some();
    let watched = args.trace.is_some() || args.until_step.is_some() || args.coverage;
    seeded || watched
}

fn tell(report: &TwinsReport) -> Result<()> {
    let TwinsReport {
        num_nodes,
        num_twins,
        scenarios,
        rounds,
        digest,
        ..
    } = report;

    say(format!(
        "{scenarios} scenarios of {num_nodes} validators, {num_twins} with a twin, {rounds} rounds"
    ))?;

    say(format!(
        "  decided before healing {}, locked without deciding {}, proposed again {}",
        report.decided, report.locked, report.reproposed
    ))?;
    say(format!(
        "  conflicting statements heard {}, convicted {}",
        report.conflicts, report.convicted
    ))?;
    say(format!("  digest {digest}"))?;

    if !report.tolerated {
        say("a third of the power or more has a twin, so violations are expected")?;
    }
    for violation in &report.violations {
        say(format!("VIOLATION {violation}"))?;
    }

    Ok(())
}
