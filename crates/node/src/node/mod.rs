//! The node of an agent or requester: light client, agents and network on the tokio runtime.

mod drive;
mod waiting;

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use quorate_agent::{
    Agent, AgentRunner, CertificateVerifier, ClientConfig, ClientError, ClientEvent, DossierBundle,
    LightClient, StandingBids, Timer,
};
use quorate_certificate::{Policy, TrustRoot};
use quorate_network::{Multiaddr, Network, NetworkError};
use quorate_types::operation::{Pair, Solve};
use quorate_types::{Attestation, Genesis, Hash, Label, PublicKey, TaskId, TaskSpec};
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tracing::Instrument;

use crate::data_dir::{DataDir, DataDirError};
use crate::links::start_network;
use crate::task::TaskHandle;
use drive::{Command, Drive};

/// Something that a node learned. An event that holds a certificate was proved by it.
pub type NodeEvent = ClientEvent;

/// The entry point to a node: see [`Node::builder`].
#[derive(Debug)]
pub struct Node;

/// Builds the node of a folder, with its agents and its attestation.
pub struct NodeBuilder {
    data_dir: DataDir,
    agents: Vec<Box<dyn Agent>>,
    attestation: Option<Attestation>,
    withholds: bool,
}

/// The reason why a node does not start, or does not do as it is told.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// The folder of the node cannot be used.
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    /// The network did not start.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// A task, bid or solution is outside of the limits, or the client cannot make it.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The genesis gives no trust root.
    #[error("the genesis gives no trust root: {0}")]
    Trust(String),
    /// The node was stopped.
    #[error("the node was stopped")]
    Stopped,
}

/// A running node. Dropping the last handle stops it.
#[derive(Debug)]
pub struct NodeHandle {
    key: PublicKey,
    network: Network,
    commands: mpsc::Sender<Command>,
    events: broadcast::Sender<NodeEvent>,
    ready: watch::Receiver<bool>,
    task: JoinHandle<()>,
}

/// The number of commands that may wait for the node.
const COMMAND_QUEUE: usize = 256;
/// The number of events that are kept for a subscriber that is behind.
const EVENT_QUEUE: usize = 4096;

impl Node {
    /// Returns a builder for the node of the folder `data_dir`. The node takes its key, genesis,
    /// configuration and attestation from there when it starts.
    pub fn builder(data_dir: DataDir) -> NodeBuilder {
        NodeBuilder {
            data_dir,
            agents: Vec::new(),
            attestation: None,
            withholds: false,
        }
    }
}

impl NodeBuilder {
    /// Adds an agent. Each agent does one task at a time, so add one for each task that may run at
    /// the same time. All of them work under the node's key.
    pub fn agent(mut self, agent: impl Agent) -> Self {
        self.agents.push(Box::new(agent));
        self
    }

    /// Sets the attestation with which the node is admitted, instead of the one in the folder.
    pub fn attestation(mut self, attestation: Attestation) -> Self {
        self.attestation = Some(attestation);
        self
    }

    /// Makes the node never open its commitments in sealed markets, so that it defaults. Only a
    /// dishonest agent would do so; this is for tests and demonstrations of the consequences.
    pub fn withhold_openings(mut self) -> Self {
        self.withholds = true;
        self
    }

