//! Flags over environment over file: flags become the environment of this very process.
//!
//! The configuration is read in one place, `NodeConfig::read`, which the environment overrides. An
//! environment cannot be changed safely while threads run, so the process starts itself anew, in
//! place and with the same arguments; the second time its environment says what its flags say.

use std::os::unix::process::CommandExt;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use quorate_node::{Home, Multiaddr};

use super::Args;
use crate::init::CONFIG;
use crate::values::addresses;

/// Does nothing where the environment says what the flags say; does not return otherwise.
///
/// # Errors
/// Where a flag is no address, or this program cannot be started again.
pub(super) fn apply(args: &Args, home: &Home) -> Result<()> {
    let changes = wanted(args)?;
    let differs = |(name, value): &(&str, String)| std::env::var(name).ok().as_ref() != Some(value);
    if !changes.iter().any(differs) {
        return Ok(());
    }
    let config = home.root().join(CONFIG);
    ensure!(
        config.exists(),
        "{}: missing; quorate init makes it, an empty one will do",
        config.display()
    );
    let program = std::env::current_exe().context("where this program is")?;
    let error = Command::new(program).args(std::env::args_os().skip(1)).envs(changes).exec();
    Err(error).context("start this program with its flags")
}

fn wanted(args: &Args) -> Result<Vec<(&'static str, String)>> {
    let boot = args.boot.iter().map(|text| addresses(text)).collect::<Result<Vec<_>>>()?.concat();
    let lists = [("QUORATE_LISTEN", &args.listen), ("QUORATE_BOOT", &boot)];
    let given = lists.into_iter().filter(|(_, list)| !list.is_empty());
    let mut wanted: Vec<_> = given.map(|(name, list)| (name, join(list))).collect();
    if args.mdns {
        wanted.push(("QUORATE_MDNS", "true".to_owned()));
    }
    Ok(wanted)
}

fn join(addresses: &[Multiaddr]) -> String {
    addresses.iter().map(Multiaddr::to_string).collect::<Vec<_>>().join(",")
}
