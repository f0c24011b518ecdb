//! `quorate join`: makes a node's folder belong to a swarm.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail, ensure};
use quorate_certificate::TrustRoot;
use quorate_console::say;
use quorate_market::check_mechanisms;
use quorate_node::{DataDir, DataDirError, Multiaddr, read_genesis};
use quorate_store::GuardError;
use quorate_types::{Attestation, Genesis, PublicKey, cbor, limits};
use serde::Deserialize;
use toml::Spanned;

use crate::init::CONFIG;
use crate::values::{all_addresses, unix_now};

/// Put a genesis into a node's folder, so that the node belongs to that swarm
///
/// If the genesis names the node's key as a validator, this also makes its signing guard. The guard
/// records what the key signed last, and keeps the node from ever signing two votes for one step.
/// It is made once and belongs to the key: never copy a folder to run it twice, and never restore
/// one from a backup.
///
/// If a validator's folder was lost and only its key is left, do not use this command: it would
/// make a guard that knows nothing of what the key signed before. Put the genesis into the new
/// folder yourself, and read about --rejoin in the help of `quorate node`.
///
/// Other nodes are agents or requesters. The swarm knows them only by an attestation that one of
/// its attesters has signed. Run this command again with --attestation or --boot to add either
/// later.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  quorate join alice genesis.toml --boot bob/member.toml
  quorate join worker genesis.toml --boot /ip4/192.0.2.1/tcp/7400 --attestation worker.att")]
pub(crate) struct Args {
    /// Folder of the node.
    dir: PathBuf,
    /// Genesis file of the swarm.
    genesis: PathBuf,
    /// Member to connect to first: its address, or its member.toml with addresses. May be repeated.
    #[arg(long, value_name = "ADDR|MEMBER.toml")]
    boot: Vec<String>,
    /// File with the attestation of this node's key, made by `quorate attest`.
    #[arg(long, value_name = "FILE")]
    attestation: Option<PathBuf>,
}

/// Checks all files, then stores genesis, attestation and boot addresses in the folder.
///
/// # Errors
/// If the files do not fit together: a folder of another swarm, an attestation of another key.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let data_dir = DataDir::new(&args.dir);
    let key = key_of(&data_dir)?;
    let genesis = read_genesis(&args.genesis)?;
    let root = check_genesis(&genesis).with_context(|| args.genesis.display().to_string())?;
    let boot = all_addresses(&args.boot)?;

    let attestation = args
        .attestation
        .as_deref()
        .map(|path| read_attestation(path, &genesis, &key))
        .transpose()?;

    // Before the genesis is stored: a genesis in the folder is the sign that it joined before.
    refuse_lost_guard(&data_dir, &genesis, &key)?;
    store_genesis(&data_dir, &genesis)?;
    if let Some(attestation) = &attestation {
        data_dir.store_attestation(attestation)?;
    }

    if !boot.is_empty() {
        store_boot(&args.dir.join(CONFIG), &boot)?;
    }

    say_swarm(&root)?;
    say_role(&data_dir, &genesis, &key)?;
    Ok(ExitCode::SUCCESS)
}

fn key_of(data_dir: &DataDir) -> Result<PublicKey> {
    let key = data_dir
        .key()
        .context("the folder has no usable key; make a folder with quorate init")?;

    Ok(key.public_key())
}

/// Checks that the genesis is valid and that its mechanisms are known. Returns the trust root that
/// follows from it.
fn check_genesis(genesis: &Genesis) -> Result<TrustRoot> {
    check_mechanisms(&genesis.markets)?;
    Ok(TrustRoot::from_genesis(genesis)?)
}

fn store_genesis(data_dir: &DataDir, genesis: &Genesis) -> Result<()> {
    let path = data_dir.genesis_path();
    if !path.exists() {
        return Ok(data_dir.store_genesis(genesis)?);
    }

    let swarm = data_dir.genesis()?.swarm_id();
    ensure!(
        swarm == genesis.swarm_id(),
        "{}: belongs to swarm {swarm} already, and a node can have only one; \
         make another node with quorate init",
        path.display()
    );

    Ok(())
}

/// Refuses to give a second guard to a validator that joined before. If its guard is gone, nothing
/// records any longer what the key signed, so the key must not sign again (decision 0022 in the
/// book).
fn refuse_lost_guard(data_dir: &DataDir, genesis: &Genesis, key: &PublicKey) -> Result<()> {
    let joined = data_dir.genesis_path().exists() && genesis.validators.get(key).is_some();
    let guard = data_dir.data().join("guard");

    ensure!(
        !joined || guard.exists(),
        "{}: the signing guard is gone, and with it the record of what this key signed, so the \
         key must not sign. If nothing else runs with this key, now or later, quorate node {} \
         --rejoin lets it vote again from heights that the other validators prove",
        guard.display(),
        data_dir.root().display()
    );

    Ok(())
}

fn say_swarm(root: &TrustRoot) -> Result<()> {
    say(format!("joined swarm {} ({})", root.name(), root.swarm()))?;
    say(format!(
        "fingerprint {}: compare it with what you were told",
        root.fingerprint()
    ))
}

