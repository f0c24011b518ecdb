//! Reads missions from plans of QGroundControl (`fileType` `Plan`, version 1).

use serde_json::Value;

use super::error::{Location, MissionError, Problem};
use super::row::Row;
use super::value;

/// `MAV_CMD_NAV_WAYPOINT`. Take-off, landing, grippers and cameras are left to the drone.
const WAYPOINT: u64 = 16;

/// Returns whether the text looks like a plan.
pub(super) fn is_plan(text: &str) -> bool {
    serde_json::from_str::<Value>(text).is_ok_and(|json| json["fileType"] == "Plan")
}

/// Reads one row for each waypoint. Its hold time (parameter 1, seconds) is the time of the work
/// there.
pub(super) fn rows(file: &str, text: &str) -> Result<Vec<Row>, MissionError> {
    let json: Value =
        serde_json::from_str(text).map_err(|error| MissionError::whole(file, error.into()))?;

    let items = match json["mission"]["items"].as_array() {
        Some(items) if json["fileType"] == "Plan" => items,
        _ => return Err(MissionError::whole(file, Problem::Kind)),
    };

    // Items are numbered before some are left out, so that errors name their place in the plan.
    let items = items
        .iter()
        .zip(1..)
        .filter(|(item, _)| item["command"] == WAYPOINT);

    items
        .map(|(item, number)| {
            Item {
                file,
                number,
                params: &item["params"],
            }
            .row()
        })
        .collect()
}

/// An item, with all that is needed to read it.
struct Item<'a> {
    file: &'a str,
    number: u64,
    params: &'a Value,
}

impl Item<'_> {
    fn row(&self) -> Result<Row, MissionError> {
        let lat = self.must("latitude", 4)?;
        let lat = self.within("latitude", value::latitude(lat))?;

        let lng = self.must("longitude", 5)?;
        let lng = self.within("longitude", value::longitude(lng))?;

        // `value::duration` takes minutes.
        let hold_s = self.params[0].as_f64().unwrap_or(0.0);
        let service_s = self.within("hold time", value::duration(hold_s / 60.0))?;

        Ok(Row {
            id: format!("waypoint-{}", self.number),
            lat,
            lng,
            service_s,
            ..Row::default()
        })
    }

    /// Returns a parameter, which must be a number.
    fn must(&self, field: &'static str, index: usize) -> Result<f64, MissionError> {
        self.params[index]
            .as_f64()
            .ok_or_else(|| self.error(field, Problem::Missing))
    }

    /// Returns a checked value, or the error with its place.
    fn within<T>(
        &self,
        field: &'static str,
        checked: Result<T, Problem>,
    ) -> Result<T, MissionError> {
        checked.map_err(|problem| self.error(field, problem))
    }

    fn error(&self, field: &'static str, problem: Problem) -> MissionError {
        MissionError {
            file: self.file.to_owned(),
            place: Location::Item(self.number, field),
            problem,
        }
    }
}
