//! The data of a report. Times are milliseconds since the run started, unless a field says
//! otherwise.

use serde::{Deserialize, Serialize};

use super::trading::Trading;

/// A demo run, as it is written to `report.json` and shown as a page.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DemoReport {
    /// The headline, with the name of the mission or of the file of bars.
    pub title: String,
    /// The swarm id, in hexadecimal.
    pub swarm_id: String,
    /// The fingerprint of the trust root, in the form that two people compare over a telephone.
    pub fingerprint: String,
    /// The wall-clock time of the start, as in RFC 3339.
    pub started: String,
    /// How long the run took.
    pub duration_ms: u64,
    /// The folder of the certificates, relative to the run folder.
    pub certificate_dir: String,
    /// The file of the trust root, relative to the run folder.
    pub trust_root: String,
    /// The counts of the run.
    pub summary: Summary,
    /// The committee, with the validators that were killed.
    pub validators: Vec<Validator>,
    /// The agents, in the order of their colours.
    pub agents: Vec<Agent>,
    /// The tasks of the mission, or the slices of the day of trading.
    pub tasks: Vec<Task>,
    /// The decided heights, ascending.
    pub heights: Vec<Height>,
    /// The refused offers, in the order in which their refusals were reported.
    pub refusals: Vec<Refusal>,
    /// The further data of a trading run; `None` for a drone run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trading: Option<Trading>,
}

/// The counts that every run has, under the names of `--json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// Tasks that were submitted.
    pub tasks: u64,
    /// Tasks that were completed.
    pub completed: u64,
    /// Tasks that were awarded more than once.
    pub reassigned: u64,
    /// Refused offers that broke a rule; offers that only came too late are not counted.
    pub refused_bids: u64,
    /// Drones that were killed; `None` if the agents are not drones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub killed_drones: Option<u64>,
    /// Validators that were killed.
    pub killed_validators: u64,
    /// The greatest height that was decided.
    pub heights: u64,
    /// Certificate files that the run left.
    pub certificates: u64,
    /// Certificates that the auditor's code verified.
    pub certificates_verified: u64,
    /// Auctions of which there is a dossier or a certificate.
    #[serde(default)]
    pub auctions: u64,
    /// Auctions that were run again from their dossiers and gave what is certified.
    #[serde(default)]
    pub auctions_replayed: u64,
}

/// A member of the committee.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Validator {
    /// Its name, which [`Height::builder`] refers to.
    pub name: String,
    /// Its public key, in hexadecimal.
    pub key: String,
    /// When it was killed; `None` if it was not.
    pub killed_at_ms: Option<u64>,
}

/// A point on the Earth, in degrees of WGS 84. A point that is not finite is left off the map.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct GeoPoint {
    /// The latitude, -90 to 90.
    pub lat: f64,
    /// The longitude, -180 to 180. A mission may not cross the antimeridian.
    pub lng: f64,
}

/// An agent: a drone or a market maker.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Agent {
    /// Its name, which [`Assignment::agent`] and [`Refusal::agent`] refer to.
    pub name: String,
    /// Its public key, in hexadecimal.
    pub key: String,
    /// The place where it started; `None` if it does not move.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub home: Option<GeoPoint>,
    /// When it was killed; `None` if it was not.
    pub killed_at_ms: Option<u64>,
    /// Whether it claims a capability that nobody attested.
    pub liar: bool,
    /// The number of tasks that it completed.
    pub tasks_done: u64,
    /// The places where it was, ascending by time, without its home.
    pub path: Vec<Stop>,
}

/// A place on a drone's path.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stop {
    /// The place that the drone was at.
    #[serde(flatten)]
    pub place: GeoPoint,
    /// When it was there.
    pub t_ms: u64,
    /// The task that it did there; `None` for a place that it only passed.
    pub task: Option<String>,
}

/// A task of the mission, or a slice of an order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Task {
    /// Its name, which [`Refusal::task`] and [`Stop::task`] refer to.
    pub id: String,
    /// The place to fly to; `None` for a task without one.
    #[serde(flatten)]
    pub place: Option<GeoPoint>,
    /// The labels and amounts that it requires, for a reader: `camera`, `payload_g ≥ 500`.
    pub requires: Vec<String>,
    /// Its state when the run ended.
    pub state: TaskState,
    /// Its awards, ascending by fencing token.
    pub assignments: Vec<Assignment>,
}

