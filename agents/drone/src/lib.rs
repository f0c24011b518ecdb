//! A drone that bids by distance and flies in simulated time, and the missions it flies.
//!
//! [`Drone`] is a reference agent. It knows time only by the lease that it is given, so it flies
//! the same under a node and in the simulator. [`Mission`] reads points from CSV, GeoJSON or a
//! QGroundControl plan, and makes task specifications of them. Coordinates are floats in WGS 84
//! degrees. They stay on the agent's side; prices are whole decimetres.
//!
//! **Absent here:** clocks, sockets, and anything the swarm agrees on.

mod drone;
mod flight;
mod geo;
pub mod mission;
mod task;

pub use drone::{Behaviour, Drone, DroneConfig};
pub use flight::{Fix, Track};
pub use geo::Point;
pub use mission::{Mission, MissionError};
pub use task::{DroneTask, Visit};
