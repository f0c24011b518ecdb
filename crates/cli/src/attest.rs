//! `quorate attest`: signs an attestation of an agent's capabilities.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use quorate_console::{positive_duration, rfc3339, say, write_new};
use quorate_crypto::SecretKey;
use quorate_node::DataDir;
use quorate_types::attestation::Claims;
use quorate_types::slots::ensure_slots;
use quorate_types::task::check_amounts;
use quorate_types::{Attestation, Capabilities, Genesis, Label, PublicKey, cbor, limits};

use crate::member::key_of;
use crate::values::{self, Amount};

/// Sign an attestation of what an agent can do, with the key of an attester
///
/// The agent joins with it (quorate join --attestation), and the swarm admits the agent. Tasks can
/// require the labels and amounts in it; what an agent says of itself does not count. A requester
/// needs an attestation too: with `--amount slots=0` it can submit tasks but is given none to do.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Example:
  quorate attest authority --agent drone7/member.toml --label drone --label camera \\
    --amount payload_g=500 --amount slots=1 --valid-for 90d --out drone7.att

The amount `slots` is the number of tasks that the agent may hold at a time. It is 1 unless you give
another.")]
pub(crate) struct Args {
    /// Folder of the attester, which has joined the swarm.
    dir: PathBuf,
    /// Agent that the attestation is about: its public key, or its member.toml.
    #[arg(long, value_name = "KEY|MEMBER.toml")]
    agent: String,
    /// Label that the agent has, such as `drone` or `camera`. May be repeated.
    #[arg(long, value_name = "L")]
    label: Vec<Label>,
    /// Amount that the agent has, in whole units: payload_g=500. May be repeated.
    #[arg(long, value_name = "DIM=N", value_parser = values::amount)]
    amount: Vec<Amount>,
    /// Time from now on for which the attestation is valid.
    #[arg(long, value_name = "TIME", default_value = "30d",
        value_parser = positive_duration)]
    valid_for: Duration,
    /// File to write. It must not exist yet.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// Seconds by which block time may lag behind the attester's clock without making a new attestation
/// not yet valid.
const CLOCK_TOLERANCE: u64 = 300;

/// Signs and writes the attestation.
///
/// # Errors
/// If the folder's key is not an attester of its genesis, or if a capability is out of the limits.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let data_dir = DataDir::new(&args.dir);
    let key = data_dir.key()?;
    let genesis = data_dir.genesis().context("run quorate join first")?;

    let issuer = key.public_key();
    check_attester(&data_dir, &genesis, &issuer)?;

    let subject = key_of(&args.agent).context("--agent")?;
    let claims = claims(args, &key, subject, &genesis)?;
    let attestation = key.sign(claims).into_inner();
    write_new(&args.out, &cbor::encode(&attestation))?;

    say_attestation(&attestation, &args.out)?;
    Ok(ExitCode::SUCCESS)
}

/// Checks that the key is an attester of the genesis. The swarm would refuse an attestation by any
/// other key.
fn check_attester(data_dir: &DataDir, genesis: &Genesis, issuer: &PublicKey) -> Result<()> {
    ensure!(
        genesis.is_attester(issuer),
        "{}: its key {issuer} is not an attester in {}; the attesters are: {}",
        data_dir.root().display(),
        data_dir.genesis_path().display(),
        attesters(genesis)
    );

    Ok(())
}

fn claims(args: &Args, key: &SecretKey, subject: PublicKey, genesis: &Genesis) -> Result<Claims> {
    let capabilities = capabilities(args)?;

    let mut id = [0; 16];
    getrandom::fill(&mut id).context("the system gives no randomness")?;
    let now = values::unix_now().seconds();
    // Claims carry whole seconds, so a part of a second counts as one.
    let valid_for = u64::try_from(args.valid_for.as_millis())?.div_ceil(1000);

    Ok(Claims {
        issuer: key.public_key(),
        subject,
        audience: genesis.swarm_id(),
        expires: now + valid_for,
        not_before: now.saturating_sub(CLOCK_TOLERANCE),
        issued_at: now,
        id: id.to_vec(),
        capabilities,
    })
}

/// The capabilities that the arguments name, within the limits of attestations.
fn capabilities(args: &Args) -> Result<Capabilities> {
    let mut capabilities = values::capabilities(&args.label, &args.amount);
    // The ledger counts one slot for an agent whose attestation names none (M-9). Naming it here
    // lets readers of the attestation see it.
    ensure_slots(&mut capabilities.amounts);

    check_amounts(&capabilities.amounts).context("--amount")?;
    ensure!(
        capabilities.labels.len() <= limits::MAP_ENTRIES,
        "--label: at most {} labels",
        limits::MAP_ENTRIES
    );

    Ok(capabilities)
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

fn say_attestation(attestation: &Attestation, out: &Path) -> Result<()> {
    let Claims {
        subject,
        expires,
        capabilities,
        ..
    } = &attestation.payload;

    let count = capabilities.labels.len() + capabilities.amounts.len();
    say(format!(
        "attestation {} of {subject}: {count} capabilities, valid until {}",
        attestation.id(),
        rfc3339(*expires)
    ))?;

    say(format!(
        "Next, for the agent: quorate join DIR genesis.toml --attestation {}",
        out.display()
    ))
}
