//! The record of a run, as the operator's node and the processes reported it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use quorate_certificate::VerifiedCertificate;
use quorate_node::{Clock, NodeEvent};
use quorate_types::{FencingToken, PublicKey, Reason, TaskId, outcome};

use crate::report::{Assignment, Ended, Height, Refusal, TaskState};
use crate::setting::Setting;
use crate::worker::Decided;

/// The facts of a run, with times in milliseconds since its start.
pub(super) struct Record {
    clock: Clock,
    folder: PathBuf,
    names: BTreeMap<PublicKey, String>,
    numbers: BTreeMap<TaskId, usize>,
    /// The tasks, in the order in which they were submitted.
    pub(super) tasks: Vec<TaskRecord>,
    pub(super) heights: BTreeMap<u64, Height>,
    pub(super) refusals: Vec<Refusal>,
    /// Pairs of an agent and a reason whose refusals were told already.
    told: BTreeSet<(String, Reason)>,
    /// Reasons that are told when an agent is refused for them the first time.
    telling: Vec<Reason>,
    /// The agent that was killed, and when.
    pub(super) killed_agent: Option<(PublicKey, u64)>,
    /// The validator that was killed, and when.
    pub(super) killed_validator: Option<(PublicKey, u64)>,
    /// The number of files that could not be written.
    pub(super) unwritten: u64,
}

/// The facts of one task.
#[derive(Debug, Default)]
pub(super) struct TaskRecord {
    pub(super) name: String,
    pub(super) assignments: Vec<Assignment>,
    /// The newest assignment, as it was certified.
    pub(super) certified: Option<outcome::Assignment>,
    /// The state in which it ended; `None` while it has not ended.
    pub(super) state: Option<TaskState>,
    /// The detail that the assignee reported with the completion.
    pub(super) detail: Option<Vec<u8>>,
}

impl TaskRecord {
    /// Returns its state when the run ended.
    pub(super) fn final_state(&self) -> TaskState {
        let held = if self.assignments.is_empty() {
            TaskState::Open
        } else {
            TaskState::Assigned
        };
        self.state.unwrap_or(held)
    }

    fn assign(&mut self, assignment: Assignment, certified: outcome::Assignment) {
        self.assignments.push(assignment);
        // Awards may become known in another order than they were made in.
        self.assignments.sort_by_key(|assignment| assignment.token);
        self.certified = Some(certified);
    }
}

impl Record {
    pub(super) fn new(setting: &Setting, clock: Clock, telling: &[Reason]) -> Self {
        Self {
            clock,
            folder: setting.certificates(),
            names: setting.names(),
            numbers: BTreeMap::new(),
            tasks: Vec::new(),
            heights: BTreeMap::new(),
            refusals: Vec::new(),
            told: BTreeSet::new(),
            telling: telling.to_vec(),
            killed_agent: None,
            killed_validator: None,
            unwritten: 0,
        }
    }

    /// Takes in tasks that were submitted, each with its name for people.
    pub(super) fn submitted(&mut self, tasks: impl IntoIterator<Item = (TaskId, String)>) {
        for (id, name) in tasks {
            self.numbers.insert(id, self.tasks.len());
            self.tasks.push(TaskRecord {
                name,
                ..TaskRecord::default()
            });
        }
    }

    /// Returns the number of tasks that have ended, in whichever way.
    pub(super) fn ended(&self) -> usize {
        self.tasks
            .iter()
            .filter(|task| task.state.is_some())
            .count()
    }

    /// Checks whether every task that was submitted has ended.
    pub(super) fn is_over(&self) -> bool {
        self.ended() == self.tasks.len()
    }

    pub(super) fn task(&self, task: TaskId) -> Option<&TaskRecord> {
        self.tasks.get(*self.numbers.get(&task)?)
    }

    pub(super) fn name_of(&self, task: TaskId) -> &str {
        self.task(task).map_or("an unknown task", |task| &task.name)
    }

    /// Returns the milliseconds since the run began, when the clock started.
    pub(super) fn now(&self) -> u64 {
        self.clock.monotonic().0
    }

    pub(super) fn name(&self, key: &PublicKey) -> String {
        self.names.get(key).cloned().unwrap_or_else(|| key.short())
    }

