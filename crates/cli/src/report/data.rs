//! What a report holds. Times are milliseconds since the run started, unless said otherwise.

use serde::{Deserialize, Serialize};

use super::trading::Trading;

/// A demo run, as `report.json` and as a page.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Headline, such as the name of the mission.
    pub title: String,
    /// Swarm id, hexadecimal.
    pub swarm_id: String,
    /// Fingerprint of the trust root, as it is read over a telephone.
    pub fingerprint: String,
    /// Wall-clock start, RFC 3339.
    pub started: String,
    /// Length of the run.
    pub duration_ms: u64,
    /// Folder of the certificates, relative to the run folder.
    pub certificate_dir: String,
    /// File of the trust root, relative to the run folder.
    pub trust_root: String,
    /// The numbers of the run.
    pub summary: Summary,
    /// The committee.
    pub validators: Vec<Validator>,
    /// The agents, in the order of their colours.
    pub agents: Vec<Agent>,
    /// The mission, or the slices of the day.
    pub tasks: Vec<Task>,
    /// Decided heights, ascending.
    pub heights: Vec<Height>,
    /// Bids without effect, in the order they were committed.
    pub refusals: Vec<Refusal>,
    /// What a trading run has besides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trading: Option<Trading>,
}

/// The numbers of every run, in the names of `--json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// Tasks submitted.
    pub tasks: u64,
    /// Tasks completed.
    pub completed: u64,
    /// Awards under a fencing token above 1.
    pub reassigned: u64,
    /// Bids refused.
    pub refused_bids: u64,
    /// Drones killed; only where there are drones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub killed_drones: Option<u64>,
    /// Validators killed.
    pub killed_validators: u64,
    /// Heights decided.
    pub heights: u64,
    /// Certificates written.
    pub certificates: u64,
    /// Certificates that the auditor's code verified.
    pub certificates_verified: u64,
    /// Auctions that awards followed from.
    #[serde(default)]
    pub auctions: u64,
    /// Auctions that were run again from their dossiers and gave the same.
    #[serde(default)]
    pub auctions_replayed: u64,
}

/// A member of the committee.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Validator {
    /// Name; [`Height::builder`] refers to it.
    pub name: String,
    /// Public key, hexadecimal.
    pub key: String,
    /// When it was killed.
    pub killed_at_ms: Option<u64>,
}

/// A point on the Earth, WGS 84 degrees. Anything not finite is left off the map.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Place {
    /// Latitude, -90 to 90.
    pub lat: f64,
    /// Longitude, -180 to 180. A mission may not cross the antimeridian.
    pub lng: f64,
}

/// An agent: a drone, a market maker.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Agent {
    /// Name; [`Assignment::agent`] and [`Refusal::agent`] refer to it.
    pub name: String,
    /// Public key, hexadecimal.
    pub key: String,
    /// Where it started, if it moves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub home: Option<Place>,
    /// When it was killed.
    pub killed_at_ms: Option<u64>,
    /// Whether it claims a capability that nobody attested.
    pub liar: bool,
    /// Tasks it completed.
    pub tasks_done: u64,
    /// Where it was, ascending by time, without its home.
    pub path: Vec<Stop>,
}

/// A place on a drone's path.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stop {
    /// Where.
    #[serde(flatten)]
    pub place: Place,
    /// When.
    pub t_ms: u64,
    /// The task it did there; `None` for a place it was merely seen at.
    pub task: Option<String>,
}

/// A task of the mission.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Task {
    /// Name; [`Refusal::task`] and [`Stop::task`] refer to it.
    pub id: String,
    /// Where, if anywhere.
    #[serde(flatten)]
    pub place: Option<Place>,
    /// What it requires, each for a reader: `camera`, `payload_g ≥ 500`.
    pub requires: Vec<String>,
    /// Its state when the run ended.
    pub state: TaskState,
    /// Whom it was awarded to, ascending by fencing token.
    pub assignments: Vec<Assignment>,
}

/// Where a task is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskState {
    /// Waits for a clearing.
    Open,
    /// Awarded, not yet accepted.
    Assigned,
    /// Accepted.
    Working,
    /// Done.
    Completed,
    /// Given up after a failure.
    Failed,
    /// Cancelled by its requester.
    Canceled,
    /// Its deadline passed or its attempts were used up.
    Expired,
}

/// One award of a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assignment {
    /// Assignee.
    pub agent: String,
    /// Fencing token, from 1.
    pub token: u64,
    /// Price, in the market's unit.
    pub price: i64,
    /// When the award was decided.
    pub at_ms: u64,
    /// Height that decided it.
    pub height: u64,
    /// File name of its certificate, within the certificate folder.
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
    /// Still held when the run ended.
    Held,
    /// The assignee reported completion.
    Completed,
    /// The assignee reported failure.
    Failed,
    /// The assignee did not want it.
    Declined,
    /// The lease ran out.
    Lapsed,
    /// The requester cancelled the task.
    Canceled,
}

/// A decided height.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Height {
    /// Height, from 1.
    pub height: u64,
    /// Round in which it was decided; above 0 a proposer was passed over.
    pub round: u64,
    /// When it was decided.
    pub time_ms: u64,
    /// Name of the validator that built the block.
    pub builder: String,
    /// Operations in the block.
    pub operations: u64,
    /// Outcomes in the block: awards, receipts, refusals.
    pub outcomes: u64,
}

/// A bid that had no effect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// Bidder.
    pub agent: String,
    /// Task it bid on.
    pub task: String,
    /// When the refusal was decided.
    pub at_ms: u64,
    /// Number in the registry of reason codes.
    pub code: u16,
    /// Name in the registry: `capability_not_attested`.
    pub name: String,
    /// One sentence for a person.
    pub text: String,
    /// File name of its certificate, within the certificate folder, where one was written.
    pub certificate: Option<String>,
}

impl Ended {
    /// Its name, as in `report.json`.
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
    /// Its name, as in `report.json`.
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

impl Report {
    /// Every award with its task, by task and then by token.
    pub(super) fn awards(&self) -> impl Iterator<Item = (&Task, &Assignment)> {
        self.tasks
            .iter()
            .flat_map(|task| task.assignments.iter().map(move |award| (task, award)))
    }

    /// What its agents are called.
    pub(super) fn noun(&self) -> &'static str {
        if self.trading.is_some() {
            "trader"
        } else {
            "drone"
        }
    }

    /// The place of an agent in the order of colours.
    pub(super) fn agent_index(&self, name: &str) -> Option<usize> {
        self.agents.iter().position(|agent| agent.name == name)
    }
}

impl Task {
    /// The award under which it was completed.
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
    /// The last place it is known to have been at.
    pub(super) fn last_place(&self) -> Option<Place> {
        self.path.last().map(|stop| stop.place).or(self.home)
    }

    /// Every place it was at, from its home on.
    pub(super) fn places(&self) -> impl Iterator<Item = Place> {
        self.home
            .into_iter()
            .chain(self.path.iter().map(|stop| stop.place))
    }
}
