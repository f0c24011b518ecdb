//! `quorate node repair`: repairs damaged files of a validator.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use quorate_console::say;
use quorate_node::DataDir;
use quorate_store::{FileDisk, StoreConfig, repair};

/// Cut damaged files of a validator at their first damage, keeping copies
///
/// Use this if a node refuses to start because its log or its blocks are damaged. Each file that is
/// cut is kept as it was under the name NAME.damaged.N; the node fetches missing blocks from other
/// members. The signing guard is never touched: if it is lost or damaged, see `quorate node
/// --rejoin`.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Example: quorate node repair alice")]
pub(super) struct Args {
    /// Folder of the node, or the data folder in it, which error messages name. The node must be
    /// stopped.
    dir: PathBuf,
}

/// Repairs the files, and prints what was done to each.
///
/// # Errors
/// If the folder is in use or belongs to another swarm, or if the disk fails. The command can be
/// run again then.
pub(super) fn run(args: &Args) -> Result<ExitCode> {
    let data_dir = data_dir_of(&args.dir)?;
    let data = data_dir.data();

    let swarm = data_dir.genesis()?.swarm_id();

    let disk = FileDisk::new(&data).with_context(|| data.display().to_string())?;
    let repaired = repair(Arc::new(disk), StoreConfig::new(swarm.0, fresh_salt()?))?;

    for file in &repaired {
        say(format!(
            "{}: {} bytes left in use, kept as {}",
            file.path, file.length, file.kept
        ))?;
    }

    if repaired.is_empty() {
        say("nothing is damaged")?;
    }

    Ok(ExitCode::SUCCESS)
}

/// A random salt. With it, no payload that a peer chose can look like frames of the repaired files.
fn fresh_salt() -> Result<u32> {
    let mut salt = [0; 4];
    getrandom::fill(&mut salt).context("the system gives no randomness")?;
    Ok(u32::from_le_bytes(salt))
}

/// The folder of the node, if `dir` is that folder or the `data` folder in it.
fn data_dir_of(dir: &Path) -> Result<DataDir> {
    let parent = dir
        .parent()
        .filter(|_| dir.file_name().is_some_and(|name| name == "data"));

    let candidates = [Some(dir), parent].into_iter().flatten().map(DataDir::new);
    let found = candidates
        .into_iter()
        .find(|data_dir| data_dir.genesis_path().exists());

    let data_dir = found.with_context(|| {
        format!(
            "{}: is not the folder of a node that has joined: there is no genesis.toml in it",
            dir.display()
        )
    })?;

    ensure!(
        data_dir.data().is_dir(),
        "{}: there is no such folder, so there is nothing to repair",
        data_dir.data().display()
    );

    Ok(data_dir)
}