    /// Starts the node on the current tokio runtime.
    ///
    /// # Errors
    /// [`NodeError`], which names the file and what is wrong with it.
    pub async fn start(self) -> Result<NodeHandle, NodeError> {
        let genesis = self.data_dir.genesis()?;
        let key = self.data_dir.key()?;
        let config = self.data_dir.config()?;

        let swarm = genesis.swarm_id();
        let (network, network_events) = start_network(&config, &key, &swarm)?;
        dial_boot_peers(&network, config.boot).await?;

        let verifier = verifier_of(&genesis)?;
        let client = self.client_config(&genesis)?;

        let public = key.public_key();
        let (commands, receiver) = mpsc::channel(COMMAND_QUEUE);
        // Subscribers come later, so the first receiver is not kept.
        let (events, _) = broadcast::channel(EVENT_QUEUE);
        let (known, ready) = watch::channel(false);

        let links = drive::Links {
            network: network.clone(),
            events: network_events,
            validators: genesis.validators,
            swarm,
        };
        let drive = Drive::new(
            links,
            LightClient::new(client, key, Box::new(verifier)),
            AgentRunner::new(self.agents, Arc::new(TokioTimer)),
            events.clone(),
            known,
        );
        let span = tracing::warn_span!(parent: None, "node", key = %public.short());
        let task = tokio::spawn(drive.run(receiver).instrument(span));

        Ok(NodeHandle {
            key: public,
            network,
            commands,
            events,
            ready,
            task,
        })
    }

    /// Returns the configuration of the node's light client.
    fn client_config(&self, genesis: &Genesis) -> Result<ClientConfig, NodeError> {
        let mut client = ClientConfig::new(genesis);
        client.withholds = self.withholds;
        // An attestation that was given to the builder goes before the one in the folder.
        client.attestation = match &self.attestation {
            Some(attestation) => Some(attestation.clone()),
            None => self.data_dir.attestation()?,
        };

        Ok(client)
    }
}

/// Dials the peers that the configuration names.
async fn dial_boot_peers(network: &Network, boot: Vec<Multiaddr>) -> Result<(), NodeError> {
    for address in boot {
        network
            .dial(address)
            .await
            .map_err(|_| NodeError::Stopped)?;
    }

    Ok(())
}

/// Returns a verifier of certificates that trusts the genesis.
fn verifier_of(genesis: &Genesis) -> Result<CertificateVerifier, NodeError> {
    let root =
        TrustRoot::from_genesis(genesis).map_err(|error| NodeError::Trust(error.to_string()))?;
    Ok(CertificateVerifier::new(root, Policy::default()))
}

impl NodeHandle {
    /// Returns the node's key. For a requester, it is the first half of the names of its tasks.
    pub fn public_key(&self) -> PublicKey {
        self.key
    }

    /// Waits until the swarm knows this node: from then on its bids and tasks count.
    ///
    /// # Errors
    /// [`NodeError::Stopped`] if the node is stopped before.
    pub async fn ready(&self) -> Result<(), NodeError> {
        let mut ready = self.ready.clone();
        ready
            .wait_for(|ready| *ready)
            .await
            .map_err(|_| NodeError::Stopped)?;
        Ok(())
    }

    /// Submits a task. Waits until the swarm knows this node.
    ///
    /// # Errors
    /// [`NodeError::Client`] if the task is outside of the limits, [`NodeError::Stopped`] if the
    /// node was stopped.
    pub async fn submit(&self, spec: TaskSpec) -> Result<TaskHandle, NodeError> {
        self.submit_all(vec![spec])
            .await?
            .pop()
            .ok_or(NodeError::Stopped)
    }

    /// Submits tasks in as few operations as the limits allow, and returns one handle for each, in
    /// the same order. Waits until the swarm knows this node.
    ///
    /// # Errors
    /// The errors of [`Self::submit`]; no task is submitted then.
    pub async fn submit_all(&self, specs: Vec<TaskSpec>) -> Result<Vec<TaskHandle>, NodeError> {
        let (reply, answer) = oneshot::channel();
        self.command(Command::Submit { specs, reply }).await?;
        Ok(answer.await.map_err(|_| NodeError::Stopped)??)
    }

    /// Cancels a task that this node submitted.
    ///
    /// # Errors
    /// [`NodeError::Stopped`] if the node was stopped.
    pub async fn cancel(&self, task: TaskId) -> Result<(), NodeError> {
        self.command(Command::Cancel(task)).await
    }

