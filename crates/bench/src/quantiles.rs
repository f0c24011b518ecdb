//! Quantiles of measured times: medians and tails.

use serde::Serialize;

/// The median and the 99th percentile of times, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(super) struct Quantiles {
    pub(super) p50: f64,
    pub(super) p99: f64,
}

impl Quantiles {
    /// Returns the quantiles of times in microseconds; `None` if there are no times.
    pub(super) fn of_micros(mut micros: Vec<u32>) -> Option<Self> {
        micros.sort_unstable();
        let at = |percent| Some(round(f64::from(*rank(&micros, percent)?) / 1000.0));
        Some(Self {
            p50: at(50)?,
            p99: at(99)?,
        })
    }
}

/// Returns the smallest value that at least `percent` of the sorted values do not exceed.
pub(super) fn rank<T>(sorted: &[T], percent: usize) -> Option<&T> {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1)
}

/// Rounds to three decimals: more would be noise.
pub(super) fn round(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_rank_counts() {
        assert_eq!(Quantiles::of_micros(vec![]), None);
        let of = |count: u32| Quantiles::of_micros((1..=count).rev().collect());
        assert_eq!(
            of(1),
            Some(Quantiles {
                p50: 0.001,
                p99: 0.001
            })
        );
        assert_eq!(
            of(100),
            Some(Quantiles {
                p50: 0.05,
                p99: 0.099
            })
        );
        assert_eq!(
            of(1000),
            Some(Quantiles {
                p50: 0.5,
                p99: 0.99
            })
        );
    }
}
