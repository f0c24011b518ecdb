//! Checks of single values of a mission file, the same for all formats.

use super::error::Problem;
use super::time;

/// The range of a demand in grams, at most a tonne in either direction.
pub(crate) const DEMAND: &str = "whole grams, -1000000 to 1000000";

pub(crate) fn latitude(value: f64) -> Result<f64, Problem> {
    within(value, 90.0, "degrees, -90 to 90")
}

pub(crate) fn longitude(value: f64) -> Result<f64, Problem> {
    within(value, 180.0, "degrees, -180 to 180")
}

pub(crate) fn demand(value: f64) -> Result<i64, Problem> {
    if value.fract() != 0.0 {
        return Err(Problem::Range {
            value: value.to_string(),
            range: DEMAND,
        });
    }
    within(value, 1_000_000.0, DEMAND).map(|grams| grams as i64)
}

/// Converts minutes into whole seconds.
pub(crate) fn duration(value: f64) -> Result<u32, Problem> {
    let range = "minutes, 0 to 1440";
    let minutes = within(value, 1440.0, range)?;

    if minutes < 0.0 {
        return Err(Problem::Range {
            value: value.to_string(),
            range,
        });
    }
    Ok((minutes * 60.0).round() as u32)
}

pub(crate) fn moment(text: &str) -> Result<i64, Problem> {
    time::parse(text).ok_or_else(|| Problem::Time(text.chars().take(40).collect()))
}

pub(crate) fn window(window: (Option<i64>, Option<i64>)) -> Result<(), Problem> {
    match window {
        (Some(from), Some(to)) if to < from => Err(Problem::Window),
        _ => Ok(()),
    }
}

fn within(value: f64, limit: f64, range: &'static str) -> Result<f64, Problem> {
    if value.abs() <= limit {
        Ok(value)
    } else {
        Err(Problem::Range {
            value: value.to_string(),
            range,
        })
    }
}
