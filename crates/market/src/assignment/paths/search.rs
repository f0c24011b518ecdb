//! The search for a shortest augmenting path (Dijkstra 1959), from one person that has no object.

use std::ops::Range;

use super::super::blocks::blocks;
use super::partial::{FAR, PartialMatching};

/// The end of a path: an object without a person, or a person that goes without an object.
#[derive(Clone, Copy)]
pub(super) enum End {
    Free(u32),
    Skip(u32),
}

/// The nearest end of a search, and its distance.
#[derive(Clone, Copy)]
pub(super) struct Nearest {
    pub(super) end: End,
    pub(super) distance: i64,
}

/// A person that a search has come to.
#[derive(Clone, Copy)]
struct Stop {
    person: u32,
    /// The distance of the person's object, less the person's gain: so the distance of another
    /// object is its cost less its price plus this.
    offset: i64,
}

/// Dijkstra's search over alternating paths. The buffers serve all searches of a solve.
///
/// The frontier is a plain list. Looking through it costs no more than looking at the edges of a
/// person in a full matrix, whereas a heap would take a logarithm for each of them. All objects at
/// the least distance leave the frontier together.
pub(super) struct Search {
    distance: Vec<i64>,
    reached_by: Vec<u32>,
    touched: Vec<u32>,
    frontier: Vec<u32>,
    ready: Vec<u32>,
    scanned: Vec<u32>,
    /// The nearest end so far. Objects beyond it are of no interest.
    nearest: Nearest,
    steps: usize,
}

impl Search {
    pub(super) fn new(objects: usize) -> Self {
        Self {
            distance: vec![FAR; objects],
            reached_by: vec![0; objects],
            touched: Vec::new(),
            frontier: Vec::new(),
            ready: Vec::new(),
            scanned: Vec::new(),
            nearest: Nearest {
                end: End::Skip(0),
                distance: FAR,
            },
            steps: 0,
        }
    }

    /// Returns the number of edges, and of objects of the frontier, that the last search looked at.
    pub(super) fn steps(&self) -> usize {
        self.steps
    }

    /// Returns the person from which the last search reached an object.
    pub(super) fn reached_by(&self, object: u32) -> u32 {
        self.reached_by[object as usize]
    }

    /// Returns the objects that the last search went on from, with their distances.
    pub(super) fn scanned(&self) -> impl Iterator<Item = (u32, i64)> + '_ {
        let scanned = self.scanned.iter();
        scanned.map(|&object| (object, self.distance[object as usize]))
    }

    /// Returns the nearest end from `root`, with its distance as measured from a gain of 0 at the
    /// root.
    pub(super) fn run(&mut self, state: &PartialMatching, root: u32) -> Nearest {
        self.reset();

        // A person can always go without an object, at the skip price.
        self.nearest = Nearest {
            end: End::Skip(root),
            distance: state.skip(),
        };

        let start = Stop {
            person: root,
            offset: 0,
        };
        self.reach_free(state, start);
        self.scan(state, start);

        while let Some(object) = self.closest() {
            self.scanned.push(object);

            if let Some(person) = state.person_of(object) {
                let offset = self.distance[object as usize] - state.gain_of(person);
                self.pass(state, Stop { person, offset });
            }
        }

        self.nearest
    }

    /// Notes the free objects if the person has all objects. The nearest of them makes most others
    /// too far away to be noted.
    fn reach_free(&mut self, state: &PartialMatching, at: Stop) {
        let (_, costs, has_all) = state.edges_of(at.person);
        if !has_all {
            return;
        }

        for &object in state.free() {
            self.reach(state, at, object, costs[object as usize]);
        }
    }

    /// Goes on from a person on the way, which may take another object or go without.
    fn pass(&mut self, state: &PartialMatching, at: Stop) {
        let distance = state.skip() + at.offset;
        if distance < self.nearest.distance {
            self.nearest = Nearest {
                end: End::Skip(at.person),
                distance,
            };
        }

        self.scan(state, at);
    }

    /// Looks at the edges of one person.
    fn scan(&mut self, state: &PartialMatching, at: Stop) {
        let (objects, costs, has_all) = state.edges_of(at.person);
        self.steps += objects.len();

        if has_all {
            self.scan_blocks(state, at, objects, costs);
        } else {
            self.reach_all(state, at, objects, costs);
        }
    }

    /// Looks at the edges of a person that has all objects. Few blocks have an object to note.
    #[inline]
    fn scan_blocks(&mut self, state: &PartialMatching, at: Stop, objects: &[u32], costs: &[i64]) {
        for block in blocks(costs.len()) {
            let objects = &objects[block.clone()];
            let costs = &costs[block.clone()];
            let prices = &state.prices()[block.clone()];

            // In a block that has one, each object is looked at on its own.
            if self.has_nearer(costs, prices, block, at.offset) {
                self.reach_all(state, at, objects, costs);
            }
        }
    }

    /// Checks whether one of the objects in a block is nearer than it was known to be, and nearer
    /// than the nearest end.
    #[inline]
    fn has_nearer(&self, costs: &[i64], prices: &[i64], block: Range<usize>, offset: i64) -> bool {
        let limit = self.nearest.distance - offset;
        let known = &self.distance[block];
        let objects = costs.iter().zip(prices).zip(known);

        // Only the signs matter: the result is negative if both differences of some object are. A
        // pass without branches is fast.
        let nearer = objects.fold(0, |all, ((cost, price), known)| {
            let length = cost - price;
            let beyond_end = length - limit;
            let beyond_known = length + offset - known;
            all | (beyond_end & beyond_known)
        });

        nearer < 0
    }

    /// Notes objects, as far as they are near enough.
    #[inline]
    fn reach_all(&mut self, state: &PartialMatching, at: Stop, objects: &[u32], costs: &[i64]) {
        for (&object, &cost) in objects.iter().zip(costs) {
            self.reach(state, at, object, cost);
        }
    }

    /// Notes an object, if its distance over this person is less than was known and less than that
    /// of the nearest end.
    #[inline]
    fn reach(&mut self, state: &PartialMatching, at: Stop, object: u32, cost: i64) {
        let place = object as usize;
        let distance = cost - state.prices()[place] + at.offset;
        if distance >= self.nearest.distance || distance >= self.distance[place] {
            return;
        }

        let is_free = state.is_free(object);
        if self.distance[place] == FAR {
            self.touched.push(object);
            if !is_free {
                self.frontier.push(object);
            }
        }

        self.distance[place] = distance;
        self.reached_by[place] = at.person;

        if is_free {
            self.nearest = Nearest {
                end: End::Free(object),
                distance,
            };
        }
    }

    /// Takes the closest object from the frontier, if it is closer than the nearest end.
    fn closest(&mut self) -> Option<u32> {
        if self.ready.is_empty() {
            // One pass for the least distance, and one to extract.
            self.steps += 2 * self.frontier.len();

            let distance = |object: &u32| self.distance[*object as usize];
            let least = self.frontier.iter().map(distance).min()?;

            let closest = self
                .frontier
                .extract_if(.., |object| distance(object) == least);
            self.ready.extend(closest);
        }

        let closest = *self.ready.last()?;
        if self.distance[closest as usize] >= self.nearest.distance {
            return None;
        }

        self.ready.pop()
    }

    fn reset(&mut self) {
        for object in self.touched.drain(..) {
            self.distance[object as usize] = FAR;
        }
        self.frontier.clear();
        self.ready.clear();
        self.scanned.clear();
        self.steps = 0;
    }
}
