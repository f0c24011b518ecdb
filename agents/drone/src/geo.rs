//! Places on the earth, taken as a sphere. Distances are wrong by at most 0.6 %, which is good
//! enough for bids.

use serde::{Deserialize, Serialize};

/// The mean radius of the earth in metres (IUGG R1).
const EARTH_M: f64 = 6_371_008.8;

/// A place in WGS 84 degrees.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// Latitude, -90 to 90.
    pub lat: f64,
    /// Longitude, -180 to 180.
    pub lng: f64,
}

impl Point {
    /// Makes a place of its coordinates.
    pub fn new(lat: f64, lng: f64) -> Self {
        Self { lat, lng }
    }

    /// Returns whether both coordinates are numbers in their ranges.
    pub fn is_valid(&self) -> bool {
        (-90.0..=90.0).contains(&self.lat) && (-180.0..=180.0).contains(&self.lng)
    }

    /// Returns the great-circle distance in metres (haversine).
    pub fn distance_m(&self, other: &Self) -> f64 {
        let a = self.lat.to_radians();
        let b = other.lat.to_radians();
        let half_lat = ((b - a) / 2.0).sin();
        let half_lng = ((other.lng - self.lng).to_radians() / 2.0).sin();

        let h = half_lat * half_lat + a.cos() * b.cos() * half_lng * half_lng;
        2.0 * EARTH_M * h.clamp(0.0, 1.0).sqrt().asin()
    }

    /// Returns the place at `share` (0 to 1) of the way to `other`. The way is straight in degrees,
    /// and takes the short way round the date line. For the few kilometres of a flight, that is the
    /// great circle.
    pub fn toward(&self, other: &Self, share: f64) -> Self {
        let share = share.clamp(0.0, 1.0);
        let east = (other.lng - self.lng + 540.0).rem_euclid(360.0) - 180.0;
        let lng = (self.lng + east * share + 540.0).rem_euclid(360.0) - 180.0;
        Self {
            lat: self.lat + (other.lat - self.lat) * share,
            lng,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_agree_with_known_ones() {
        let hamburg = Point::new(53.5511, 9.9937);
        let berlin = Point::new(52.5200, 13.4050);
        assert!((hamburg.distance_m(&berlin) - 255_500.0).abs() < 1_000.0);
        let degree = Point::new(0.0, 0.0).distance_m(&Point::new(1.0, 0.0));
        assert!((degree - 111_195.0).abs() < 1.0);
    }

    #[test]
    fn the_date_line_is_crossed_the_short_way() {
        let middle = Point::new(0.0, 179.0).toward(&Point::new(0.0, -179.0), 0.5);
        assert!((middle.lng.abs() - 180.0).abs() < 1e-9, "{middle:?}");
    }

    proptest::proptest! {
        #[test]
        fn distance_is_symmetric_and_halves_add_up(
            lat in -60.0f64..60.0,
            lng in -179.0f64..179.0,
            north in -0.1f64..0.1,
            east in -0.1f64..0.1,
        ) {
            let (a, b) = (Point::new(lat, lng), Point::new(lat + north, lng + east));
            let whole = a.distance_m(&b);
            proptest::prop_assert!((whole - b.distance_m(&a)).abs() < 1e-6);
            let middle = a.toward(&b, 0.5);
            let halves = a.distance_m(&middle) + middle.distance_m(&b);
            proptest::prop_assert!((halves - whole).abs() < 1.0);
        }
    }
}
