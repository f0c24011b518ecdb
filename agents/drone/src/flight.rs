//! Plans of flights, and tracks of flights that were flown.

use serde::{Deserialize, Serialize};

use crate::geo::Point;
use crate::task::{DroneTask, Visit};

/// Simulated seconds at home to change the battery.
pub(crate) const BATTERY_CHANGE_S: f64 = 120.0;

/// The place of a drone at a time.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Fix {
    /// The place in WGS 84 degrees.
    #[serde(flatten)]
    pub point: Point,
    /// Simulated seconds since the mission began.
    pub t: f64,
}

/// The report of a drone on a task: JSON in the detail of the receipt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Track {
    /// The name of the task.
    pub id: String,
    /// The place and time of its departure.
    pub start: Fix,
    /// The place and time of its arrival at the first place of the task.
    pub arrival: Fix,
    /// Simulated seconds since the mission began at which the last work was done.
    pub finished_s: f64,
    /// Simulated seconds that the flight took, with all work.
    pub simulated_s: f64,
    /// The metres that were flown.
    pub flown_m: f64,
    /// Whether the drone changed the battery at home on the way.
    pub battery_changed: bool,
    /// The path, `[lat, lng, t]` for each point.
    pub path: Vec<(f64, f64, f64)>,
}

/// A straight flight, and the stay at its end.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Leg {
    pub(crate) to: Point,
    /// Simulated seconds of the stay.
    pub(crate) stay_s: f64,
    /// The earliest time at which the stay may begin.
    pub(crate) not_before: f64,
    pub(crate) changes_battery: bool,
}

/// A flight that does a task.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct FlightPlan {
    pub(crate) legs: Vec<Leg>,
    pub(crate) flown_m: f64,
}

/// The state of a drone: its place, its clock and its battery.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Position {
    pub(crate) point: Point,
    /// Simulated seconds since the mission began, counted by this drone's flights and stays.
    pub(crate) clock_s: f64,
    /// Metres that it can still fly on the battery.
    pub(crate) left_m: f64,
}

/// The fixed properties of a drone's flight.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Airframe {
    pub(crate) home: Point,
    pub(crate) speed_mps: f64,
    pub(crate) range_m: f64,
}

impl Airframe {
    /// Returns a flight from `at` that does the task and leaves enough battery to fly home:
    /// directly, or by way of home to change the battery. Returns `None` if neither is possible, or
    /// if a time window would be missed.
    pub(crate) fn plan(&self, at: &Position, task: &DroneTask) -> Option<FlightPlan> {
        let legs: Vec<_> = task.visits().map(leg).collect();
        let last = legs.last()?.to;
        let direct = length(at.point, &legs);

        // Every plan must leave enough battery to fly home from its last place.
        let plan = if direct + last.distance_m(&self.home) <= at.left_m {
            FlightPlan {
                legs,
                flown_m: direct,
            }
        } else {
            self.plan_by_home(at, legs)?
        };

        self.is_in_time(at, task, &plan).then_some(plan)
    }

    /// Returns a flight from `at` by way of home, where the battery is changed. Returns `None` if a
    /// battery would not last.
    fn plan_by_home(&self, at: &Position, legs: Vec<Leg>) -> Option<FlightPlan> {
        let last = legs.last()?.to;
        let fresh = length(self.home, &legs);
        let to_home = at.point.distance_m(&self.home);

        // Home must be in reach with the battery as it is, and all the rest with a fresh one.
        if fresh + last.distance_m(&self.home) > self.range_m || to_home > at.left_m {
            return None;
        }

        let change = Leg {
            to: self.home,
            stay_s: BATTERY_CHANGE_S,
            not_before: 0.0,
            changes_battery: true,
        };

        Some(FlightPlan {
            legs: std::iter::once(change).chain(legs).collect(),
            flown_m: to_home + fresh,
        })
    }

    fn is_in_time(&self, at: &Position, task: &DroneTask, plan: &FlightPlan) -> bool {
        let mut begins = self.visit_times(at, plan).into_iter().zip(task.visits());

        begins.all(|(begin, visit)| {
            visit
                .window
                .is_none_or(|(_, latest)| begin <= latest as f64)
        })
    }

    /// Returns the simulated times at which the visits of a flight begin.
    fn visit_times(&self, at: &Position, plan: &FlightPlan) -> Vec<f64> {
        let mut from = at.point;
        let mut clock = at.clock_s;
        let mut begins = Vec::new();

        for leg in &plan.legs {
            clock += from.distance_m(&leg.to) / self.speed_mps;
            clock = clock.max(leg.not_before);
            // The change of the battery is not a visit.
            if !leg.changes_battery {
                begins.push(clock);
            }

            from = leg.to;
            clock += leg.stay_s;
        }

        begins
    }
}

fn leg(visit: &Visit) -> Leg {
    let not_before = visit.window.map_or(0.0, |(earliest, _)| earliest as f64);

    Leg {
        to: visit.point,
        stay_s: f64::from(visit.service_s),
        not_before,
        changes_battery: false,
    }
}

fn length(start: Point, legs: &[Leg]) -> f64 {
    let mut from = start;
    legs.iter()
        .map(|leg| std::mem::replace(&mut from, leg.to).distance_m(&leg.to))
        .sum()
}
