//! Follows submitted tasks to their end, and keeps their certificates and dossiers.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use quorate_certificate::VerifiedCertificate;
use quorate_node::{
    DossierBundle, NodeError, NodeEvent, NodeHandle, Receipt, TaskFailure, TaskHandle,
};
use quorate_types::{FencingToken, Genesis, Hash, Reason, TaskId, TaskSpec, UnixMillis};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::task::JoinSet;

use super::progress::SubmitEvent;
use crate::dossiers;
use crate::output::say;
use crate::values::unix_now;

/// The state of one submission while it is followed.
pub(super) struct Follow<'a> {
    node: &'a NodeHandle,
    genesis: &'a Genesis,
    /// Folder for the certificates and dossiers.
    out: PathBuf,
    json: bool,
    /// Unix time of the start. Refusals before it concern earlier submissions of this key.
    started: UnixMillis,
    /// Whether the swarm knows the key.
    known: bool,
    unfinished: BTreeSet<TaskId>,
    awarded: BTreeSet<(TaskId, FencingToken)>,
    /// Clearings whose dossiers are stored already or are being fetched.
    clearings: BTreeSet<Hash>,
    dossiers: JoinSet<Fetched>,
    failed: usize,
}

/// The end of one task, with its last award if there was one.
struct End {
    task: TaskId,
    award: Option<VerifiedCertificate>,
    result: Result<Receipt, TaskFailure>,
}

/// The answer to a request for the dossier of a clearing.
struct Fetched {
    clearing: Hash,
    dossier: Result<Option<Arc<DossierBundle>>, NodeError>,
}

/// How long to wait for dossiers that are still being fetched when all tasks have ended.
const DOSSIER_LIMIT: Duration = Duration::from_secs(5);

/// How long to wait for the award of a completed task. It is known already, or comes with the next
/// certificates.
const AWARD_LIMIT: Duration = Duration::from_secs(2);

impl<'a> Follow<'a> {
    /// Makes a follower that keeps certificates in the folder `out`. It prints JSON lines if `json`
    /// is set, otherwise words.
    pub(super) fn new(
        node: &'a NodeHandle,
        genesis: &'a Genesis,
        out: PathBuf,
        json: bool,
    ) -> Self {
        Self {
            node,
            genesis,
            out,
            json,
            started: unix_now(),
            known: false,
            unfinished: BTreeSet::new(),
            awarded: BTreeSet::new(),
            clearings: BTreeSet::new(),
            dossiers: JoinSet::new(),
            failed: 0,
        }
    }

    /// Submits the tasks and waits for the end of each. Returns whether all were done.
    ///
    /// # Errors
    /// If the whole submission is refused, or a file cannot be written.
    pub(super) async fn run(mut self, specs: Vec<TaskSpec>, limit: Duration) -> Result<bool> {
        let count = specs.len();
        let ended = tokio::time::timeout(limit, self.follow(specs)).await;

        // A dossier that does not come is not a failure of the tasks.
        let _ = tokio::time::timeout(DOSSIER_LIMIT, self.await_dossiers()).await;

        if let Ok(ended) = ended {
            ended?;
            return Ok(self.failed == 0);
        }

        let unfinished = if self.known {
            self.unfinished.len()
        } else {
            count
        };

        self.tell(&SubmitEvent::TimedOut {
            unfinished,
            hint: self.hint(),
        })?;

        Ok(false)
    }

    async fn follow(&mut self, specs: Vec<TaskSpec>) -> Result<()> {
        let mut events = self.node.subscribe();
        let handles = self.submit(specs, &mut events).await?;
        self.known = true;

        let mut ends = JoinSet::new();
        for handle in handles {
            self.tell(&SubmitEvent::Submitted {
                task: handle.id().to_string(),
            })?;
            self.unfinished.insert(handle.id());
            ends.spawn(end_of(handle));
        }

        while !self.unfinished.is_empty() {
            tokio::select! {
                Some(end) = ends.join_next() => self.on_end(end?)?,
                Some(fetched) = self.dossiers.join_next() => self.on_dossier(fetched?)?,
                event = events.recv() => self.on_event(event)?,
            }
        }

        Ok(())
    }

    /// Submits the tasks. Meanwhile the swarm may refuse the submission, or get to know the key.
    async fn submit(
        &mut self,
        specs: Vec<TaskSpec>,
        events: &mut Receiver<NodeEvent>,
    ) -> Result<Vec<TaskHandle>> {
        let node = self.node;
        let mut submission = std::pin::pin!(node.submit_all(specs));

        loop {
            tokio::select! {
                handles = &mut submission => return Ok(handles?),
                event = events.recv() => self.on_event(event)?,
            }
        }
    }

    fn on_event(&mut self, event: Result<NodeEvent, RecvError>) -> Result<()> {
        match event {
            Ok(NodeEvent::Ready) => self.known = true,

            Ok(NodeEvent::Awarded {
                task, certificate, ..
            }) if self.unfinished.contains(&task) => {
                self.on_award(&certificate)?;
            }

            Ok(NodeEvent::Refused {
                items, certificate, ..
            }) => {
                // The node reports refusals from before this submission too.
                if certificate.block_time() >= self.started {
                    self.on_refusal(&items)?;
                }
            }

            // An award that was missed is made up for at the end of its task.
            Ok(_) | Err(RecvError::Lagged(_)) => {}
            Err(RecvError::Closed) => bail!("the node was stopped"),
        }

        Ok(())
    }

