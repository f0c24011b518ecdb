//! The agent that flies a simulated drone.

use std::time::Duration;

use async_trait::async_trait;
use quorate_agent::{
    Agent, Award, CallForBids, LeaseGuard, LeaseLost, Quote, TaskError, TaskOutput,
};
use quorate_types::{Amounts, Capabilities, Label, limits};

use crate::flight::{Airframe, FlightPlan, Leg, Position};
use crate::flight::{Fix, Track};
use crate::geo::Point;
use crate::task::DroneTask;

/// The number of points to which the path in a report is thinned out, because the result has a
/// limit.
const PATH_POINTS: usize = 48;
/// The number of parts in which a flight between two places is recorded, and can be interrupted.
const STEPS: u32 = 8;

/// The properties of a drone.
#[derive(Debug, Clone)]
pub struct DroneConfig {
    /// The place at which it starts, and changes batteries.
    pub home: Point,
    /// The cruising speed in metres per second. Less than 0.1 counts as 0.1.
    pub speed_mps: f64,
    /// The metres that it flies on one battery.
    pub range_m: f64,
    /// The load that it can carry, in grams.
    pub payload_g: i64,
    /// Its further equipment, as labels that tasks may require, such as `thermal-camera`.
    pub equipment: Vec<Label>,
    /// The simulated seconds that pass in one second. Less than 0.001 counts as 0.001.
    pub time_scale: f64,
    /// The seed, by which drones of one kind differ a little: by up to 5 % of the speed.
    pub seed: u64,
    /// Whether it is honest.
    pub behaviour: Behaviour,
}

/// The behaviour of a drone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Behaviour {
    /// Claims only the equipment that it has.
    Honest,
    /// Claims equipment that no attester gave it, and bids with it. The swarm refuses such offers.
    Liar {
        /// The equipment that it claims.
        claims: Label,
    },
}

impl DroneConfig {
    /// Makes an honest drone of 15 m/s, 20 km and 500 g, in real time.
    pub fn new(home: Point) -> Self {
        Self {
            home,
            speed_mps: 15.0,
            range_m: 20_000.0,
            payload_g: 500,
            equipment: Vec::new(),
            time_scale: 1.0,
            seed: 0,
            behaviour: Behaviour::Honest,
        }
    }

    /// Returns the capabilities that an attester finds when it inspects the drone, without lies:
    /// its equipment, and the amounts `payload_g`, `range_m` and `slots`.
    pub fn attested(&self) -> Capabilities {
        let amounts = [
            ("payload_g", self.payload_g),
            ("range_m", self.range_m.max(0.0) as i64),
            ("slots", 1),
        ];

        let amounts = amounts.into_iter().filter_map(|(name, amount)| {
            Some((name.parse().ok()?, amount.clamp(0, limits::AMOUNT)))
        });
        let amounts: Amounts = amounts.collect();

        Capabilities {
            labels: self.equipment.iter().cloned().collect(),
            amounts,
        }
    }
}

/// A drone that flies in simulated time. One value flies one task at a time.
#[derive(Debug)]
pub struct Drone {
    config: DroneConfig,
    airframe: Airframe,
    position: Position,
}

impl Drone {
    /// Makes a drone at home with a full battery, at second 0 of the mission.
    pub fn new(config: DroneConfig) -> Self {
        let speed_mps = config.speed_mps.max(0.1) * (0.95 + 0.1 * unit_interval(config.seed));

        let airframe = Airframe {
            home: config.home,
            speed_mps,
            range_m: config.range_m,
        };

        let position = Position {
            point: config.home,
            clock_s: 0.0,
            left_m: config.range_m,
        };

        Self {
            config,
            airframe,
            position,
        }
    }

    /// Returns the place of the drone.
    pub fn position(&self) -> Point {
        self.position.point
    }

    fn plan(&self, task: &DroneTask) -> Option<FlightPlan> {
        if task.demand_g > self.config.payload_g {
            return None;
        }
        self.airframe.plan(&self.position, task)
    }

    async fn fly(
        &mut self,
        task: &DroneTask,
        plan: FlightPlan,
        lease: &LeaseGuard,
    ) -> Result<Track, TaskError> {
        let start = self.fix();
        let mut path = vec![start];
        let mut arrival = None;
        let battery_changed = plan.legs.iter().any(|leg| leg.changes_battery);

        for leg in &plan.legs {
            self.fly_leg(leg, &mut path, lease).await?;
            // A stop at home for a battery is not the arrival.
            if !leg.changes_battery {
                arrival.get_or_insert(self.fix());
            }
            self.stay(leg, lease).await?;
        }

        let finished_s = self.position.clock_s;
        Ok(Track {
            id: task.id.clone(),
            start,
            arrival: arrival.unwrap_or(start),
            finished_s: round(finished_s, 10.0),
            simulated_s: round(finished_s - start.t, 10.0),
            flown_m: round(plan.flown_m, 10.0),
            battery_changed,
            path: thin_out(&path),
        })
    }

