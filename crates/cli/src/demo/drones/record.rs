//! What happened, as the operator's own node and the processes told it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use quorate_certificate::Certificate;
use quorate_node::{Clock, NodeEvent};
use quorate_types::{FencingToken, Outcome, PublicKey, Reason, TaskId};

use super::stage::Stage;
use crate::demo::worker::Decided;
use crate::report::{Assignment, Ended, Height, Refusal, TaskState};

/// Facts of a run, with times in milliseconds since its start.
pub(super) struct Record {
    clock: Clock,
    folder: PathBuf,
    names: BTreeMap<PublicKey, String>,
    task_names: Vec<String>,
    numbers: BTreeMap<TaskId, usize>,
    /// By place in the mission.
    pub(super) tasks: Vec<TaskRecord>,
    pub(super) heights: BTreeMap<u64, Height>,
    pub(super) refusals: Vec<Refusal>,
    /// Offers refused because of a capability nobody attested.
    pub(super) refused_bids: u64,
    pub(super) liars: BTreeSet<String>,
    pub(super) killed_drone: Option<(PublicKey, u64)>,
    pub(super) killed_validator: Option<(PublicKey, u64)>,
    /// Files that could not be written.
    pub(super) unwritten: u64,
}

/// What happened to one task.
#[derive(Debug, Default)]
pub(super) struct TaskRecord {
    pub(super) assignments: Vec<Assignment>,
    assignee: Option<PublicKey>,
    pub(super) state: Option<TaskState>,
    /// What the assignee reported.
    pub(super) detail: Option<Vec<u8>>,
}

impl Record {
    pub(super) fn new(stage: &Stage, clock: Clock) -> Self {
        let tasks = &stage.mission.tasks;
        Self {
            clock,
            folder: stage.folder.join("certificates"),
            names: stage.names(),
            task_names: tasks.iter().map(|task| task.task.id.clone()).collect(),
            numbers: BTreeMap::new(),
            tasks: tasks.iter().map(|_| TaskRecord::default()).collect(),
            heights: BTreeMap::new(),
            refusals: Vec::new(),
            refused_bids: 0,
            liars: BTreeSet::new(),
            killed_drone: None,
            killed_validator: None,
            unwritten: 0,
        }
    }

    pub(super) fn submitted(&mut self, ids: Vec<TaskId>) {
        self.numbers = ids.into_iter().enumerate().map(|(at, id)| (id, at)).collect();
    }

    /// Tasks that have ended, whichever way.
    pub(super) fn ended(&self) -> usize {
        self.tasks.iter().filter(|task| task.state.is_some()).count()
    }

    pub(super) fn is_over(&self) -> bool {
        self.ended() == self.tasks.len()
    }

    fn assignee(&self, task: TaskId) -> Option<PublicKey> {
        self.tasks.get(*self.numbers.get(&task)?)?.assignee
    }

    pub(super) fn name_of(&self, task: TaskId) -> &str {
        let name = self.numbers.get(&task).and_then(|at| self.task_names.get(*at));
        name.map_or("an unknown task", String::as_str)
    }

    pub(super) fn now(&self) -> u64 {
        self.clock.monotonic()
    }

    fn name(&self, key: &PublicKey) -> String {
        self.names.get(key).cloned().unwrap_or_else(|| key.short())
    }

    /// A validator committed a height; the first to say so counts.
    pub(super) fn height(&mut self, decided: &Decided) {
        let first = Height {
            height: decided.height,
            round: u64::from(decided.round),
            time_ms: self.now(),
            builder: self.name(&decided.builder),
            operations: decided.operations as u64,
            outcomes: decided.outcomes as u64,
        };
        self.heights.entry(decided.height).or_insert(first);
    }

    /// Takes in what the operator's node learned by a verified certificate; gives the lines worth
    /// telling.
    pub(super) fn learn(&mut self, event: &NodeEvent) -> Vec<String> {
        match event {
            NodeEvent::Awarded { task, token, agent, price, certificate } => {
                self.awarded(*task, *token, (agent, *price), certificate)
            }
            NodeEvent::Accepted { task, token, certificate } => {
                self.store(*task, &format!("{token}-accepted"), certificate);
                Vec::new()
            }
            NodeEvent::Returned { task, token, certificate } => {
                self.returned(*task, *token, certificate)
            }
            NodeEvent::Completed { task, detail, certificate } => {
                self.completed(*task, detail, certificate);
                Vec::new()
            }
            NodeEvent::Failed { task, certificate, .. } => {
                self.store(*task, "ended", certificate);
                self.end(*task, Ended::Failed);
                if let Some(found) = self.find(*task) {
                    found.state = Some(TaskState::Failed);
                }
                vec![format!("{} ended undone", self.name_of(*task))]
            }
            _ => Vec::new(),
        }
    }