    /// Returns the number of offers that were refused for a reason.
    pub(super) fn refused_for(&self, reason: Reason) -> u64 {
        self.refusals
            .iter()
            .filter(|refusal| refusal.code == reason.code())
            .count() as u64
    }

    /// Returns the greatest height that was decided; 0 if none was. Heights count from 1, so this
    /// is also their number.
    pub(super) fn greatest_height(&self) -> u64 {
        self.heights.keys().next_back().copied().unwrap_or(0)
    }

    /// Takes in a height that a validator committed. Only the first report of a height counts.
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

    /// Takes in what the operator's node learned from a verified certificate. Returns the lines
    /// that are worth telling.
    pub(super) fn learn(&mut self, event: &NodeEvent) -> Vec<String> {
        match event {
            NodeEvent::Awarded {
                task,
                token,
                certificate,
                ..
            } => self.awarded(*task, *token, certificate),

            NodeEvent::Accepted {
                task,
                token,
                certificate,
            } => {
                self.store(*task, &format!("{token}-accepted"), certificate);
                Vec::new()
            }

            NodeEvent::Returned {
                task,
                token,
                certificate,
            } => self.returned(*task, *token, certificate),

            NodeEvent::Completed {
                task,
                detail,
                certificate,
            } => {
                self.completed(*task, detail, certificate);
                Vec::new()
            }

            // Only a cancellation ends a task without a reason.
            NodeEvent::Failed {
                task,
                reason: None,
                certificate,
            } => {
                self.store(*task, "canceled", certificate);
                self.finish(*task, Ended::Canceled, TaskState::Canceled);
                Vec::new()
            }

            NodeEvent::Failed {
                task, certificate, ..
            } => self.failed(*task, certificate),

            _ => Vec::new(),
        }
    }

    fn awarded(
        &mut self,
        task: TaskId,
        token: FencingToken,
        certificate: &VerifiedCertificate,
    ) -> Vec<String> {
        let Some(certified) = certificate.assignment() else {
            return Vec::new();
        };

        let at_ms = self.awarded_at(&certified.agent);
        let name = self.name(&certified.agent);
        let file = self.store(task, &format!("{token}-assigned"), certificate);

        let Some(found) = self.find(task) else {
            return Vec::new();
        };

        let assignment = Assignment {
            agent: name.clone(),
            token: token.0,
            price: certified.price,
            at_ms,
            height: certificate.height(),
            certificate: file,
            ended: Ended::Held,
            ended_at_ms: None,
        };
        found.assign(assignment, certified.clone());

        match token.0 {
            // A first award is not worth a line.
            1 => Vec::new(),
            _ => vec![format!(
                "{} goes to {name} under token {token}",
                self.name_of(task)
            )],
        }
    }

    /// Returns when an award that becomes known now was made at the latest. It may become known
    /// only after its agent was killed while it worked on the task.
    fn awarded_at(&self, agent: &PublicKey) -> u64 {
        match self.killed_agent {
            Some((key, at)) if key == *agent => at,
            _ => self.now(),
        }
    }

    fn returned(
        &mut self,
        task: TaskId,
        token: FencingToken,
        certificate: &VerifiedCertificate,
    ) -> Vec<String> {
        self.store(task, &format!("{token}-returned"), certificate);
        // The receipt tells how the agent lost the task.
        let (ended, word) = match ending(certificate) {
            Some("lapse") => (Ended::Lapsed, "the lease lapsed"),
            Some("decline") => (Ended::Declined, "declined"),
            _ => (Ended::Failed, "given back"),
        };

        self.end(task, Some(token), ended);

        let name = self.name_of(task);
        let holder = self.holder(task);
        vec![format!("{name}: {word} ({holder}, token {token})")]
    }

    /// Returns the name of the agent that a task was last assigned to; empty if there is none.
    fn holder(&self, task: TaskId) -> String {
        let task = self.task(task);
        let certified = task.and_then(|task| task.certified.as_ref());
        certified.map_or_else(String::new, |certified| self.name(&certified.agent))
    }

    fn failed(&mut self, task: TaskId, certificate: &VerifiedCertificate) -> Vec<String> {
        self.store(task, "ended", certificate);
        self.finish(task, Ended::Failed, TaskState::Failed);
        vec![format!("{} ended without a completion", self.name_of(task))]
    }

