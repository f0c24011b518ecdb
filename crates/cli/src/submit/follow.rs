//! Follows submitted tasks to their end, and keeps their certificates and dossiers.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use quorate_certificate::VerifiedCertificate;
use quorate_console::say;
use quorate_node::{
    DossierBundle, NodeError, NodeEvent, NodeHandle, Receipt, TaskEvent, TaskFailure, TaskHandle,
    store_dossier,
};
use quorate_types::{Genesis, Hash, Reason, TaskId, TaskSpec, UnixMillis};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::progress::SubmitEvent;
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
    /// Whether any task was awarded.
    awarded: bool,
    /// Clearings whose dossiers are stored already or are being fetched.
    clearings: BTreeSet<Hash>,
    dossiers: JoinSet<Fetched>,
    failed: usize,
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
            awarded: false,
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

        let (sender, mut news) = mpsc::unbounded_channel();
        for handle in handles {
            self.tell(&SubmitEvent::Submitted {
                task: handle.id().to_string(),
            })?;
            self.unfinished.insert(handle.id());
            tokio::spawn(pass_on(handle, sender.clone()));
        }

        while !self.unfinished.is_empty() {
            tokio::select! {
                Some((task, event)) = news.recv() => self.on_progress(task, event)?,
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

            Ok(NodeEvent::Refused {
                items, certificate, ..
            }) => {
                // The node reports refusals from before this submission too.
                if certificate.block_time() >= self.started {
                    self.on_refusal(&items)?;
                }
            }

            // The handles tell of the tasks.
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

        self.awarded = true;

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
            Some(bundle) => Some(store_dossier(&self.out, &clearing, &bundle)?),
            None => None,
        };

        self.tell(&SubmitEvent::Dossier { clearing, dossier })
    }

    fn on_progress(&mut self, task: TaskId, event: TaskEvent) -> Result<()> {
        match event {
            TaskEvent::Awarded(certificate) => self.on_award(&certificate),
            TaskEvent::Completed(receipt) => {
                self.unfinished.remove(&task);
                self.on_completion(&task, receipt)
            }
            TaskEvent::Failed(failure) => {
                self.unfinished.remove(&task);
                self.on_failure(&task, &failure)
            }
            TaskEvent::Accepted(_) | TaskEvent::Returned(_) => Ok(()),
        }
    }

    fn on_completion(&self, task: &TaskId, receipt: Receipt) -> Result<()> {
        let detail = receipt.detail;

        self.tell(&SubmitEvent::Completed {
            task: task.to_string(),
            detail_hex: hex::encode(&detail),
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
        } else if !self.awarded {
            format!("{links}; nothing was awarded: is there an agent that can bid on the tasks?")
        } else {
            format!("{links}; the agents have not finished yet")
        }
    }
}

/// Passes on what happens to a task, until its end. An award that became known after the completion
/// goes before it.
async fn pass_on(mut handle: TaskHandle, news: mpsc::UnboundedSender<(TaskId, TaskEvent)>) {
    let task = handle.id();
    let mut awarded = false;

    loop {
        let stopped = TaskEvent::Failed(TaskFailure::Stopped);
        let event = handle.next().await.unwrap_or(stopped);
        awarded |= matches!(event, TaskEvent::Awarded(_));

        if matches!(event, TaskEvent::Completed(_)) && !awarded {
            let award = tokio::time::timeout(AWARD_LIMIT, award_of(&mut handle)).await;
            if let Ok(Some(award)) = award {
                let _ = news.send((task, award));
            }
        }

        let is_over = matches!(event, TaskEvent::Completed(_) | TaskEvent::Failed(_));
        // The follower is gone if time ran out.
        if news.send((task, event)).is_err() || is_over {
            return;
        }
    }
}

/// Waits for the next award of a task.
async fn award_of(handle: &mut TaskHandle) -> Option<TaskEvent> {
    loop {
        let event = handle.next().await?;
        if matches!(event, TaskEvent::Awarded(_)) {
            return Some(event);
        }
    }
}