    fn awarded(
        &mut self,
        task: TaskId,
        token: FencingToken,
        (agent, price): (&PublicKey, i64),
        certificate: &[u8],
    ) -> Vec<String> {
        // The news of an award may come after its drone was killed on the flight for it.
        let killed = self.killed_drone.filter(|(key, _)| key == agent).map(|(_, at)| at);
        let (name, at_ms) = (self.name(agent), killed.unwrap_or_else(|| self.now()));
        let height = Certificate::decode(certificate).map_or(0, |c| c.header.height);
        let file = self.store(task, &format!("{token}-assigned"), certificate);
        let Some(found) = self.find(task) else { return Vec::new() };
        found.assignee = Some(*agent);
        found.assignments.push(Assignment {
            agent: name.clone(),
            token,
            price,
            at_ms,
            height,
            certificate: file,
            ended: Ended::Held,
            ended_at_ms: None,
        });
        found.assignments.sort_by_key(|assignment| assignment.token);
        match token {
            1 => Vec::new(),
            _ => vec![format!("{} goes to {name} under token {token}", self.name_of(task))],
        }
    }

    fn returned(&mut self, task: TaskId, token: FencingToken, certificate: &[u8]) -> Vec<String> {
        self.store(task, &format!("{token}-returned"), certificate);
        let (ended, word) = match ending(certificate) {
            Some("lapse") => (Ended::Lapsed, "the lease lapsed"),
            Some("decline") => (Ended::Declined, "declined"),
            _ => (Ended::Failed, "given back"),
        };
        self.end_token(task, Some(token), ended);
        let holder = self.assignee(task).map_or_else(String::new, |key| self.name(&key));
        vec![format!("{}: {word} ({holder}, token {token})", self.name_of(task))]
    }

    fn completed(&mut self, task: TaskId, detail: &[u8], certificate: &[u8]) {
        self.store(task, "completed", certificate);
        self.end(task, Ended::Completed);
        if let Some(found) = self.find(task) {
            found.state = Some(TaskState::Completed);
            found.detail = Some(detail.to_vec());
        }
    }

    /// A drone was refused: keeps the certificate, and counts what no attester had given.
    pub(super) fn refused(
        &mut self,
        drone: &str,
        items: &[(Option<TaskId>, u16)],
        certificate: &str,
    ) -> Vec<String> {
        let reason = |code| Reason::ALL.iter().copied().find(|reason| reason.code() == code);
        let file = format!("refusal-{:03}-{drone}.cbor", self.refusals.len() + 1);
        let bytes = hex::decode(certificate).unwrap_or_default();
        self.write(&file, &bytes);
        let mut told = Vec::new();
        for (task, code) in items {
            let Some(reason) = reason(*code) else { continue };
            let name = task.map_or("the whole bid".to_owned(), |t| self.name_of(t).to_owned());
            if reason == Reason::CapabilityNotAttested {
                self.refused_bids += 1;
                if self.liars.insert(drone.to_owned()) {
                    told.push(format!("{drone} bids on {name} and is refused: {}", reason.text()));
                }
            }
            self.refusals.push(Refusal {
                agent: drone.to_owned(),
                task: name,
                at_ms: self.now(),
                code: reason.code(),
                name: reason.name().to_owned(),
                text: reason.text().to_owned(),
                certificate: Some(file.clone()),
            });
        }
        told
    }

    fn end(&mut self, task: TaskId, ended: Ended) {
        self.end_token(task, None, ended);
    }

    /// Ends the assignment under `token`, or the newest.
    fn end_token(&mut self, task: TaskId, token: Option<FencingToken>, ended: Ended) {
        let now = self.now();
        let Some(found) = self.find(task) else { return };
        let wanted = |a: &&mut Assignment| token.is_none_or(|token| a.token == token);
        if let Some(assignment) = found.assignments.iter_mut().rev().find(wanted) {
            assignment.ended = ended;
            assignment.ended_at_ms = Some(now);
        }
    }

    fn find(&mut self, task: TaskId) -> Option<&mut TaskRecord> {
        self.tasks.get_mut(*self.numbers.get(&task)?)
    }

    /// Writes a certificate; its file name says task and event.
    fn store(&mut self, task: TaskId, what: &str, certificate: &[u8]) -> String {
        let number = self.numbers.get(&task).map_or(0, |at| at + 1);
        let file = format!("task-{number:03}-{what}.cbor");
        self.write(&file, certificate);
        file
    }

    fn write(&mut self, file: &str, bytes: &[u8]) {
        if std::fs::write(self.folder.join(file), bytes).is_err() {
            self.unwritten += 1;
        }
    }
}

/// Name of the operation that ended an assignment.
fn ending(certificate: &[u8]) -> Option<&'static str> {
    match Certificate::decode(certificate).ok()?.outcome {
        Outcome::Receipt(receipt) => Some(receipt.operation.payload.body.name()),
        _ => None,
    }
}
