//! Reads missions from GeoJSON (RFC 7946).

use std::collections::BTreeSet;

use quorate_types::Label;
use serde_json::Value;

use super::error::{Location, MissionError, Problem};
use super::row::Row;
use super::value;

/// Reads one row for each feature.
pub(super) fn rows(file: &str, text: &str) -> Result<Vec<Row>, MissionError> {
    // Some programs begin a text file with a byte order mark.
    let text = text.trim_start_matches('\u{feff}');
    let json: Value =
        serde_json::from_str(text).map_err(|error| MissionError::whole(file, error.into()))?;

    let features = match (json["type"].as_str(), json["features"].as_array()) {
        (Some("FeatureCollection"), Some(features)) => features,
        _ => return Err(MissionError::whole(file, Problem::Kind)),
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

        let from = self.moment("tw_start")?;
        let to = self.moment("tw_end")?;
        let window = (from, to);
        self.within("tw_end", value::window(window))?;

        let demand = self.number("demand", value::demand)?;
        let service_s = self.number("duration", value::duration)?;

        Ok(Row {
            id: self.id(),
            lat,
            lng,
            demand: demand.unwrap_or(0),
            service_s: service_s.unwrap_or(0),
            window,
            requires: self.labels()?,
        })
    }

    /// Returns longitude and latitude, which is the order of RFC 7946 section 3.1.1.
    fn coordinates(&self) -> Result<(f64, f64), MissionError> {
        let (lng, lat) = self.position()?;
        let lng = self.within("longitude", value::longitude(lng))?;
        let lat = self.within("latitude", value::latitude(lat))?;
        Ok((lng, lat))
    }

    /// Returns the first two coordinates of the feature's point.
    fn position(&self) -> Result<(f64, f64), MissionError> {
        let geometry = &self.feature["geometry"];
        self.check_kind(geometry)?;

        let first = geometry["coordinates"][0].as_f64();
        let second = geometry["coordinates"][1].as_f64();

        first
            .zip(second)
            .ok_or_else(|| self.error("coordinates", Problem::Missing))
    }

    /// Returns a checked value, or the error with its place.
    fn within<T>(
        &self,
        name: &'static str,
        checked: Result<T, Problem>,
    ) -> Result<T, MissionError> {
        checked.map_err(|problem| self.error(name, problem))
    }

    /// Checks that a geometry is a point.
    fn check_kind(&self, geometry: &Value) -> Result<(), MissionError> {
        let kind = geometry["type"].as_str().unwrap_or("nothing");
        if kind == "Point" {
            return Ok(());
        }

        let kind = kind.chars().take(40).collect();
        Err(self.error("geometry", Problem::Geometry(kind)))
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

        let Some(number) = found.as_f64() else {
            return Err(self.error(name, Problem::Number(brief(found))));
        };

        self.within(name, check(number)).map(Some)
    }

    fn moment(&self, name: &'static str) -> Result<Option<i64>, MissionError> {
        let Some(found) = self.property(name) else {
            return Ok(None);
        };

        let Some(text) = found.as_str() else {
            return Err(self.error(name, Problem::Time(brief(found))));
        };

        self.within(name, value::moment(text)).map(Some)
    }

    /// Reads one label or a list of labels.
    fn labels(&self) -> Result<BTreeSet<Label>, MissionError> {
        let labels = self.label_texts().into_iter().map(str::parse);
        labels
            .collect::<Result<_, _>>()
            .map_err(|error| self.error("requires", Problem::Label(error)))
    }

    /// Returns the texts of the labels. A label that is not text is empty, so it is not valid.
    fn label_texts(&self) -> Vec<&str> {
        let labels = match self.property("requires") {
            None => &[],
            Some(Value::Array(labels)) => labels.as_slice(),
            Some(label) => std::slice::from_ref(label),
        };

        let texts = labels.iter().map(Value::as_str);
        texts.map(Option::unwrap_or_default).collect()
    }

    fn error(&self, property: &'static str, problem: Problem) -> MissionError {
        let place = Location::Feature(self.number, property);
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