/// The state of a task (L-15).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskState {
    /// It waits for a clearing.
    Open,
    /// It was awarded and not yet accepted.
    Assigned,
    /// Its assignee accepted it.
    Working,
    /// Its assignee completed it.
    Completed,
    /// It was given up without a completion.
    Failed,
    /// Its requester canceled it.
    Canceled,
    /// Its deadline passed, or its attempts were used up.
    Expired,
}

/// One award of a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assignment {
    /// The name of the assignee.
    pub agent: String,
    /// The fencing token, from 1.
    pub token: u64,
    /// The price, in the market's unit.
    pub price: i64,
    /// When the award became known.
    pub at_ms: u64,
    /// The height that decided it.
    pub height: u64,
    /// The file name of its certificate, within the certificate folder.
    pub certificate: String,
    /// How it ended.
    pub ended: Ended,
    /// When it ended; `None` while it is held.
    pub ended_at_ms: Option<u64>,
}

/// How an award ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ended {
    /// The agent still held it when the run ended.
    Held,
    /// The assignee reported completion.
    Completed,
    /// The assignee reported failure.
    Failed,
    /// The assignee declined it.
    Declined,
    /// The lease ran out, and the assignment lapsed.
    Lapsed,
    /// The requester canceled the task.
    Canceled,
}

/// A decided height.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Height {
    /// The height, from 1.
    pub height: u64,
    /// The round in which it was decided; above 0 a proposer was passed over.
    pub round: u64,
    /// When the first validator reported it as committed.
    pub time_ms: u64,
    /// The name of the validator that built the block.
    pub builder: String,
    /// The number of operations in the block.
    pub operations: u64,
    /// The number of outcomes in the block: awards, clearings, receipts, refusals, expiries.
    pub outcomes: u64,
}

/// An offer that had no effect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// The name of the bidder.
    pub agent: String,
    /// The name of the task that it bid on.
    pub task: String,
    /// When the bidder reported the refusal.
    pub at_ms: u64,
    /// The number of the reason in the registry of reason codes.
    pub code: u16,
    /// The name of the reason in the registry: `capability_not_attested`.
    pub name: String,
    /// The reason as a sentence for a person.
    pub text: String,
    /// The file name of its certificate, within the certificate folder, if one was written.
    pub certificate: Option<String>,
}

impl Ended {
    /// Returns its name in `report.json`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Declined => "declined",
            Self::Lapsed => "lapsed",
            Self::Canceled => "canceled",
        }
    }
}

impl TaskState {
    /// Returns its name in `report.json`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Assigned => "assigned",
            Self::Working => "working",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Canceled => "canceled",
            Self::Expired => "expired",
        }
    }
}

impl DemoReport {
    /// Returns every award with its task, ordered by task and then by token.
    pub(super) fn awards(&self) -> impl Iterator<Item = (&Task, &Assignment)> {
        self.tasks
            .iter()
            .flat_map(|task| task.assignments.iter().map(move |award| (task, award)))
    }

    /// Returns the noun for one of its agents.
    pub(super) fn noun(&self) -> &'static str {
        if self.trading.is_some() {
            "trader"
        } else {
            "drone"
        }
    }

    /// Returns the index of an agent, which decides its colour.
    pub(super) fn agent_index(&self, name: &str) -> Option<usize> {
        self.agents.iter().position(|agent| agent.name == name)
    }
}

impl Task {
    /// Returns the award under which it was completed.
    pub(super) fn completed_by(&self) -> Option<&Assignment> {
        self.assignments
            .iter()
            .find(|award| award.ended == Ended::Completed)
    }

    /// Whether it was awarded more than once.
    pub(super) fn was_reassigned(&self) -> bool {
        self.assignments.len() > 1
    }
}

impl Agent {
    /// Returns the last place that it is known to have been at.
    pub(super) fn last_place(&self) -> Option<GeoPoint> {
        self.path.last().map(|stop| stop.place).or(self.home)
    }

    /// Returns every place that it was at, from its home on.
    pub(super) fn places(&self) -> impl Iterator<Item = GeoPoint> {
        self.home
            .into_iter()
            .chain(self.path.iter().map(|stop| stop.place))
    }
}
