//! Places words beside dots so that no word covers another: greedily, in the order in which the
//! words come.
//!
//! A word for which there is no free place is left out; the tables and the tooltips still have it.

use super::projection::Point;

/// The width of a letter, in units of the drawing, at the font size of the page's narrow layout,
/// which is the larger one.
const LETTER: f64 = 7.4;
/// The height of a line, at the same font size.
const LINE: f64 = 14.0;
/// The distance of a word from the edge of its dot.
const GAP: f64 = 3.0;

/// A rectangle of the drawing.
#[derive(Debug, Clone, Copy)]
struct Area {
    left: f64,
    top: f64,
    right: f64,
    bottom: f64,
}

/// The dot that a word stands beside.
#[derive(Debug, Clone, Copy)]
pub(super) struct Dot {
    pub(super) at: Point,
    pub(super) radius: f64,
}

/// The position of a word and its alignment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Spot {
    /// The point of the baseline that `anchor` refers to.
    pub(super) at: Point,
    /// `start`, `middle` or `end`, as in SVG's `text-anchor`.
    pub(super) anchor: &'static str,
}

/// The areas of a drawing that are taken already.
pub(super) struct Labels {
    width: f64,
    height: f64,
    taken: Vec<Area>,
}

impl Labels {
    /// Returns an empty drawing.
    pub(super) fn new(width: f64, height: f64) -> Self {
        Self {
            width,
            height,
            taken: Vec::new(),
        }
    }

    /// Keeps words away from a dot.
    pub(super) fn avoid(&mut self, dot: Point, radius: f64) {
        self.taken.push(Area {
            left: dot.x - radius,
            top: dot.y - radius,
            right: dot.x + radius,
            bottom: dot.y + radius,
        });
    }

    /// Takes a free place for `word` beside `dot` and returns it: right, left, above or below, in
    /// this order. Returns `None` if none of these is free.
    pub(super) fn place(&mut self, dot: Dot, word: &str) -> Option<Spot> {
        #[expect(clippy::cast_precision_loss, reason = "a label is a few letters long")]
        let width = word.chars().count() as f64 * LETTER;
        let spot = spots_beside(dot)
            .into_iter()
            .find(|spot| self.is_free(area(*spot, width)))?;

        self.taken.push(area(spot, width));
        Some(spot)
    }

    fn is_free(&self, area: Area) -> bool {
        self.contains(area) && !self.taken.iter().any(|other| overlap(*other, area))
    }

    fn contains(&self, area: Area) -> bool {
        area.left >= 0.0
            && area.top >= 0.0
            && area.right <= self.width
            && area.bottom <= self.height
    }
}

/// Returns the places of a word beside a dot: right, left, above, below.
fn spots_beside(dot: Dot) -> [Spot; 4] {
    let Point { x, y } = dot.at;
    let gap = dot.radius + GAP;
    let spot = |x, y, anchor| Spot {
        at: Point { x, y },
        anchor,
    };

    // A baseline 0.3 of a line below the middle of the dot centres the word on it: see `area`.
    [
        spot(x + gap, y + LINE * 0.3, "start"),
        spot(x - gap, y + LINE * 0.3, "end"),
        spot(x, y - gap, "middle"),
        spot(x, y + gap + LINE * 0.75, "middle"),
    ]
}

fn area(spot: Spot, width: f64) -> Area {
    let left = match spot.anchor {
        "start" => spot.at.x,
        "end" => spot.at.x - width,
        _ => spot.at.x - width / 2.0,
    };

    // The baseline lies four fifths of a line below the top of the line.
    Area {
        left,
        top: spot.at.y - LINE * 0.8,
        right: left + width,
        bottom: spot.at.y + LINE * 0.2,
    }
}

fn overlap(a: Area, b: Area) -> bool {
    a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_moves_aside_and_is_left_out_at_last() {
        let mut labels = Labels::new(100.0, 50.0);
        let dot = Dot {
            at: Point { x: 50.0, y: 25.0 },
            radius: 5.0,
        };
        let anchors: Vec<_> = (0..5)
            .map(|_| labels.place(dot, "ab").map(|spot| spot.anchor))
            .collect();
        assert_eq!(
            anchors,
            [
                Some("start"),
                Some("end"),
                Some("middle"),
                Some("middle"),
                None
            ]
        );
    }

    #[test]
    fn a_word_does_not_leave_the_drawing() {
        let mut labels = Labels::new(100.0, 50.0);
        let spot = labels
            .place(
                Dot {
                    at: Point { x: 98.0, y: 25.0 },
                    radius: 5.0,
                },
                "abc",
            )
            .unwrap();
        assert_eq!(spot.anchor, "end");
    }
}
