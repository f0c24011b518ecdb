//! The payload of a task in the `drones` market.

use serde::{Deserialize, Serialize};

use crate::geo::Point;

/// A task for a drone. Its payload is JSON of at most [`quorate_types::limits::TASK_PAYLOAD_BYTES`]
/// bytes.
///
/// ```json
/// {"id": "bridge-7", "lat": 53.5461, "lng": 9.9936, "demand_g": 300, "service_s": 60,
///  "window": [0, 3600]}
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DroneTask {
    /// The name for people, unique within a mission.
    pub id: String,
    /// The first place to visit.
    #[serde(flatten)]
    pub visit: Visit,
    /// Grams to carry; 0 if it is left out.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub demand_g: i64,
    /// The places to visit afterwards, in this order: a pickup is followed by its delivery.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub then: Vec<Visit>,
}

/// A place to visit, and the work there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Visit {
    /// The place in WGS 84 degrees.
    #[serde(flatten)]
    pub point: Point,
    /// Simulated seconds of work there.
    #[serde(default)]
    pub service_s: u32,
    /// The earliest and the latest start of the work, in simulated seconds since the mission began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<(i64, i64)>,
}

impl DroneTask {
    /// Reads a task from a payload. Returns `None` if it is not JSON of this shape or out of range.
    pub fn from_payload(payload: &[u8]) -> Option<Self> {
        let task: Self = serde_json::from_slice(payload).ok()?;
        (task.demand_g >= 0 && task.visits().all(|visit| visit.point.is_valid())).then_some(task)
    }

    /// Writes the task into a payload.
    pub fn to_payload(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Returns all visits, in order.
    pub fn visits(&self) -> impl Iterator<Item = &Visit> {
        std::iter::once(&self.visit).chain(&self.then)
    }
}

fn is_zero(value: &i64) -> bool {
    *value == 0
}
