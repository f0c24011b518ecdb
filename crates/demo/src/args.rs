//! The arguments that all demonstrations have.

use std::path::PathBuf;
use std::time::Duration;

use quorate_console::positive_duration;

/// The arguments about a run, whatever is demonstrated. Each demonstration has its own help for the
/// folder and for the faults.
#[derive(Debug, clap::Args)]
pub(crate) struct RunArgs {
    /// Print one JSON object instead of the summary.
    #[arg(long)]
    pub(crate) json: bool,
    /// Folder of the run; must be empty or absent.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Cause no faults.
    #[arg(long)]
    pub(crate) no_faults: bool,
    /// Longest time to wait for the tasks to end; then the run is stopped.
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = positive_duration)]
    pub(crate) timeout: Duration,
}
