//! An agent or requester as a process part: light client, agents and network on the runtime.

mod drive;

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use quorate_agent::{
    Agent, AgentRunner, CertificateVerifier, ClientConfig, ClientError, DossierBundle, Event,
    LightClient, StandingBids, Timer,
};
use quorate_certificate::{Policy, TrustRoot};
use quorate_network::{Network, NetworkConfig, NetworkError};
use quorate_types::operation::{Pair, Solve};
use quorate_types::{Attestation, Hash, Label, PublicKey, TaskId, TaskSpec};
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio::task::JoinHandle;

use crate::home::{Home, HomeError};
use crate::task::TaskHandle;
use crate::validator::protocol_name;
use drive::{Command, Drive};

/// What a node learned; what names a certificate was proved by it.
pub type NodeEvent = Event;

/// Where a node begins: [`Node::builder`].
#[derive(Debug)]
pub struct Node;

/// Puts a node together.
pub struct NodeBuilder {
    home: Home,
    agents: Vec<Box<dyn Agent>>,
    attestation: Option<Attestation>,
    withholds: bool,
}

/// Why a node does not start, or does not do as told.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// Its folder.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// Its network.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// A task, bid or solution that is out of the limits.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The genesis gives no trust root.
    #[error("the genesis: {0}")]
    Trust(String),
    /// It was stopped.
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

/// Commands that wait at most.
const COMMAND_QUEUE: usize = 256;
/// Events kept for a subscriber that is behind.
const EVENT_QUEUE: usize = 4096;

impl Node {
    /// A node of the folder `home`: its key, genesis, configuration and attestation.
    pub fn builder(home: Home) -> NodeBuilder {
        NodeBuilder {
            home,
            agents: Vec::new(),
            attestation: None,
            withholds: false,
        }
    }
}

impl NodeBuilder {
    /// Adds an agent: one for each task it may do at a time. All work under the node's key.
    pub fn agent(mut self, agent: impl Agent) -> Self {
        self.agents.push(Box::new(agent));
        self
    }

    /// The attestation it is admitted with, instead of the one in the folder.
    pub fn attestation(mut self, attestation: Attestation) -> Self {
        self.attestation = Some(attestation);
        self
    }

    /// Has it never open what it committed to in sealed markets, and so default: what a dishonest
    /// agent does, for tests and demonstrations of what becomes of it.
    pub fn withhold_openings(mut self) -> Self {
        self.withholds = true;
        self
    }

    /// Starts it on the current tokio runtime.
    ///
    /// # Errors
    /// [`NodeError`] naming the file, or what is wrong with it.
    pub async fn start(self) -> Result<NodeHandle, NodeError> {
        let home = &self.home;
        let (genesis, key, config) = (home.genesis()?, home.key()?, home.config()?);
        let swarm = genesis.swarm_id();
        let mut settings = NetworkConfig::new(*key.seed(), protocol_name(&swarm));
        settings.listen = config.listen.clone();
        settings.mdns = config.mdns;
        let (network, network_events) = quorate_network::start(settings)?;
        for address in &config.boot {
            network
                .dial(address.clone())
                .await
                .map_err(|_| NodeError::Stopped)?;
        }
        let root = TrustRoot::from_genesis(&genesis)
            .map_err(|error| NodeError::Trust(error.to_string()))?;
        let verifier = CertificateVerifier::new(root, Policy::default());
        let mut client = ClientConfig::new(&genesis);
        client.withholds = self.withholds;
        client.attestation = match self.attestation {
            Some(attestation) => Some(attestation),
            None => home.attestation()?,
        };
        let public = key.public_key();
        let (commands, receiver) = mpsc::channel(COMMAND_QUEUE);
        let (events, _) = broadcast::channel(EVENT_QUEUE);
        let (known, ready) = watch::channel(false);
        let drive = Drive::new(
            drive::Links {
                network: network.clone(),
                events: network_events,
                validators: genesis.validators,
                swarm,
            },
            LightClient::new(client, key, Box::new(verifier)),
            AgentRunner::new(self.agents, Arc::new(TokioTimer)),
            events.clone(),
            known,
        );
        let task = tokio::spawn(drive.run(receiver));
        Ok(NodeHandle {
            key: public,
            network,
            commands,
            events,
            ready,
            task,
        })
    }
}