    fn completed(&mut self, task: TaskId, detail: &[u8], certificate: &VerifiedCertificate) {
        self.store(task, "completed", certificate);
        self.finish(task, Ended::Completed, TaskState::Completed);
        if let Some(found) = self.find(task) {
            found.detail = Some(detail.to_vec());
        }
    }

    /// Takes in a refusal that an agent reported: keeps its certificate, and one entry for each
    /// offer. Returns the lines that are worth telling.
    pub(super) fn refused(
        &mut self,
        agent: &str,
        items: &[(Option<TaskId>, u16)],
        certificate: &str,
    ) -> Vec<String> {
        // One certificate covers all items of a refusal.
        let file = self.store_refusal(agent, certificate);
        let mut lines = Vec::new();
        for (task, code) in items {
            let Some(reason) = reason_of(*code) else {
                continue;
            };

            let name = task.map_or("the whole bid".to_owned(), |t| self.name_of(t).to_owned());
            lines.extend(self.tell(agent, &name, reason));

            let refusal = self.refusal(agent, name, reason, &file);
            self.refusals.push(refusal);
        }

        lines
    }

    fn refusal(&self, agent: &str, task: String, reason: Reason, certificate: &str) -> Refusal {
        Refusal {
            agent: agent.to_owned(),
            task,
            at_ms: self.now(),
            code: reason.code(),
            name: reason.name().to_owned(),
            text: reason.text().to_owned(),
            certificate: Some(certificate.to_owned()),
        }
    }

    /// Writes the certificate of a refusal, which is hexadecimal, into a file. Returns its name.
    fn store_refusal(&mut self, agent: &str, certificate: &str) -> String {
        let file = format!("refusal-{:03}-{agent}.cbor", self.refusals.len() + 1);
        let bytes = hex::decode(certificate).unwrap_or_default();
        self.write(&file, &bytes);
        file
    }

    /// Returns the line that tells a refusal; `None` if it is not worth telling, or if the same
    /// reason was told of this agent before.
    fn tell(&mut self, agent: &str, task: &str, reason: Reason) -> Option<String> {
        let new = self.told.insert((agent.to_owned(), reason));
        let text = reason.text();

        (new && self.telling.contains(&reason))
            .then(|| format!("{agent} bids on {task} and is refused: {text}"))
    }

    fn finish(&mut self, task: TaskId, ended: Ended, state: TaskState) {
        self.end(task, None, ended);
        if let Some(found) = self.find(task) {
            found.state = Some(state);
        }
    }

    /// Ends the assignment under `token` or, without a token, the newest one.
    fn end(&mut self, task: TaskId, token: Option<FencingToken>, ended: Ended) {
        let now = self.now();
        let Some(found) = self.find(task) else { return };
        let wanted = |a: &&mut Assignment| token.is_none_or(|token| a.token == token.0);
        if let Some(assignment) = found.assignments.iter_mut().rev().find(wanted) {
            assignment.ended = ended;
            assignment.ended_at_ms = Some(now);
        }
    }

    fn find(&mut self, task: TaskId) -> Option<&mut TaskRecord> {
        self.tasks.get_mut(*self.numbers.get(&task)?)
    }

    /// Writes a certificate into a file whose name tells the task and the event. Returns that name.
    fn store(&mut self, task: TaskId, what: &str, certificate: &VerifiedCertificate) -> String {
        let number = self.numbers.get(&task).map_or(0, |at| at + 1);
        let file = format!("task-{number:03}-{what}.cbor");
        self.write(&file, certificate.bytes());
        file
    }

    fn write(&mut self, file: &str, bytes: &[u8]) {
        if std::fs::write(self.folder.join(file), bytes).is_err() {
            self.unwritten += 1;
        }
    }
}

fn reason_of(code: u16) -> Option<Reason> {
    let mut all = Reason::ALL.iter().copied();
    all.find(|reason| reason.code() == code)
}

/// Returns the name of the operation that ended an assignment.
fn ending(certificate: &VerifiedCertificate) -> Option<&'static str> {
    certificate.operation_name()
}
