//! The manners that the binary `quorate` and its guests, `quorate-bench` and `quorate-demo`, have
//! in common: lines on standard output, errors in words, and times in arguments.
//!
//! A guest must not depend on the command line, and the command line starts the guests. Handing
//! these functions down as parameters would not do: the parser of an argument is named in a type,
//! and each line that a process reports goes through [`say`]. So they have a room below both.
//!
//! **Absent here:** anything of a swarm. No other crate of the workspace is used.

mod output;
mod time;

pub use output::{describe, reader_left, say, write_new};
pub use time::{duration, positive_duration, rfc3339};
