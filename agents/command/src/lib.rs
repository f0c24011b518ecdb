//! Turns any program into an agent, by JSON lines over its standard input and output.
//!
//! [`CommandAgent`] starts the program once and writes one JSON object for each question, on one
//! line. The program answers with one line that repeats the question's `id`. Lines without a
//! question, or with the id of an older one, are skipped. The program's standard error is the
//! node's.
//!
//! | Question | Answer |
//! |---|---|
//! | `call`: what price to ask | `{"type":"bid","id":1,"price":120}` or `{"type":"pass",…}` |
//! | `execute`: do a task | `{"type":"outcome","id":2,"detail":…}` or `{"type":"error",…}` |
//! | `{"type":"lost","id":2}`: the award is over, stop | none |
//!
//! ```json
//! {"type":"call","id":1,"market":"drones","window":4,"task":"REQUESTER/NUMBER","payload":"…",
//!  "requires":{"labels":[],"amounts":{}},"demand":{},"free":{"slots":1}}
//! {"type":"execute","id":2,"market":"drones","task":"REQUESTER/NUMBER","payload":"…",
//!  "requires":{"labels":[],"amounts":{}},"demand":{},"token":1,"price":120,
//!  "idempotency_key":"…","lease_ms":10000,"assigned_at":61000,"certificate":"…"}
//! {"type":"error","id":2,"reason":"…"}
//! ```
//!
//! - `payload` is text. If the task's payload is not UTF-8, `payload_hex` takes its place.
//!   `certificate` and `idempotency_key` are hexadecimal, times are milliseconds.
//! - `detail` is the result for the requester: a string as it is, any other JSON as its text.
//! - A line is at most [`LINE_BYTES`] long. A program that writes a longer line, writes a line that
//!   is not JSON, or ends, fails the task in progress. The next call starts it again.
//! - A bid must come within [`CommandConfig::patience`]; otherwise the agent passes.
//! - Standard input is closed when the agent is dropped, and the program is killed.
//!
//! **Absent here:** a shell, and any limit on the program's rights: it runs as the node's user.

mod agent;
mod config;
mod process;
mod protocol;

pub use agent::CommandAgent;
pub use config::CommandConfig;
pub use process::{LINE_BYTES, ProgramError};
