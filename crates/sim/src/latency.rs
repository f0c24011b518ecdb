//! Latencies between places, one way in milliseconds.
//!
//! The figures of [`world`] are computed, not measured: the great-circle distance at two thirds of
//! the speed of light, plus a few milliseconds for equipment, rounded. They are close to what is
//! measured between data centres.

use crate::plan::LinkPlan;

/// Links within one building.
pub fn campus() -> LinkPlan {
    links(&["campus"], &[&[1]])
}

/// Links between five cities: Frankfurt, Virginia, São Paulo, Singapore, Sydney.
pub fn world() -> LinkPlan {
    links(
        &["frankfurt", "virginia", "sao-paulo", "singapore", "sydney"],
        &[
            &[1, 38, 55, 58, 90],
            &[38, 1, 42, 85, 85],
            &[55, 42, 1, 87, 73],
            &[58, 85, 87, 1, 37],
            &[90, 85, 73, 37, 1],
        ],
    )
}

fn links(regions: &[&str], latency: &[&[u64]]) -> LinkPlan {
    LinkPlan {
        regions: regions.iter().map(|name| (*name).to_owned()).collect(),
        latency_ms: latency.iter().map(|row| row.to_vec()).collect(),
        jitter_ms: 1,
        loss_permille: 0,
        duplicate_permille: 0,
        flip_permille: 0,
        bytes_per_ms: None,
    }
}
