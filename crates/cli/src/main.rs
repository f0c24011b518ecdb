//! The binary `quorate`: the command line of a swarm, with one subcommand for each thing that a
//! person does with it.
//!
//! Results go to standard output, logs and errors to standard error. The exit code is 0 if the
//! command did its work, 1 if that failed, and 2 if the command line was wrong; `audit` and `sim`
//! have codes of their own. **Absent here:** rules of the protocol. Each command reads files, calls
//! a crate, and prints the result.

mod attest;
mod audit;
mod genesis;
mod init;
mod join;
mod logging;
mod markets;
mod member;
mod membership;
mod node;
mod propose;
mod sim;
mod solve;
mod stop;
mod submit;
mod values;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use quorate_console::{describe, reader_left};

/// Let agents that do not trust each other agree who does which task, and certify each result
#[derive(Debug, Parser)]
#[command(name = "quorate", version, propagate_version = true, after_long_help = TOUR)]
struct Cli {
    /// Write log lines as JSON, one object on each line. The variable QUORATE_LOG chooses what is
    /// logged: a filter such as `info` or `warn,quorate_node=debug`.
    #[arg(long, global = true)]
    log_json: bool,
    #[command(subcommand)]
    command: Command,
}

const TOUR: &str = "\
How to make a swarm, step by step (four validators tolerate one that lies or stops):
  quorate init alice --operator alice-ltd --listen /ip4/192.0.2.1/tcp/7400
  quorate genesis --name demo --validator alice/member.toml ... --attester alice/member.toml
  quorate join alice genesis.toml
  quorate node alice
How to add an agent, and have work done:
  quorate init worker --operator bob
  quorate attest alice --agent worker/member.toml --label printer --out worker.att
  quorate join worker genesis.toml --boot alice/member.toml --attestation worker.att
  quorate node worker --command python3 agent.py
  quorate submit desk --payload @job.txt --out certificates      # make desk like worker
  quorate propose carl                                           # carl likewise; see its --help
How anyone can check the results offline:
  quorate audit verify certificates --trust genesis.toml
  quorate audit replay certificates --trust genesis.toml         # runs the auctions again

`quorate demo` shows all of this at work on this machine.";

#[derive(Debug, Subcommand)]
enum Command {
    Init(init::Args),
    Genesis(genesis::Args),
    Join(join::Args),
    Attest(attest::Args),
    Node(node::Args),
    Submit(submit::Args),
    Audit(audit::Args),
    /// Show a whole swarm at work on this machine, from auction to audit
    Demo(quorate_demo::Args),
    Sim(sim::Args),
    Propose(propose::Args),
    Solve(solve::Args),
    Markets(markets::Args),
    Bench(quorate_bench::Args),
}

#[tokio::main]
async fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return refuse_usage(&error),
    };

    logging::start(cli.log_json, cli.command.default_filter());

    match cli.command.run().await {
        Ok(code) => code,
        Err(error) if reader_left(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", describe(&error));
            ExitCode::FAILURE
        }
    }
}

impl Command {
    async fn run(self) -> anyhow::Result<ExitCode> {
        match self {
            Self::Init(args) => init::run(&args),
            Self::Genesis(args) => genesis::run(&args),
            Self::Join(args) => join::run(&args),
            Self::Attest(args) => attest::run(&args),
            Self::Node(args) => node::run(args).await,
            Self::Submit(args) => submit::run(args).await,
            Self::Audit(args) => Ok(audit::run(args)),
            Self::Demo(args) => quorate_demo::run(args).await,
            Self::Sim(args) => Ok(sim::run(args).await),
            Self::Propose(args) => propose::run(args).await,
            Self::Markets(args) => markets::run(&args),
            Self::Solve(args) => solve::run(&args),
            Self::Bench(args) => quorate_bench::run(args).await,
        }
    }

    /// The filter of log lines that applies if `QUORATE_LOG` is unset or is not a valid filter.
    fn default_filter(&self) -> &'static str {
        match self {
            // gossipsub warns about each message that comes back to its sender.
            Self::Node(_) => "warn,quorate=info,libp2p_gossipsub=error",
            // Warnings of simulated validators belong to the run, and its report has them.
            Self::Sim(_) => "error",
            _ => "warn,libp2p_gossipsub=error",
        }
    }
}

/// Prints the message of clap, and returns the exit code for it. Wrong usage of `audit` gets a code
/// of its own, because 2 means there that a certificate falls short of the policy.
fn refuse_usage(error: &clap::Error) -> ExitCode {
    // If standard error is closed, there is no other place to report that.
    let _ = error.print();

    let audit = std::env::args()
        .skip(1)
        .find(|argument| !argument.starts_with('-'));

    match error.exit_code() {
        0 => ExitCode::SUCCESS,
        _ if audit.as_deref() == Some("audit") => audit::USAGE.into(),
        _ => ExitCode::from(2),
    }
}