fn say_role(data_dir: &DataDir, genesis: &Genesis, key: &PublicKey) -> Result<()> {
    let dir = data_dir.root().display();

    if genesis.validators.get(key).is_some() {
        make_guard(data_dir, genesis, key)?;
        return say(format!("Next: quorate node {dir}"));
    }

    if genesis.is_attester(key) {
        return say(format!(
            "this node is an attester. Next: quorate attest {dir} --agent MEMBER.toml --out FILE"
        ));
    }

    say("this node is an agent or requester")?;
    say(match data_dir.attestation()? {
        Some(_) => format!(
            "Next: quorate node {dir} --command PROGRAM to work, or quorate submit {dir} to have \
             work done"
        ),
        None => format!(
            "Next: give {dir}/member.toml to an attester, then quorate join {dir} genesis.toml \
             --attestation FILE"
        ),
    })
}

/// Makes the signing guard of a validator, unless there is one.
fn make_guard(data_dir: &DataDir, genesis: &Genesis, key: &PublicKey) -> Result<()> {
    match data_dir.create_guard(key, &genesis.swarm_id()) {
        Ok(()) => say("this node is a validator; its signing guard is made"),
        Err(DataDirError::Guard(GuardError::Exists { .. })) => {
            say("this node is a validator; its signing guard is left as it is")
        }
        Err(error) => Err(error.into()),
    }
}

/// Reads an attestation, and checks here already everything that would make the swarm refuse it
/// later.
fn read_attestation(path: &Path, genesis: &Genesis, key: &PublicKey) -> Result<Attestation> {
    let name = path.display();

    let bytes = std::fs::read(path).with_context(|| name.to_string())?;
    let attestation: Attestation = cbor::decode(&bytes, limits::ATTESTATION_BYTES)
        .with_context(|| format!("{name}: is not a valid attestation"))?;

    check_claims(&attestation, genesis, key).with_context(|| name.to_string())?;
    let verified = quorate_crypto::verify(attestation).with_context(|| name.to_string())?;
    Ok(verified.into_inner())
}

/// Checks the points that the ledger judges when the agent is admitted (codes 101 to 104).
fn check_claims(attestation: &Attestation, genesis: &Genesis, key: &PublicKey) -> Result<()> {
    let claims = &attestation.payload;

    ensure!(
        claims.subject == *key,
        "is about the key {}, but this node's key is {key}",
        claims.subject
    );
    ensure!(
        claims.audience == genesis.swarm_id(),
        "is for the swarm {}, not for that of the genesis",
        claims.audience
    );
    ensure!(
        claims.issuer == attestation.signer && genesis.is_attester(&claims.issuer),
        "is signed by {}, which is not an attester of this swarm",
        attestation.signer
    );
    ensure!(
        claims.expires > unix_now().seconds(),
        "has expired; ask the attester for a new one"
    );

    Ok(())
}

/// Sets `boot` in a configuration file, and leaves everything else in the file as it is.
fn store_boot(path: &Path, boot: &[Multiaddr]) -> Result<()> {
    let name = || path.display().to_string();
    let text = match std::fs::read_to_string(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        text => text.with_context(name)?,
    };

    let changed = with_boot(&text, boot).with_context(name)?;
    // Replacing a span of the text may go wrong in ways that only the whole configuration shows.
    if toml::from_str::<quorate_node::NodeConfig>(&changed).is_err() {
        bail!(
            "{}: cannot be changed by this program; write boot = {} into it yourself",
            name(),
            boot_value(boot)?
        );
    }

    std::fs::write(path, changed).with_context(name)
}

/// Replaces the value of `boot` in the text of a configuration, or adds it.
fn with_boot(text: &str, boot: &[Multiaddr]) -> Result<String> {
    #[derive(Deserialize)]
    struct Place {
        boot: Option<Spanned<toml::Value>>,
    }

    let value = boot_value(boot)?;
    let place: Place = toml::from_str(text)?;

    Ok(match place.boot {
        Some(old) => {
            let mut changed = text.to_owned();
            changed.replace_range(old.span(), &value);
            changed
        }
        // At the top of the file, because after the header of a table it would belong to the table.
        None => format!("boot = {value}\n{text}"),
    })
}

fn boot_value(boot: &[Multiaddr]) -> Result<String> {
    Ok(toml::Value::try_from(boot)?.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boot_addresses_change_and_comments_stay() {
        let boot = ["/ip4/192.0.2.1/tcp/7400".parse().unwrap()];
        for (before, after) in [
            ("", "boot = [\"/ip4/192.0.2.1/tcp/7400\"]\n"),
            (
                "# a\nboot = [] # b\nmdns = true\n",
                "# a\nboot = [\"/ip4/192.0.2.1/tcp/7400\"] # b\nmdns = true\n",
            ),
            (
                "boot = [\n  # old\n  \"/ip4/192.0.2.9/tcp/1\",\n]\n[pace]\n",
                "boot = [\"/ip4/192.0.2.1/tcp/7400\"]\n[pace]\n",
            ),
            (
                "[pace]\nleast_ms = 5\n",
                "boot = [\"/ip4/192.0.2.1/tcp/7400\"]\n[pace]\nleast_ms = 5\n",
            ),
        ] {
            assert_eq!(with_boot(before, &boot).unwrap(), after);
        }
    }
}
