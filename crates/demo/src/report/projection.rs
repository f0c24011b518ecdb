//! The projection from degrees to a drawing. It is equirectangular, with longitudes scaled by the
//! cosine of the middle latitude, so that near the middle a metre is as long in both directions.

use super::GeoPoint;

/// Metres in a degree of latitude, on a sphere of the IUGG mean radius (6,371,008.8 m).
const METRES_PER_DEGREE: f64 = 111_195.08;
/// The smallest extent of a drawing in metres: a smaller mission is drawn as if it were this large.
const MIN_SPAN_M: f64 = 200.0;

/// A point of the drawing: x to the right, y down.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Point {
    pub(super) x: f64,
    pub(super) y: f64,
}

/// Maps places to points of a drawing.
pub(super) struct Projection {
    west: f64,
    north: f64,
    /// Drawing units per degree of longitude.
    x_scale: f64,
    /// Drawing units per degree of latitude.
    y_scale: f64,
    margin: f64,
    /// The height of the drawing, margins included.
    pub(super) height: f64,
    /// Drawing units per metre.
    pub(super) units_per_metre: f64,
}

/// The room that a drawing has: its width, the bounds of its height, and a margin on every side.
pub(super) struct Frame {
    pub(super) width: f64,
    pub(super) min_height: f64,
    pub(super) max_height: f64,
    pub(super) margin: f64,
}

impl Projection {
    /// Returns the largest drawing of these places that fits into `frame`, with the places in its
    /// middle. Returns `None` if none of them has finite coordinates.
    pub(super) fn fit(places: impl Iterator<Item = GeoPoint>, frame: &Frame) -> Option<Self> {
        let bounds = Bounds::around(places.filter(is_finite))?;
        // The bound keeps the scale of longitudes above 0 at the poles.
        let cos = bounds.middle_lat().to_radians().cos().max(0.01);
        let span_x = ((bounds.east - bounds.west) * cos * METRES_PER_DEGREE).max(MIN_SPAN_M);
        let span_y = ((bounds.north - bounds.south) * METRES_PER_DEGREE).max(MIN_SPAN_M);

        // The drawing is as large as both the width and the greatest height allow.
        let inner = frame.width - 2.0 * frame.margin;
        let tallest = frame.max_height - 2.0 * frame.margin;
        let units_per_metre = (inner / span_x).min(tallest / span_y);
        let height = (span_y * units_per_metre + 2.0 * frame.margin).max(frame.min_height);
        let x_scale = units_per_metre * cos * METRES_PER_DEGREE;
        let y_scale = units_per_metre * METRES_PER_DEGREE;

        // The places lie in the middle, even if `min_height` is more than they need.
        Some(Self {
            west: bounds.middle_lng() - inner / 2.0 / x_scale,
            north: bounds.middle_lat() + (height / 2.0 - frame.margin) / y_scale,
            x_scale,
            y_scale,
            margin: frame.margin,
            height,
            units_per_metre,
        })
    }

    /// Returns the point of a place in the drawing, or `None` if its coordinates are not finite.
    pub(super) fn point(&self, place: GeoPoint) -> Option<Point> {
        is_finite(&place).then_some(Point {
            x: self.margin + (place.lng - self.west) * self.x_scale,
            y: self.margin + (self.north - place.lat) * self.y_scale,
        })
    }
}

struct Bounds {
    south: f64,
    north: f64,
    west: f64,
    east: f64,
}

impl Bounds {
    /// Returns the bounds of all places; `None` if there are none.
    fn around(mut places: impl Iterator<Item = GeoPoint>) -> Option<Self> {
        let first = Self::of(places.next()?);
        Some(places.fold(first, Self::with))
    }

    fn of(place: GeoPoint) -> Self {
        Self {
            south: place.lat,
            north: place.lat,
            west: place.lng,
            east: place.lng,
        }
    }

    fn with(self, place: GeoPoint) -> Self {
        Self {
            south: self.south.min(place.lat),
            north: self.north.max(place.lat),
            west: self.west.min(place.lng),
            east: self.east.max(place.lng),
        }
    }

    fn middle_lat(&self) -> f64 {
        f64::midpoint(self.south, self.north)
    }

    fn middle_lng(&self) -> f64 {
        f64::midpoint(self.west, self.east)
    }
}

fn is_finite(place: &GeoPoint) -> bool {
    place.lat.is_finite() && place.lng.is_finite()
}

