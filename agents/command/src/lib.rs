//! Any program becomes an agent: JSON lines over its standard input and output.
//!
//! [`CommandAgent`] starts the program once and writes one JSON object for each question, on one
//! line; the program answers with one line that repeats the question's `id`. Lines without a
//! question, or with the id of an older one, are skipped. Its standard error is the node's.
//!
//! | Question | Answer |
//! |---|---|
//! | `call`: what to ask for a task | `{"type":"bid","id":1,"price":120}` or `{"type":"pass",…}` |
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
//! - `payload` is text; where the task's payload is not UTF-8, `payload_hex` stands in its place.
//!   `certificate` and `idempotency_key` are hexadecimal, times are milliseconds.
//! - `detail` is what the requester gets: a string as it is, any other JSON as its text.
//! - A line is at most [`LINE_BYTES`] long. A program that writes a longer one, or no JSON, or
//!   ends, fails the task under way; the next call starts it again.
//! - A bid must come within [`CommandConfig::patience`], or the agent passes.
//! - Standard input closes when the agent is dropped; the program is then killed.
//!
//! **Absent here:** a shell, and any word on what the program may do: it runs as the node's user.

mod agent;
mod process;
mod protocol;

pub use agent::{CommandAgent, CommandConfig};
pub use process::{LINE_BYTES, ProgramError};
