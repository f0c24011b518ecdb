//! The stage of the drone demonstration: mission, market, drones.

use anyhow::{Result, bail};
use quorate_drone::{Mission, Point};
use quorate_types::{Label, Market};

use super::Args;
use crate::demo::setting::{Setting, Wanted, keep_input};
use crate::demo::worker::{DRONE_FILE, DroneFile};

/// The mission that ships, for a run without `--mission`.
const BRIDGES: &str = include_str!("../../../../../examples/drones/bridges.geojson");
const BRIDGES_NAME: &str = "bridges.geojson";
/// The label that some tasks require, some drones are attested, and the liar only claims.
const THERMAL_CAMERA: &str = "thermal-camera";
/// Simulated seconds that pass in one second.
const TIME_SCALE: f64 = 120.0;

/// Everything that a run needs; it is also written to the folder of the run.
pub(super) struct Stage {
    pub(super) setting: Setting,
    pub(super) mission: Mission,
    pub(super) drone_files: Vec<DroneFile>,
    /// Whether the mission required nothing, so that the demonstration added a requirement.
    pub(super) requirement_added: bool,
}

impl Stage {
    pub(super) fn set(args: &Args, started_unix_ms: u64) -> Result<Self> {
        let (mut mission, requirement_added) = read_mission(args)?;

        let setting = Setting::make(Wanted {
            name: "drones",
            role: "drone",
            validators: args.validators,
            agents: args.drones,
            attester: "airworthiness",
            markets: vec![market()?],
            keep: args.keep.as_deref(),
            started_unix_ms,
        })?;

        mission.name = keep_input(
            args.mission.as_deref(),
            (BRIDGES_NAME, BRIDGES),
            &setting.folder,
        )?;

        let thermal: Label = THERMAL_CAMERA.parse()?;
        if requirement_added {
            for task in mission.tasks.iter_mut().step_by(10) {
                task.requires.insert(thermal.clone());
            }
        }

        let drone_files = drone_files(args, &mission, &thermal);

        setting.write()?;
        for (drone, file) in setting.agents.iter().zip(&drone_files) {
            // It is attested what it has, not what it claims.
            setting.attest(drone, file.config().attested())?;
            drone.tell(DRONE_FILE, file)?;
        }

        Ok(Self {
            setting,
            mission,
            drone_files,
            requirement_added,
        })
    }
}

/// Reads the mission, and tells whether a requirement must be added. If no task required a
/// capability, nobody could falsely claim one, and the run would not show that such a claim is
/// refused.
fn read_mission(args: &Args) -> Result<(Mission, bool)> {
    let mission = match &args.mission {
        Some(path) => Mission::read(path)?,
        None => Mission::parse(BRIDGES_NAME, BRIDGES)?,
    };
    if mission.tasks.is_empty() {
        bail!("{}: the mission has no tasks", mission.name);
    }

    let requires = mission.tasks.iter().any(|task| !task.requires.is_empty());
    Ok((mission, !requires && !args.no_faults))
}

fn market() -> Result<Market> {
    Ok(Market {
        name: "drones".parse()?,
        reserve: None,
        trusted: false,
        attempts: 10,
        // Active time without a sign of life after which a task goes to market again.
        lease_ms: 3_000,
        solve_ms: None,
        mechanism: "assignment".parse()?,
        reveal_ms: None,
        window_ms: 600,
    })
}

/// Returns the settings of the drones, which stand around the middle of the mission. Every other
/// one has a thermal camera, and the last one only claims to have one.
fn drone_files(args: &Args, mission: &Mission, thermal: &Label) -> Vec<DroneFile> {
    let center = mission.center().unwrap_or(Point { lat: 0.0, lng: 0.0 });
    let heaviest = mission
        .tasks
        .iter()
        .map(|task| task.task.demand_g)
        .max()
        .unwrap_or(0);

    let liar = (!args.no_faults && args.drones > 1).then_some(args.drones - 1);

    let drone = |at: usize| {
        // The seed turns the circle on which the drones stand.
        let angle = std::f64::consts::TAU * (at as f64 + 0.5 + (args.seed % 7) as f64 / 7.0)
            / args.drones as f64;
        let home = Point {
            lat: center.lat + 0.006 * angle.sin(),
            lng: center.lng + 0.010 * angle.cos(),
        };

        // The liar has no camera: otherwise its claim would be true.
        let lies = liar == Some(at);

        DroneFile {
            home,
            speed_mps: 15.0,
            range_m: 60_000.0,
            // Every drone can carry the load of every task.
            payload_g: heaviest.max(500),
            equipment: if at.is_multiple_of(2) && !lies {
                vec![thermal.clone()]
            } else {
                Vec::new()
            },
            time_scale: TIME_SCALE,
            seed: args.seed.wrapping_mul(1000).wrapping_add(at as u64),
            claims: lies.then(|| thermal.clone()),
        }
    };

    (0..args.drones).map(drone).collect()
}
