//! The arguments of `quorate demo trading`.

use std::path::PathBuf;

use crate::args::RunArgs;

/// Arguments of `quorate demo trading`.
#[derive(Debug, clap::Args)]
#[command(mut_arg("out", |out| out.help(OUT)), mut_arg("no_faults", |flag| flag.help(NO_FAULTS)))]
pub(crate) struct Args {
    /// Bars: CSV with a header (date or time, open, high, low, close, volume; others are ignored).
    /// [default: a synthetic day, examples/trading/day.csv]
    #[arg(long, value_name = "FILE")]
    pub(super) bars: Option<PathBuf>,
    /// Bars to trade, from the first on.
    #[arg(long, value_name = "N", default_value_t = 26)]
    pub(super) take: usize,
    /// Validators, 1 to 16, each a process; of four one may fail, of seven two.
    #[arg(long, value_name = "N", default_value_t = 4)]
    pub(super) validators: usize,
    /// Market makers, 3 to 64, each a process.
    #[arg(long, value_name = "N", default_value_t = 8)]
    pub(super) traders: usize,
    /// Seed that decides how costs of market makers go up and down.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(super) seed: u64,
    #[command(flatten)]
    pub(super) run: RunArgs,
}

const OUT: &str = "Folder of the run; must be empty or absent. [default: runs/trading-TIME]";

const NO_FAULTS: &str = "Let nobody misbehave";
