//! Tests of whole swarms of real processes over real sockets.

mod crash_points;
mod demo;
mod links;
mod rejoin;
mod three_hosts;
mod trading;