impl NodeHandle {
    /// Its key: as a requester, the first half of its tasks' names.
    pub fn public_key(&self) -> PublicKey {
        self.key
    }

    /// Waits until the swarm knows this node: from then on its bids and tasks count.
    ///
    /// # Errors
    /// [`NodeError::Stopped`].
    pub async fn ready(&self) -> Result<(), NodeError> {
        let mut ready = self.ready.clone();
        ready
            .wait_for(|ready| *ready)
            .await
            .map_err(|_| NodeError::Stopped)?;
        Ok(())
    }

    /// Submits a task.
    ///
    /// # Errors
    /// [`NodeError::Client`] where it is out of the limits, [`NodeError::Stopped`].
    pub async fn submit(&self, spec: TaskSpec) -> Result<TaskHandle, NodeError> {
        self.submit_all(vec![spec])
            .await?
            .pop()
            .ok_or(NodeError::Stopped)
    }

    /// Submits tasks in as few operations as limits allow; one handle for each, in order. Waits
    /// until the swarm knows this node.
    ///
    /// # Errors
    /// As [`Self::submit`]; then none is submitted.
    pub async fn submit_all(&self, specs: Vec<TaskSpec>) -> Result<Vec<TaskHandle>, NodeError> {
        let (reply, answer) = oneshot::channel();
        self.command(Command::Submit { specs, reply }).await?;
        Ok(answer.await.map_err(|_| NodeError::Stopped)??)
    }

    /// Cancels a task that this node submitted.
    ///
    /// # Errors
    /// [`NodeError::Stopped`].
    pub async fn cancel(&self, task: TaskId) -> Result<(), NodeError> {
        self.command(Command::Cancel(task)).await
    }

    /// The dossier of a clearing, by the hash of its record as assignments name it: all that the
    /// auction followed from. Validators are asked one after the other; what comes was checked
    /// against the hash. `None` where none of them keeps it any more: they keep recent ones only.
    /// The future does not borrow the handle, and does not keep the node running.
    ///
    /// # Errors
    /// [`NodeError::Stopped`].
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

    /// What is to be solved in a window that takes solutions ([`NodeEvent::Solve`]): tasks,
    /// bidders, bids, and the solutions that are kept. One validator's word, which proves nothing:
    /// a false one costs a solution that is refused. `None` where no validator in reach has them:
    /// the window is over, or has not come so far. The future does not borrow the handle, and does
    /// not keep the node running.
    ///
    /// # Errors
    /// [`NodeError::Stopped`].
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

    /// Proposes who should win what in a window that takes solutions, in any order. That the swarm
    /// takes it is not said: a [`NodeEvent::Refused`] says that it does not, and the clearing's
    /// record names the solution that was the best. Waits until the swarm knows this node.
    ///
    /// # Errors
    /// [`NodeError::Client`] where pairs are too many, two for one task, or none;
    /// [`NodeError::Stopped`].
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

    /// What it learns from now on.
    pub fn subscribe(&self) -> broadcast::Receiver<NodeEvent> {
        self.events.subscribe()
    }

    /// Keys it is connected with now.
    pub fn peers(&self) -> Vec<PublicKey> {
        self.network.peers().into_iter().map(PublicKey).collect()
    }

    /// Stops it and closes its sockets.
    pub async fn shutdown(self) {
        drop(self.commands);
        // It ends when its commands are closed; a panic in an agent has ended it before.
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

/// Asks a node without keeping it running.
async fn ask<T>(
    commands: mpsc::WeakSender<Command>,
    command: Command,
    answer: oneshot::Receiver<T>,
) -> Result<T, NodeError> {
    let commands = commands.upgrade().ok_or(NodeError::Stopped)?;
    let sent = commands.send(command).await;
    drop(commands);
    sent.map_err(|_| NodeError::Stopped)?;
    answer.await.map_err(|_| NodeError::Stopped)
}

impl std::fmt::Debug for NodeBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NodeBuilder")
            .field("home", &self.home)
            .field("agents", &self.agents.len())
            .finish_non_exhaustive()
    }
}

/// Real time for agents.
struct TokioTimer;

impl Timer for TokioTimer {
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        tokio::time::sleep(duration).boxed()
    }
}