/// Returns the great-circle distance in metres (haversine, on the sphere of [`METRES_PER_DEGREE`]).
pub(super) fn metres_between(a: GeoPoint, b: GeoPoint) -> f64 {
    let half_lat = (b.lat - a.lat).to_radians() / 2.0;
    let half_lng = (b.lng - a.lng).to_radians() / 2.0;
    let cosines = a.lat.to_radians().cos() * b.lat.to_radians().cos();
    let h = half_lat.sin().powi(2) + cosines * half_lng.sin().powi(2);
    2.0 * h.sqrt().clamp(0.0, 1.0).asin().to_degrees() * METRES_PER_DEGREE
}

/// Returns the largest of 1, 2 and 5 times a power of ten that is not above `limit`, or 1 if
/// `limit` is below 1.
pub(super) fn round_below(limit: f64) -> f64 {
    let mut best = 1.0;
    let mut decade = 1.0;
    while decade <= limit {
        for step in [1.0, 2.0, 5.0] {
            if step * decade <= limit {
                best = step * decade;
            }
        }
        decade *= 10.0;
    }

    best
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: Frame = Frame {
        width: 800.0,
        min_height: 300.0,
        max_height: 700.0,
        margin: 40.0,
    };

    #[test]
    fn a_metre_is_as_long_north_as_east() {
        let places = [
            GeoPoint {
                lat: 53.50,
                lng: 9.90,
            },
            GeoPoint {
                lat: 53.60,
                lng: 10.10,
            },
        ];

        let projection = Projection::fit(places.into_iter(), &FRAME).unwrap();
        let middle = GeoPoint {
            lat: 53.55,
            lng: 10.0,
        };
        let north = GeoPoint {
            lat: 53.56,
            ..middle
        };
        let east = GeoPoint {
            lng: 10.01,
            ..middle
        };

        let (m, n, e) = (
            projection.point(middle).unwrap(),
            projection.point(north).unwrap(),
            projection.point(east).unwrap(),
        );

        let north_scale = (m.y - n.y) / metres_between(middle, north);
        let east_scale = (e.x - m.x) / metres_between(middle, east);
        assert!((north_scale - east_scale).abs() / north_scale < 1e-3);
        assert!((north_scale - projection.units_per_metre).abs() / north_scale < 1e-3);
    }

    #[test]
    fn every_place_lies_inside_the_margins() {
        let places = [
            GeoPoint {
                lat: -33.0,
                lng: 151.0,
            },
            GeoPoint {
                lat: -33.9,
                lng: 151.3,
            },
            GeoPoint {
                lat: -33.5,
                lng: 151.2,
            },
        ];

        let projection = Projection::fit(places.into_iter(), &FRAME).unwrap();
        for point in places.map(|place| projection.point(place).unwrap()) {
            assert!((39.9..=760.1).contains(&point.x), "{point:?}");
            assert!(
                (39.9..=projection.height - 39.9).contains(&point.y),
                "{point:?}"
            );
        }
        assert!((300.0..=700.1).contains(&projection.height));
    }

    #[test]
    fn one_place_and_no_place_are_drawn_too() {
        let place = GeoPoint { lat: 1.0, lng: 2.0 };
        let projection = Projection::fit([place].into_iter(), &FRAME).unwrap();
        let point = projection.point(place).unwrap();
        assert!((point.x - 400.0).abs() < 1e-6 && (point.y - projection.height / 2.0).abs() < 1e-6);

        let nowhere = GeoPoint {
            lat: f64::NAN,
            lng: 0.0,
        };
        assert!(Projection::fit([nowhere].into_iter(), &FRAME).is_none());
        assert_eq!(projection.point(nowhere), None);
    }

    #[test]
    fn a_degree_of_latitude_is_about_111_km() {
        let metres = metres_between(
            GeoPoint { lat: 0.0, lng: 0.0 },
            GeoPoint { lat: 1.0, lng: 0.0 },
        );
        assert!((metres - METRES_PER_DEGREE).abs() < 1.0, "{metres}");
    }

    #[test]
    fn scale_bars_are_round() {
        for (limit, expected) in [
            (0.3, 1.0),
            (1.0, 1.0),
            (4.9, 2.0),
            (5.0, 5.0),
            (99.0, 50.0),
            (1e4, 1e4),
        ] {
            assert_eq!(round_below(limit), expected, "{limit}");
        }
    }
}
