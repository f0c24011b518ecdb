//! Reads missions from GeoJSON (RFC 7946).

use std::collections::BTreeSet;

use quorate_types::Label;
use serde_json::Value;

use super::{MissionError, Place, Problem, Row, value, whole};

/// Reads one row for each feature.
pub(super) fn rows(file: &str, text: &str) -> Result<Vec<Row>, MissionError> {
    // Some programs begin a text file with a byte order mark.
    let text = text.trim_start_matches('\u{feff}');
    let json: Value = serde_json::from_str(text).map_err(|error| whole(file, error.into()))?;

    let features = match (json["type"].as_str(), json["features"].as_array()) {
        (Some("FeatureCollection"), Some(features)) => features,
        _ => return Err(whole(file, Problem::Kind)),
    };

    let features = features.iter().zip(1..);

    features
        .map(|(feature, number)| {
            Feature {
                file,
                number,
                feature,
            }
            .row()
        })
        .collect()
}

/// A feature, with all that is needed to read it.
struct Feature<'a> {
    file: &'a str,
    number: u64,
    feature: &'a Value,
}

impl Feature<'_> {
    fn row(&self) -> Result<Row, MissionError> {
        let (lng, lat) = self.coordinates()?;

        let window = (self.moment("tw_start")?, self.moment("tw_end")?);
        value::window(window).map_err(|problem| self.error("tw_end", problem))?;

        Ok(Row {
            id: self.id(),
            lat,
            lng,
            demand: self.number("demand", value::demand)?.unwrap_or(0),
            service_s: self.number("duration", value::duration)?.unwrap_or(0),
            window,
            requires: self.labels()?,
        })
    }

    /// Returns longitude and latitude, which is the order of RFC 7946 section 3.1.1.
    fn coordinates(&self) -> Result<(f64, f64), MissionError> {
        let geometry = &self.feature["geometry"];
        let kind = geometry["type"].as_str().unwrap_or("nothing");
        if kind != "Point" {
            let kind = kind.chars().take(40).collect();
            return Err(self.error("geometry", Problem::Geometry(kind)));
        }

        let at = |index: usize| geometry["coordinates"][index].as_f64();
        let (Some(lng), Some(lat)) = (at(0), at(1)) else {
            return Err(self.error("coordinates", Problem::Missing));
        };

        let lng = value::longitude(lng).map_err(|problem| self.error("longitude", problem))?;
        let lat = value::latitude(lat).map_err(|problem| self.error("latitude", problem))?;
        Ok((lng, lat))
    }

    /// Returns the property `id`; otherwise the feature's own id; otherwise a name by its position.
    fn id(&self) -> String {
        let ids = [&self.feature["properties"]["id"], &self.feature["id"]];
        let id = ids.into_iter().find_map(|id| match id {
            Value::String(text) if !text.is_empty() => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        });
        id.unwrap_or_else(|| format!("point-{}", self.number))
    }

    /// Returns a property that is neither missing nor null.
    fn property(&self, name: &str) -> Option<&Value> {
        self.feature["properties"]
            .get(name)
            .filter(|value| !value.is_null())
    }

    fn number<T>(
        &self,
        name: &'static str,
        check: fn(f64) -> Result<T, Problem>,
    ) -> Result<Option<T>, MissionError> {
        let Some(found) = self.property(name) else {
            return Ok(None);
        };

        let number = found
            .as_f64()
            .ok_or_else(|| self.error(name, Problem::Number(brief(found))))?;

        check(number)
            .map(Some)
            .map_err(|problem| self.error(name, problem))
    }

    fn moment(&self, name: &'static str) -> Result<Option<i64>, MissionError> {
        let Some(found) = self.property(name) else {
            return Ok(None);
        };

        let text = found
            .as_str()
            .ok_or_else(|| self.error(name, Problem::Time(brief(found))))?;

        value::moment(text)
            .map(Some)
            .map_err(|problem| self.error(name, problem))
    }

    /// Reads one label or a list of labels.
    fn labels(&self) -> Result<BTreeSet<Label>, MissionError> {
        let found = match self.property("requires") {
            None => return Ok(BTreeSet::new()),
            Some(Value::Array(labels)) => labels.iter().collect(),
            Some(label) => vec![label],
        };

        let labels = found
            .into_iter()
            .map(|label| label.as_str().unwrap_or_default().parse());

        labels
            .collect::<Result<_, _>>()
            .map_err(|error| self.error("requires", Problem::Label(error)))
    }

    fn error(&self, property: &'static str, problem: Problem) -> MissionError {
        let place = Place::Feature(self.number, property);
        MissionError {
            file: self.file.to_owned(),
            place,
            problem,
        }
    }
}

fn brief(value: &Value) -> String {
    value.to_string().chars().take(40).collect()
}
