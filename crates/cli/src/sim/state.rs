//! The results of a range of seeds so far, and the file that keeps them.
//!
//! The file is JSON. It is written under another name and then moved into place, so that it is
//! whole at any time. If the program is killed, only the results since the last write are lost;
//! with Ctrl-C, none.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use quorate_sim::{Adversary, Coverage, SimReport};
use serde::{Deserialize, Serialize};

use super::findings::Finding;
use super::seeds::SeedSet;
use super::source::Source;

/// Sums over runs; part of the output of `--json`. Names may be added but not changed.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Sums {
    pub(super) heights: u64,
    pub(super) steps: u64,
    pub(super) simulated_ms: u64,
    pub(super) committed_tasks: u64,
    pub(super) assignments: u64,
    pub(super) completed_tasks: u64,
    pub(super) tasks: BTreeMap<String, u64>,
    pub(super) outcomes: BTreeMap<String, u64>,
    pub(super) faults: BTreeMap<String, u64>,
    /// The liars that took part, by their lie.
    pub(super) adversaries: BTreeMap<String, Liars>,
    pub(super) coverage: BTreeMap<String, BTreeMap<String, u64>>,
    pub(super) violations: Vec<Finding>,
}

/// Counts of the liars of one lie, and of their operations that were refused.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(super) struct Liars {
    pub(super) took_part: u64,
    pub(super) convicted: u64,
    pub(super) refused: u64,
}

impl Sums {
    pub(super) fn add(&mut self, report: &SimReport, source: &Source) {
        self.heights += report.heights;
        self.steps += report.steps;
        self.simulated_ms += report.simulated_ms;
        self.committed_tasks += report.committed_tasks;
        self.assignments += report.assignments;
        self.completed_tasks += report.completed_tasks;

        add(&mut self.tasks, &report.tasks);
        add(&mut self.outcomes, &report.outcomes);
        add(&mut self.faults, &report.faults);

        for adversary in &report.adversaries {
            let lie = adversary.lie.to_owned();
            self.adversaries.entry(lie).or_default().add(adversary);
        }

        self.add_coverage(&report.coverage);

        let found = report
            .violations
            .iter()
            .map(|violation| Finding::of(source, violation));
        self.violations.extend(found);
    }

    fn add_coverage(&mut self, coverage: &Coverage) {
        for (circumstance, step, count) in coverage.cells() {
            let row = self.coverage.entry(circumstance.to_owned()).or_default();
            *row.entry(step.to_owned()).or_insert(0) += count;
        }
    }

    /// The coverage table of all runs.
    pub(super) fn coverage(&self) -> Coverage {
        let mut coverage = Coverage::default();
        for (circumstance, row) in &self.coverage {
            row.iter()
                .for_each(|(step, count)| coverage.restore(circumstance, step, *count));
        }

        coverage
    }
}

impl Liars {
    fn add(&mut self, liar: &Adversary) {
        self.took_part += 1;
        self.convicted += u64::from(liar.convicted_at.is_some());
        self.refused += liar.refused;
    }
}

fn add(sums: &mut BTreeMap<String, u64>, counts: &BTreeMap<&'static str, u64>) {
    for (name, count) in counts {
        *sums.entry((*name).to_owned()).or_insert(0) += count;
    }
}

/// The settings that must be the same for a later call to go on with the sums.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Settings {
    version: String,
    faults: String,
    validators: usize,
    agents: usize,
    tasks: usize,
    heights: u64,
    /// The plan of the scenario; empty if there is none.
    scenario: String,
}

impl Settings {
    fn of(source: &Source) -> Result<Self> {
        let plan = source.plan(0);
        let (faults, scenario) = match source {
            Source::Profile(faults, _) => (faults.name(), String::new()),
            Source::Scenario(file) => ("", file.fingerprint()?),
        };

        // Another version of the program may play a seed differently.
        Ok(Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            faults: faults.to_owned(),
            validators: plan.validators.len(),
            agents: plan.agents.len(),
            tasks: plan.tasks.len(),
            heights: plan.min_heights,
            scenario,
        })
    }
}

/// The content of the file.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct SavedRange {
    settings: Settings,
    /// The seeds that are done.
    pub(super) done: SeedSet,
    #[serde(flatten)]
    pub(super) sums: Sums,
}

impl SavedRange {
    /// Reads the state from the file, or makes an empty one if there is no file yet.
    ///
    /// # Errors
    /// If the file cannot be read, is not a state file, or is about other runs.
    pub(super) fn open(path: Option<&Path>, source: &Source) -> Result<Self> {
        let settings = Settings::of(source)?;
        let fresh = Self {
            settings,
            done: SeedSet::default(),
            sums: Sums::default(),
        };

        let Some(path) = path.filter(|path| path.exists()) else {
            return Ok(fresh);
        };

        let name = path.display();
        let text = std::fs::read_to_string(path).with_context(|| format!("read {name}"))?;
        let state: Self = serde_json::from_str(&text).with_context(|| {
            format!("{name}: is not a file that --resume wrote; name another file, or remove it")
        })?;

        // Sums over runs with different settings would mean nothing.
        ensure!(
            state.settings == fresh.settings,
            "{name}: holds runs of another scenario, profile, size or version; give the same \
             options as then, or name another file"
        );

        Ok(state)
    }

    /// Writes the file, whole or not at all.
    ///
    /// # Errors
    /// If the file cannot be written. The error names it.
    pub(super) fn save(&self, path: &Path) -> Result<()> {
        let mut beside = path.as_os_str().to_owned();
        beside.push(".new");
        let beside = Path::new(&beside);

        // The bytes must be on the disk before the name leads to them.
        let write = || -> std::io::Result<()> {
            let mut file = File::create(beside)?;
            file.write_all(serde_json::to_string(self)?.as_bytes())?;
            file.sync_all()?;

            std::fs::rename(beside, path)?;
            sync_folder(path)
        };

        write().with_context(|| format!("write {}", path.display()))
    }
}

/// Syncs the folder of a file. A new name in it is durable only after that.
fn sync_folder(path: &Path) -> std::io::Result<()> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());

    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}
