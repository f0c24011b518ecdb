//! `quorate audit`: checks certificates offline, for somebody who did not see the swarm decide.

mod checked;
mod exit;
mod explain;
mod files;
mod fingerprint;
mod replay;
mod summary;
mod trust;
mod verify;

use std::process::ExitCode;

use quorate_console::describe;

pub(crate) use exit::USAGE;

/// Check certificates offline, with nothing but the genesis of their swarm
///
/// This needs no network, no node and no key. The trust root is the genesis file. It must come to
/// you another way than the certificates; `quorate audit fingerprint` shows what to compare.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    question: Question,
}

#[derive(Debug, clap::Subcommand)]
enum Question {
    Verify(verify::Args),
    Replay(replay::Args),
    Explain(explain::Args),
    Fingerprint(fingerprint::Args),
}

/// Runs the check that was asked for. It has exit codes of its own, and each error counts as wrong
/// usage.
pub(crate) fn run(args: Args) -> ExitCode {
    let answer = match args.question {
        Question::Verify(args) => verify::run(&args),
        Question::Replay(args) => replay::run(&args),
        Question::Explain(args) => explain::run(&args),
        Question::Fingerprint(args) => fingerprint::run(&args),
    };

    answer.unwrap_or_else(|error| {
        eprintln!("error: {}", describe(&error));
        USAGE.into()
    })
}