    /// Flies one leg. If the lease is lost on the way, the drone hovers at the place it has
    /// reached.
    async fn fly_leg(
        &mut self,
        leg: &Leg,
        path: &mut Vec<Fix>,
        lease: &LeaseGuard,
    ) -> Result<(), LeaseLost> {
        let from = self.position.point;
        let step_m = from.distance_m(&leg.to) / f64::from(STEPS);

        for step in 1..=STEPS {
            // The drone moves after the wait, so that a lost lease leaves it where it was.
            self.wait(step_m / self.airframe.speed_mps, lease).await?;

            let share = f64::from(step) / f64::from(STEPS);
            self.position.point = from.toward(&leg.to, share);
            self.position.left_m -= step_m;
            path.push(self.fix());
        }

        Ok(())
    }

    async fn stay(&mut self, leg: &Leg, lease: &LeaseGuard) -> Result<(), LeaseLost> {
        let early = (leg.not_before - self.position.clock_s).max(0.0);
        self.wait(early + leg.stay_s, lease).await?;
        if leg.changes_battery {
            self.position.left_m = self.airframe.range_m;
        }
        Ok(())
    }

    /// Waits for a time in simulated seconds.
    async fn wait(&mut self, simulated_s: f64, lease: &LeaseGuard) -> Result<(), LeaseLost> {
        let seconds = simulated_s / self.config.time_scale.max(0.001);
        let pause = Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX);
        lease.sleep(pause).await?;
        self.position.clock_s += simulated_s;
        Ok(())
    }

    fn fix(&self) -> Fix {
        let Point { lat, lng } = self.position.point;

        Fix {
            point: Point {
                lat: round(lat, 1e6),
                lng: round(lng, 1e6),
            },
            t: round(self.position.clock_s, 10.0),
        }
    }
}

#[async_trait]
impl Agent for Drone {
    fn capabilities(&self) -> Capabilities {
        let mut capabilities = self.config.attested();
        if let Behaviour::Liar { claims } = &self.config.behaviour {
            capabilities.labels.insert(claims.clone());
        }
        capabilities
    }

    /// Asks for the decimetres that it would fly. Passes if the battery would not last to fly home
    /// afterwards, or if the task does not fit.
    async fn bid(&mut self, call: &CallForBids) -> Option<Quote> {
        let task = DroneTask::from_payload(&call.spec.payload.0)?;
        let plan = self.plan(&task)?;
        Some(call.quote((plan.flown_m * 10.0).round() as i64))
    }

    async fn execute(&mut self, award: Award, lease: LeaseGuard) -> Result<TaskOutput, TaskError> {
        let Some(task) = DroneTask::from_payload(&award.spec.payload.0) else {
            return Err(TaskError::failed("the payload is not a drone's task"));
        };

        // The drone may have moved since it bid, so the flight is planned again.
        let Some(plan) = self.plan(&task) else {
            let reason = "out of range, payload or time window by now";
            return Err(TaskError::failed(reason));
        };

        let track = self.fly(&task, plan, &lease).await?;
        let detail = serde_json::to_vec(&track).map_err(TaskError::failed)?;
        Ok(TaskOutput::new(detail))
    }
}

/// Thins out a path to at most [`PATH_POINTS`] points, and keeps its ends.
fn thin_out(path: &[Fix]) -> Vec<(f64, f64, f64)> {
    let every = path.len().div_ceil(PATH_POINTS).max(1);
    let last = path.len().saturating_sub(1);

    let mut kept = Vec::new();
    for (at, fix) in path.iter().enumerate() {
        if at % every != 0 && at != last {
            continue;
        }

        let Point { lat, lng } = fix.point;
        kept.push((lat, lng, fix.t));
    }

    kept
}

fn round(value: f64, parts: f64) -> f64 {
    (value * parts).round() / parts
}

/// Returns a number in [0, 1) made from a seed (SplitMix64, Steele et al. 2014).
fn unit_interval(seed: u64) -> f64 {
    let mut mixed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1u64 << 53) as f64
}
