//! The source of plans: a profile and a size, or a scenario file.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use quorate_sim::scenario::RoundTrips;
use quorate_sim::{Plan, Scenario, Size};

use super::args::Args;
use super::faults::Faults;

/// Makes the plan for each seed.
#[derive(Debug)]
pub(super) enum Source {
    /// From one profile or all, in this size.
    Profile(Faults, Size),
    /// From a scenario file.
    Scenario(Box<File>),
}

/// A scenario, with the path of its file.
#[derive(Debug)]
pub(super) struct File {
    pub(super) path: PathBuf,
    pub(super) scenario: Scenario,
    heights: Option<u64>,
    /// The plan of seed 0. The plan of any other seed differs only in the seed.
    pub(super) plan: Plan,
}

impl Source {
    /// Makes the source that the arguments ask for.
    ///
    /// # Errors
    /// If the scenario file is not valid. The error names the file, the line, and what to write
    /// instead.
    pub(super) fn of(args: &Args) -> Result<Self> {
        if let Some(path) = &args.scenario {
            return Ok(Self::Scenario(Box::new(File::read(path, args.heights)?)));
        }

        let size = Size {
            validators: usize::try_from(args.validators)?,
            agents: usize::try_from(args.agents)?,
            tasks: usize::try_from(args.tasks)?,
            heights: args.heights.unwrap_or(Size::default().heights),
        };

        Ok(Self::Profile(args.faults, size))
    }

    /// The plan of a seed.
    pub(super) fn plan(&self, seed: u64) -> Plan {
        match self {
            Self::Profile(faults, size) => faults.of_seed(seed).plan(seed, *size),
            Self::Scenario(file) => Plan {
                seed,
                ..file.plan.clone()
            },
        }
    }

    /// The seed that is run if none is given.
    pub(super) fn default_seed(&self) -> u64 {
        match self {
            Self::Profile(..) => 1,
            Self::Scenario(file) => file.scenario.seed().unwrap_or(1),
        }
    }

    /// The profile of a seed; `None` for a scenario.
    pub(super) fn profile(&self, seed: u64) -> Option<&'static str> {
        match self {
            Self::Profile(faults, _) => Some(faults.of_seed(seed).name()),
            Self::Scenario(_) => None,
        }
    }

    /// The command that runs a seed again.
    pub(super) fn command(&self, seed: u64, until: Option<u64>) -> String {
        let mut command = format!("quorate sim --seed {seed}");
        match self {
            Self::Profile(faults, size) => {
                let Size {
                    validators,
                    agents,
                    tasks,
                    heights,
                } = size;

                // With `--faults all`, the command names the one profile that the seed has.
                let profile = faults.of_seed(seed).name();

                command += &format!(
                    " --validators {validators} --agents {agents} --tasks {tasks} \
                     --heights {heights} --faults {profile}"
                );
            }
            Self::Scenario(file) => {
                command += &format!(" --scenario {}", quoted(&file.path));
                command += &file
                    .heights
                    .map_or(String::new(), |n| format!(" --heights {n}"));
            }
        }
        command + &until.map_or(String::new(), |step| format!(" --until-step {step}"))
    }
}

impl File {
    fn read(path: &Path, heights: Option<u64>) -> Result<Self> {
        let name = || path.display().to_string();
        let text = read(path)?;

        let scenario = Scenario::parse(&text).with_context(name)?;
        let table = round_trips(path, &scenario)?;

        let mut plan = scenario.plan(0, table.as_ref()).with_context(name)?;
        plan.min_heights = heights.unwrap_or(plan.min_heights);

        // Some faults of a scenario show only when its world is made.
        if let Err(error) = quorate_sim::World::new(plan.clone()) {
            bail!("{}: {error}", name());
        }

        Ok(Self {
            path: path.to_owned(),
            scenario,
            heights,
            plan,
        })
    }

    /// A text that distinguishes this scenario from all others, whatever its file is called.
    pub(super) fn fingerprint(&self) -> Result<String> {
        Ok(serde_json::to_string(&self.plan)?)
    }
}

/// The table of round trips that the scenario of this path names, if it names one.
fn round_trips(path: &Path, scenario: &Scenario) -> Result<Option<RoundTrips>> {
    let Some(file) = scenario.round_trip_file() else {
        return Ok(None);
    };

    // The table is named relative to the scenario file.
    let folder = path.parent().unwrap_or(Path::new(""));
    let file = folder.join(file);

    // The error names the scenario as well, because the name of the table stands there.
    let text = read(&file).with_context(|| path.display().to_string())?;
    let table = RoundTrips::parse(&text).with_context(|| file.display().to_string())?;

    Ok(Some(table))
}

fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("read {}", path.display()))
}

/// A path in the form in which a shell takes it as one word.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:,@".contains(c);
    match !text.is_empty() && text.chars().all(plain) {
        true => text,
        false => format!("'{}'", text.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_quoted_where_a_shell_would_split_it() {
        assert_eq!(quoted(Path::new("a/b-1.toml")), "a/b-1.toml");
        assert_eq!(quoted(Path::new("my swarm.toml")), "'my swarm.toml'");
        assert_eq!(quoted(Path::new("it's.toml")), r"'it'\''s.toml'");
    }
}