    fn on_refusal(&self, items: &[(Option<TaskId>, Reason)]) -> Result<()> {
        for (task, reason) in items {
            let explanation = reason.text();
            self.tell(&SubmitEvent::Refused {
                reason: reason.name(),
                explanation,
            })?;

            // A refusal that names no task is one of the whole operation.
            if task.is_none() {
                bail!("the swarm refused the submission: {explanation}");
            }
        }

        Ok(())
    }

    fn on_award(&mut self, certificate: &VerifiedCertificate) -> Result<()> {
        let Some(assignment) = certificate.assignment() else {
            return Ok(());
        };

        // An award can come as an event and once more at the end of its task.
        if !self.awarded.insert((assignment.task, assignment.token)) {
            return Ok(());
        }

        let clearing = assignment.clearing;
        // Tasks that were auctioned together share a dossier.
        if self.clearings.insert(clearing) {
            self.fetch_dossier(clearing);
        }

        let name = format!("award-{}", assignment.token);
        self.tell(&SubmitEvent::Awarded {
            task: assignment.task.to_string(),
            agent: assignment.agent,
            price: assignment.price,
            token: assignment.token,
            certificate: self.store(&assignment.task, &name, certificate.bytes())?,
        })
    }

    fn fetch_dossier(&mut self, clearing: Hash) {
        let dossier = self.node.dossier(clearing);
        self.dossiers.spawn(async move {
            Fetched {
                clearing,
                dossier: dossier.await,
            }
        });
    }

    async fn await_dossiers(&mut self) -> Result<()> {
        while let Some(fetched) = self.dossiers.join_next().await {
            self.on_dossier(fetched?)?;
        }
        Ok(())
    }

    fn on_dossier(&self, fetched: Fetched) -> Result<()> {
        let clearing = fetched.clearing;
        let dossier = match fetched.dossier? {
            Some(bundle) => Some(dossiers::keep(&self.out, &clearing, &bundle)?),
            None => None,
        };

        self.tell(&SubmitEvent::Dossier { clearing, dossier })
    }

    fn on_end(&mut self, end: End) -> Result<()> {
        // The event of the award may have been missed.
        if let Some(certificate) = end.award {
            self.on_award(&certificate)?;
        }

        self.unfinished.remove(&end.task);

        match end.result {
            Ok(receipt) => self.on_completion(&end.task, receipt),
            Err(failure) => self.on_failure(&end.task, &failure),
        }
    }

    fn on_completion(&self, task: &TaskId, receipt: Receipt) -> Result<()> {
        let detail = receipt.detail;

        self.tell(&SubmitEvent::Completed {
            task: task.to_string(),
            detail_hex: detail.iter().map(|byte| format!("{byte:02x}")).collect(),
            detail: String::from_utf8(detail).ok(),
            certificate: self.store(task, "completion", receipt.certificate.bytes())?,
        })
    }

    fn on_failure(&mut self, task: &TaskId, failure: &TaskFailure) -> Result<()> {
        self.failed += 1;

        let reason = match failure {
            TaskFailure::Ended { reason, .. } => (*reason).to_owned(),
            TaskFailure::Stopped => failure.to_string(),
        };

        self.tell(&SubmitEvent::Failed {
            task: task.to_string(),
            reason,
        })
    }

    fn store(&self, task: &TaskId, what: &str, bytes: &[u8]) -> Result<PathBuf> {
        let name = format!("{}-{}-{what}.cbor", task.requester.short(), task.number);
        let path = self.out.join(name);
        std::fs::write(&path, bytes).with_context(|| path.display().to_string())?;

        Ok(path)
    }

    fn tell(&self, progress: &SubmitEvent) -> Result<()> {
        match self.json {
            true => say(serde_json::to_string(progress)?),
            false => say(progress.to_string()),
        }
    }

    /// A hint at which step the submission is stuck, for whoever can do something about it.
    fn hint(&self) -> String {
        let set = &self.genesis.validators;
        let peers = self.node.peers();

        let connected: Vec<_> = peers.iter().filter(|key| set.get(key).is_some()).collect();
        let links = format!(
            "connected to {} of {} validators",
            connected.len(),
            set.len()
        );

        // A client believes only what validators with more than a third of the power tell it.
        if !set.exceeds_one_third(set.power_of(connected)) {
            format!("{links}, too few to be believed; check `boot` in node.toml")
        } else if !self.known {
            format!("{links}, but they do not admit this key; is its attestation in force?")
        } else if self.awarded.is_empty() {
            format!("{links}; nothing was awarded: is there an agent that can bid on the tasks?")
        } else {
            format!("{links}; the agents have not finished yet")
        }
    }
}

/// Waits for the end of a task, and then a while for its award.
async fn end_of(handle: TaskHandle) -> End {
    let result = handle.completed().await;
    let award = tokio::time::timeout(AWARD_LIMIT, handle.awarded()).await;
    End {
        task: handle.id(),
        award: award.ok().and_then(Result::ok),
        result,
    }
}
