//! Every invariant can fail: each gets a run that kept all of them, with one thing in it changed.

mod auctions;
mod forensics;
mod record;
mod solutions;
mod table;
