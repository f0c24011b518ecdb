//! Missions in plans of QGroundControl (`fileType` `Plan`, version 1).

use serde_json::Value;

use super::{MissionError, Place, Problem, Row, value, whole};

/// `MAV_CMD_NAV_WAYPOINT`; take-off, landing, grippers and cameras are the drone's own business.
const WAYPOINT: u64 = 16;

/// Whether the text looks like a plan.
pub(super) fn is_plan(text: &str) -> bool {
    serde_json::from_str::<Value>(text).is_ok_and(|json| json["fileType"] == "Plan")
}

/// One row for each waypoint; its hold time (parameter 1, seconds) is the work there.
pub(super) fn rows(file: &str, text: &str) -> Result<Vec<Row>, MissionError> {
    let json: Value = serde_json::from_str(text).map_err(|error| whole(file, error.into()))?;
    let items = match json["mission"]["items"].as_array() {
        Some(items) if json["fileType"] == "Plan" => items,
        _ => return Err(whole(file, Problem::Kind)),
    };
    let items = items
        .iter()
        .zip(1..)
        .filter(|(item, _)| item["command"] == WAYPOINT);
    items
        .map(|(item, number)| row(file, number, item))
        .collect()
}

fn row(file: &str, number: u64, item: &Value) -> Result<Row, MissionError> {
    let error = |field, problem| MissionError {
        file: file.to_owned(),
        place: Place::Item(number, field),
        problem,
    };
    let must = |index: usize, field| {
        item["params"][index]
            .as_f64()
            .ok_or_else(|| error(field, Problem::Missing))
    };
    let lat = value::latitude(must(4, "latitude")?).map_err(|p| error("latitude", p))?;
    let lng = value::longitude(must(5, "longitude")?).map_err(|p| error("longitude", p))?;
    let hold_s = item["params"][0].as_f64().unwrap_or(0.0);
    let service_s = value::duration(hold_s / 60.0).map_err(|p| error("hold time", p))?;
    Ok(Row {
        id: format!("waypoint-{number}"),
        lat,
        lng,
        service_s,
        ..Row::default()
    })
}
