//! Prints a line for each instance and solver: name, solver, total cost, and the best of several
//! times in microseconds. `compare.py` reads them. The arguments are sides; without any, the sides
//! are 100 to 2000.
#![expect(clippy::disallowed_methods, reason = "a measurement needs a clock")]

use std::time::{Duration, Instant};

use quorate_peers::instances;
use quorate_peers::solvers::{NAMES, Prepared};

/// A solver is run again until its runs have taken this long in all.
const ENOUGH: Duration = Duration::from_millis(400);
/// The largest side for pathfinding, which takes minutes beyond.
const PATHFINDING_SIDE: usize = 1000;

fn main() {
    let sides: Vec<usize> = std::env::args()
        .skip(1)
        .filter_map(|text| text.parse().ok())
        .collect();
    let sides = if sides.is_empty() {
        vec![100, 200, 500, 1000, 2000]
    } else {
        sides
    };
    for instance in instances::all(&sides) {
        for solver in NAMES {
            if solver == "pathfinding" && instance.side > PATHFINDING_SIDE {
                continue;
            }
            let prepared = Prepared::new(solver, &instance);
            let (mut best, mut spent, mut total) = (Duration::MAX, Duration::ZERO, 0);
            while spent < ENOUGH {
                let start = Instant::now();
                total = prepared.solve();
                let time = start.elapsed();
                (best, spent) = (best.min(time), spent + time);
            }
            println!("{} {solver} {total} {}", instance.name, best.as_micros());
        }
    }
}
