//! `quorate attest`: an attester's word on what an agent can do.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use quorate_crypto::SecretKey;
use quorate_market::eligibility::SLOTS;
use quorate_node::Home;
use quorate_types::attestation::Claims;
use quorate_types::task::check_amounts;
use quorate_types::{Genesis, Label, PublicKey, cbor, limits};

use crate::member::key_of;
use crate::output::{say, write_new};
use crate::values::{self, Amount};

/// Sign what an agent can do, with the key of an attester
///
/// The agent joins with it (quorate join --attestation) and is admitted by the swarm. Tasks can ask
/// for its labels and amounts; no agent's word on its own capabilities counts. A requester needs an
/// attestation too; with `--amount slots=0` it can submit tasks and take none.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Example:
  quorate attest authority --agent drone7/member.toml --label drone --label camera \\
    --amount payload_g=500 --amount slots=1 --days 90 --out drone7.att

The amount `slots` is how many tasks the agent may hold at a time; 1 is attested unless you say
otherwise.")]
pub(crate) struct Args {
    /// Folder of the attester, joined to the swarm.
    dir: PathBuf,
    /// Whom it is about: a public key, or a member.toml.
    #[arg(long, value_name = "KEY|MEMBER.toml")]
    agent: String,
    /// Something the agent is: `drone`, `camera`. May be repeated.
    #[arg(long, value_name = "L")]
    label: Vec<Label>,
    /// Something the agent has, in whole units: payload_g=500. May be repeated.
    #[arg(long, value_name = "DIM=N", value_parser = values::amount)]
    amount: Vec<Amount>,
    /// Days from now on that it is valid for.
    #[arg(long, value_name = "N", default_value_t = 30,
        value_parser = clap::value_parser!(u64).range(1..=36_500))]
    days: u64,
    /// File to write.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// Block time may lag behind the attester's clock by as much, in seconds.
const CLOCK_TOLERANCE: u64 = 300;

/// Writes the attestation.
///
/// # Errors
/// Where the folder's key is no attester of its genesis, or a capability is out of the limits.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let home = Home::new(&args.dir);
    let (key, genesis) = (
        home.key()?,
        home.genesis().context("quorate join comes first")?,
    );
    let issuer = key.public_key();
    ensure!(
        genesis.is_attester(&issuer),
        "{}: its key {issuer} is no attester in {}; these are: {}",
        args.dir.display(),
        home.genesis_path().display(),
        attesters(&genesis)
    );
    let subject = key_of(&args.agent).context("--agent")?;
    let claims = claims(args, &key, subject, &genesis)?;
    let count = claims.capabilities.labels.len() + claims.capabilities.amounts.len();
    let attestation = key.sign(claims).into_inner();
    let hash = attestation.hash();
    write_new(&args.out, &cbor::encode(&attestation))?;
    say(format!(
        "attestation {hash} of {subject}: {count} capabilities, {} days",
        args.days
    ))?;
    say(format!(
        "Next, for the agent: quorate join DIR genesis.toml --attestation {}",
        args.out.display()
    ))?;
    Ok(ExitCode::SUCCESS)
}

fn claims(args: &Args, key: &SecretKey, subject: PublicKey, genesis: &Genesis) -> Result<Claims> {
    let mut capabilities = values::capabilities(&args.label, &args.amount);
    // The swarm takes what is not attested for nothing: without a slot, no task.
    capabilities.amounts.entry(SLOTS.parse()?).or_insert(1);
    check_amounts(&capabilities.amounts).context("--amount")?;
    ensure!(
        capabilities.labels.len() <= limits::MAP_ENTRIES,
        "--label: at most {} labels",
        limits::MAP_ENTRIES
    );
    let mut id = [0; 16];
    getrandom::fill(&mut id).context("the system gives no randomness")?;
    let now = values::unix_now() / 1000;
    Ok(Claims {
        issuer: key.public_key(),
        subject,
        audience: genesis.swarm_id(),
        expires: now + args.days * 86_400,
        not_before: now.saturating_sub(CLOCK_TOLERANCE),
        issued_at: now,
        id: id.to_vec(),
        capabilities,
    })
}

fn attesters(genesis: &Genesis) -> String {
    let names = genesis.attesters.iter();
    let names: Vec<_> = names
        .map(|a| format!("{} ({})", a.name, a.key.short()))
        .collect();
    if names.is_empty() {
        "none".to_owned()
    } else {
        names.join(", ")
    }
}