    /// Fetches the dossier of a clearing: all inputs of its auction. The clearing is named by the
    /// hash of its record, as in assignments. Validators are asked one after the other, and an
    /// answer is checked against the hash. Returns `None` if none of them has the dossier any more,
    /// since they keep only recent ones. The future does not borrow the handle, and does not keep
    /// the node running.
    ///
    /// # Errors
    /// [`NodeError::Stopped`] if the node was stopped.
    pub fn dossier(
        &self,
        clearing: Hash,
    ) -> impl Future<Output = Result<Option<Arc<DossierBundle>>, NodeError>> + Send + use<> {
        let (reply, answer) = oneshot::channel();
        ask(
            self.commands.downgrade(),
            Command::Dossier { clearing, reply },
            answer,
        )
    }

    /// Fetches the problem to be solved in a window that takes solutions ([`NodeEvent::Solve`]):
    /// its tasks, bidders, bids, and the solutions that are kept. The answer is the word of one
    /// validator and proves nothing; if it is false, the solution made from it is refused. Returns
    /// `None` if no validator in reach has an answer, because the window is over or does not take
    /// solutions yet. The future does not borrow the handle, and does not keep the node running.
    ///
    /// # Errors
    /// [`NodeError::Stopped`] if the node was stopped.
    pub fn standing_bids(
        &self,
        market: Label,
        window: u64,
    ) -> impl Future<Output = Result<Option<Arc<StandingBids>>, NodeError>> + Send + use<> {
        let (reply, answer) = oneshot::channel();
        let command = Command::StandingBids {
            market,
            window,
            reply,
        };
        ask(self.commands.downgrade(), command, answer)
    }

    /// Proposes a solution, pairs of task and winner in any order, for a window that takes
    /// solutions. Success does not mean that the swarm takes the solution: a [`NodeEvent::Refused`]
    /// tells if it does not, and the record of the clearing names the best solution. Waits until
    /// the swarm knows this node.
    ///
    /// # Errors
    /// [`NodeError::Client`] if there are too many pairs, two for one task, or none;
    /// [`NodeError::Stopped`] if the node was stopped.
    pub async fn solve(
        &self,
        market: Label,
        window: u64,
        pairs: Vec<Pair>,
    ) -> Result<(), NodeError> {
        let (reply, answer) = oneshot::channel();
        let solve = Solve {
            market,
            window,
            pairs,
        };

        self.command(Command::Solve { solve, reply }).await?;
        Ok(answer.await.map_err(|_| NodeError::Stopped)??)
    }

    /// Subscribes to the events that the node learns from now on.
    pub fn subscribe(&self) -> broadcast::Receiver<NodeEvent> {
        self.events.subscribe()
    }

    /// Returns the keys of the peers that are connected now.
    pub fn peers(&self) -> Vec<PublicKey> {
        self.network.peers().into_iter().map(PublicKey).collect()
    }

    /// Stops the node and closes its sockets.
    pub async fn shutdown(self) {
        drop(self.commands);
        // The task ends when its commands are closed. If an agent panicked, it has ended before.
        let _ = self.task.await;
        self.network.shutdown().await;
    }

    async fn command(&self, command: Command) -> Result<(), NodeError> {
        self.commands
            .send(command)
            .await
            .map_err(|_| NodeError::Stopped)
    }
}

/// Sends a command and waits for its answer, without keeping the node running.
async fn ask<T>(
    commands: mpsc::WeakSender<Command>,
    command: Command,
    answer: oneshot::Receiver<T>,
) -> Result<T, NodeError> {
    let commands = commands.upgrade().ok_or(NodeError::Stopped)?;
    let sent = commands.send(command).await;
    // The node stops when the last sender is dropped, so none is held during the wait.
    drop(commands);
    sent.map_err(|_| NodeError::Stopped)?;
    answer.await.map_err(|_| NodeError::Stopped)
}

impl std::fmt::Debug for NodeBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NodeBuilder")
            .field("data_dir", &self.data_dir)
            .field("agents", &self.agents.len())
            .finish_non_exhaustive()
    }
}

/// The timer of agents, which runs on tokio's clock.
struct TokioTimer;

impl Timer for TokioTimer {
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        tokio::time::sleep(duration).boxed()
    }
}
