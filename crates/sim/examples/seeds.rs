//! Runs seeds until an invariant is violated: `seeds FROM TO [--faults PROFILE[,PROFILE...]|all]`.
//!
//! Each seed from FROM up to, but not including, TO is run under each fault profile: under all of
//! them, unless some are named. Each run prints one line. A violation prints one more, `violated:
//! invariant NUMBER NAME seed SEED faults PROFILE: HOW`, and ends the program with exit code 1.
//! Arguments that are not valid end it with exit code 2.

use std::env;
use std::process::ExitCode;

use quorate_sim::{PlanError, Profile, SimReport, Simulation, Size};

fn main() -> ExitCode {
    let Some((from, to, profiles)) = arguments() else {
        eprintln!("usage: seeds FROM TO [--faults PROFILE[,PROFILE...]|all]");
        return ExitCode::from(2);
    };

    for seed in from..to {
        for profile in &profiles {
            match run(seed, *profile) {
                Ok(report) if report.holds() => {}
                Ok(_) => return ExitCode::FAILURE,
                Err(error) => {
                    eprintln!("seed {seed}, {}: {error}", profile.name());
                    return ExitCode::from(2);
                }
            }
        }
    }

    ExitCode::SUCCESS
}

/// The seeds and profiles that the arguments name; `None` if they are not valid.
fn arguments() -> Option<(u64, u64, Vec<Profile>)> {
    let given: Vec<String> = env::args().skip(1).collect();
    let given: Vec<&str> = given.iter().map(String::as_str).collect();

    let (from, to, names) = match given[..] {
        [from, to] | [from, to, "--faults", "all"] => (from, to, None),
        [from, to, "--faults", names] => (from, to, Some(names)),
        _ => return None,
    };

    let named = |name| {
        Profile::ALL
            .into_iter()
            .find(|profile| profile.name() == name)
    };

    // One name that does not exist makes all arguments invalid.
    let profiles = match names {
        None => Some(Profile::ALL.to_vec()),
        Some(names) => names.split(',').map(named).collect(),
    };

    Some((from.parse().ok()?, to.parse().ok()?, profiles?))
}

/// Runs a seed under a profile and prints the result.
fn run(seed: u64, profile: Profile) -> Result<SimReport, PlanError> {
    let report = Simulation::new(profile.plan(seed, Size::default()))?.run();

    let SimReport {
        digest,
        heights,
        completed_tasks,
        simulated_ms,
        ..
    } = &report;

    let (name, digest) = (profile.name(), &digest[..8.min(digest.len())]);

    println!(
        "seed {seed} {name} {digest} heights {heights} tasks {completed_tasks} ms {simulated_ms}"
    );

    for violation in &report.violations {
        let (number, rule, how) = (violation.invariant, violation.name, &violation.how);
        println!("violated: invariant {number} {rule} seed {seed} faults {name}: {how}");
    }

    Ok(report)
}
