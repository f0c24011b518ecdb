//! Tests that every invariant can fail: each judges a run that keeps all invariants, with one thing
//! changed in what was observed.

mod forensics;
mod record;
mod solutions;
mod table;
