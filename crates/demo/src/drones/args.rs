//! The arguments of `quorate demo drones`.

use std::path::PathBuf;

use crate::args::RunArgs;

/// Arguments of `quorate demo drones`.
#[derive(Debug, clap::Args)]
#[command(mut_arg("out", |out| out.help(OUT)), mut_arg("no_faults", |flag| flag.help(NO_FAULTS)))]
pub(crate) struct Args {
    /// Mission: GeoJSON points, CSV with a header (id, lat, lng, demand, duration, tw_start,
    /// tw_end), or a QGroundControl plan. [default: 100 bridges, examples/drones/bridges.geojson]
    #[arg(long, value_name = "FILE")]
    pub(super) mission: Option<PathBuf>,
    /// Validators, 1 to 16, each a process; of four one may fail, of seven two.
    #[arg(long, value_name = "N", default_value_t = 4)]
    pub(super) validators: usize,
    /// Drones, 1 to 64, each a process.
    #[arg(long, value_name = "N", default_value_t = 8)]
    pub(super) drones: usize,
    /// Seed that decides where drones stand and which validator is killed.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(super) seed: u64,
    #[command(flatten)]
    pub(super) run: RunArgs,
}

const OUT: &str = "Folder of the run; must be empty or absent. [default: runs/drones-TIME]";

const NO_FAULTS: &str = "Kill nobody and let nobody lie";
