//! Reads missions from plans of QGroundControl (`fileType` `Plan`, version 1).

use serde_json::Value;

use super::{MissionError, Place, Problem, Row, value, whole};

/// `MAV_CMD_NAV_WAYPOINT`. Take-off, landing, grippers and cameras are left to the drone.
const WAYPOINT: u64 = 16;

/// Returns whether the text looks like a plan.
pub(super) fn is_plan(text: &str) -> bool {
    serde_json::from_str::<Value>(text).is_ok_and(|json| json["fileType"] == "Plan")
}

/// Reads one row for each waypoint. Its hold time (parameter 1, seconds) is the time of the work
/// there.
pub(super) fn rows(file: &str, text: &str) -> Result<Vec<Row>, MissionError> {
    let json: Value = serde_json::from_str(text).map_err(|error| whole(file, error.into()))?;

    let items = match json["mission"]["items"].as_array() {
        Some(items) if json["fileType"] == "Plan" => items,
        _ => return Err(whole(file, Problem::Kind)),
    };

    // Items are numbered before some are left out, so that errors name their place in the plan.
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

    // `value::duration` takes minutes.
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
