//! The binary `quorate`: everything a person does with a swarm, one subcommand each.
//!
//! Results go to standard output, logs and errors to standard error. It ends with 0 when it did
//! what it was asked, 1 when that failed, 2 when it was asked wrongly; `audit` has codes of its
//! own. **Absent here:** rules of the protocol. Commands read files, call a crate, and say what
//! came of it.

mod attest;
mod audit;
mod bench;
mod demo;
mod dossiers;
mod genesis;
mod init;
mod join;
mod logging;
mod markets;
mod member;
mod node;
mod output;
mod report;
mod sim;
mod solve;
mod solver;
mod submit;
mod values;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Agents that do not trust each other agree who does which task, and leave certificates of it.
#[derive(Debug, Parser)]
#[command(name = "quorate", version, propagate_version = true, after_long_help = TOUR)]
struct Cli {
    /// Write log lines as JSON, one object on a line. QUORATE_LOG chooses what is logged (a filter
    /// like `info` or `warn,quorate_node=debug`).
    #[arg(long, global = true)]
    log_json: bool,
    #[command(subcommand)]
    command: Command,
}

const TOUR: &str = "\
A swarm, step by step (with four validators it tolerates one that lies or stops):
  quorate init alice --operator alice-ltd --listen /ip4/192.0.2.1/tcp/7400
  quorate genesis --name demo --validator alice/member.toml ... --attester alice/member.toml
  quorate join alice genesis.toml
  quorate node alice
Work for it, and work done by it:
  quorate init worker --operator bob
  quorate attest alice --agent worker/member.toml --label printer --out worker.att
  quorate join worker genesis.toml --boot alice/member.toml --attestation worker.att
  quorate node worker --command python3 agent.py
  quorate submit desk --payload @job.txt --out certificates      # desk: made like worker
  quorate solver carl                     # better solutions, where a market takes them; likewise
And what is left of it, for anyone to check offline:
  quorate audit verify certificates --trust genesis.toml
  quorate audit replay certificates --trust genesis.toml         # the auctions, run again

`quorate demo` shows all of it at work on this machine.";

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
    Demo(demo::Args),
    Sim(sim::Args),
    Solver(solver::Args),
    Solve(solve::Args),
    Markets(markets::Args),
    Bench(bench::Args),
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
        Err(error) if output::reader_left(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", output::describe(&error));
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
            Self::Demo(args) => demo::run(args).await,
            Self::Sim(args) => Ok(sim::run(args).await),
            Self::Solver(args) => solver::run(args).await,
            Self::Markets(args) => markets::run(&args),
            Self::Solve(args) => solve::run(&args),
            Self::Bench(args) => bench::run(args).await,
        }
    }

    /// What is logged where `QUORATE_LOG` says nothing.
    fn default_filter(&self) -> &'static str {
        match self {
            // gossipsub warns of messages that came back to whoever sent them.
            Self::Node(_) => "warn,quorate=info,libp2p_gossipsub=error",
            // What simulated validators warn of is part of the run, and in its report.
            Self::Sim(_) => "error",
            _ => "warn,libp2p_gossipsub=error",
        }
    }
}

/// Prints what clap has to say. Wrong usage of `audit` is not to be taken for a failed policy,
/// which ends with 2 there.
fn refuse_usage(error: &clap::Error) -> ExitCode {
    // Nobody is left to hear that standard error is closed.
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
