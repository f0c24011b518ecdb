//! The stage of the drone demonstration: mission, market, drones.

use anyhow::{Result, bail};
use quorate_drone::{Mission, Point};
use quorate_types::{Label, Market, UnixMillis};

use super::args::Args;
use crate::setting::{Input, Setting, Wanted};
use crate::worker::{DRONE_FILE, DroneFile};

/// The mission that ships, for a run without `--mission`.
const BRIDGES: &str = include_str!("../../../../examples/drones/bridges.geojson");
const BRIDGES_NAME: &str = "bridges.geojson";
/// The label that some tasks require, some drones are attested, and the liar only claims.
const THERMAL_CAMERA: &str = "thermal-camera";
/// Simulated seconds that pass in one second.
const TIME_SCALE: f64 = 120.0;

/// Everything that a run needs; it is also written to the folder of the run.
pub(super) struct DroneSetup {
    pub(super) setting: Setting,
    pub(super) mission: Mission,
    pub(super) drone_files: Vec<DroneFile>,
    /// Whether the mission required nothing, so that the demonstration added a requirement.
    pub(super) requirement_added: bool,
}

impl DroneSetup {
    pub(super) fn set(args: &Args, started: UnixMillis) -> Result<Self> {
        let (mut mission, requirement_added) = read_mission(args)?;

        let setting = Setting::make(Wanted {
            name: "drones",
            role: "drone",
            validators: args.validators,
            agents: args.drones,
            attester: "airworthiness",
            markets: vec![market()?],
            out: args.run.out.as_deref(),
            started,
        })?;

        let input = Input::of(args.mission.as_deref(), BRIDGES_NAME, BRIDGES)?;
        mission.name = input.keep(&setting.folder)?;

        let thermal: Label = THERMAL_CAMERA.parse()?;
        if requirement_added {
            for task in mission.tasks.iter_mut().step_by(10) {
                task.requires.insert(thermal.clone());
            }
        }

        let setup = Self {
            setting,
            drone_files: drone_files(args, &mission, &thermal),
            mission,
            requirement_added,
        };

        setup.write()?;
        Ok(setup)
    }

    fn write(&self) -> Result<()> {
        self.setting.write()?;
        for (drone, file) in self.setting.agents.iter().zip(&self.drone_files) {
            // It is attested what it has, not what it claims.
            self.setting.attest(drone, file.config().attested())?;
            drone.tell(DRONE_FILE, file)?;
        }

        Ok(())
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
    Ok((mission, !requires && !args.run.no_faults))
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
    let loads = mission.tasks.iter().map(|task| task.task.demand_g);
    let heaviest = loads.max().unwrap_or(0);
    let liar = (!args.run.no_faults && args.drones > 1).then_some(args.drones - 1);

    let drone = |at: usize| {
        // The liar has no camera: otherwise its claim would be true.
        let lies = liar == Some(at);
        let has_camera = at.is_multiple_of(2) && !lies;

        DroneFile {
            home: home(args, at, center),
            speed_mps: 15.0,
            range_m: 60_000.0,
            // Every drone can carry the load of every task.
            payload_g: heaviest.max(500),
            equipment: has_camera.then(|| thermal.clone()).into_iter().collect(),
            time_scale: TIME_SCALE,
            seed: args.seed.wrapping_mul(1000).wrapping_add(at as u64),
            claims: lies.then(|| thermal.clone()),
        }
    };

    (0..args.drones).map(drone).collect()
}

/// Returns the place of a drone on an ellipse around `center`, which the seed turns.
fn home(args: &Args, at: usize, center: Point) -> Point {
    let turn = (args.seed % 7) as f64 / 7.0;
    let angle = std::f64::consts::TAU * (at as f64 + 0.5 + turn) / args.drones as f64;

    Point {
        lat: center.lat + 0.006 * angle.sin(),
        lng: center.lng + 0.010 * angle.cos(),
    }
}
