//! The lines that the agent and its program exchange.

use quorate_agent::{Award, CallForBids};
use quorate_types::{ActiveMillis, Amounts, Capabilities, FencingToken, Label, Price, TaskSpec};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A line that is written to the program.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum Question<'a> {
    Call {
        id: u64,
        window: u64,
        free: &'a Amounts,
        #[serde(flatten)]
        task: Task<'a>,
    },
    Execute {
        id: u64,
        token: FencingToken,
        price: Price,
        idempotency_key: String,
        lease_ms: u64,
        assigned_at: ActiveMillis,
        certificate: String,
        #[serde(flatten)]
        task: Task<'a>,
    },
    Lost {
        id: u64,
    },
}

/// The part of a question that describes its task.
#[derive(Debug, Serialize)]
pub(crate) struct Task<'a> {
    task: String,
    market: &'a Label,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload_hex: Option<String>,
    requires: &'a Capabilities,
    demand: &'a Amounts,
}

/// A line that the program writes.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum Answer {
    Bid { id: u64, price: Price },
    Pass { id: u64 },
    Outcome { id: u64, detail: Value },
    Error { id: u64, reason: String },
}

impl<'a> Question<'a> {
    pub(crate) fn call(id: u64, call: &'a CallForBids) -> Self {
        let task = Task::new(call.task.to_string(), &call.spec);
        Self::Call {
            id,
            window: call.window,
            free: &call.free,
            task,
        }
    }

    pub(crate) fn execute(id: u64, award: &'a Award) -> Self {
        let lease_ms = u64::try_from(award.lease.as_millis()).unwrap_or(u64::MAX);

        Self::Execute {
            id,
            token: award.token,
            price: award.price,
            idempotency_key: award.idempotency_key.to_string(),
            lease_ms,
            assigned_at: award.assigned_at,
            certificate: hex::encode(award.certificate.bytes()),
            task: Task::new(award.task.to_string(), &award.spec),
        }
    }
}

impl<'a> Task<'a> {
    fn new(task: String, spec: &'a TaskSpec) -> Self {
        let payload = std::str::from_utf8(&spec.payload.0).ok();
        let payload_hex = payload.is_none().then(|| hex::encode(&spec.payload.0));

        let TaskSpec {
            market,
            requires,
            demand,
            ..
        } = spec;

        Self {
            task,
            market,
            payload,
            payload_hex,
            requires,
            demand,
        }
    }
}

impl Answer {
    /// Returns the id of the question that it answers.
    pub(crate) fn id(&self) -> u64 {
        match self {
            Self::Bid { id, .. }
            | Self::Pass { id }
            | Self::Outcome { id, .. }
            | Self::Error { id, .. } => *id,
        }
    }
}

/// Returns the detail of an outcome as bytes: a string as it is, any other JSON as its text.
pub(crate) fn detail(value: Value) -> Vec<u8> {
    match value {
        Value::String(text) => text.into_bytes(),
        other => other.to_string().into_bytes(),
    }
}
