//! The load: agents that submit operations and go on as these are committed.
//!
//! They are keys of this process, over one link to each validator, and learn what was committed
//! from the first validator's own words: what light clients do to be sure of it (`quorate-agent`)
//! is their cost and not the committee's.

mod agent;
mod market;
pub(super) mod stamp;

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use quorate_crypto::SecretKey;
use quorate_network::{Bytes, Lane, Multiaddr, Network, NetworkConfig, NetworkEvent};
use quorate_node::protocol_name;
use quorate_types::PublicKey;
use quorate_types::message::{ClientRequest, Request};
use quorate_types::{SignedOperation, cbor};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::Args;
use super::sample::Progress;
use super::stage::Stage;
use agent::{Agent, Say};
use market::Market;

/// How long connecting, and admitting all agents, may take.
const START_LIMIT: Duration = Duration::from_secs(60);
/// Between two looks at what is due at a given rate.
const TICK: Duration = Duration::from_millis(1);
/// What is not committed for so long is sent again, to everybody.
const RESEND_AFTER: Duration = Duration::from_secs(1);

/// A load under way; dropping it ends it.
pub(super) struct Load {
    network: Network,
    task: JoinHandle<()>,
}

impl Load {
    /// Connects with the validators, has all agents admitted, and begins.
    pub(super) async fn start(
        args: &Args,
        stage: &Stage,
        validators: &[(PublicKey, Multiaddr)],
        heights: mpsc::UnboundedReceiver<Progress>,
    ) -> Result<Self> {
        let network = connect(stage, validators).await?;
        let (admitted, all_admitted) = oneshot::channel();
        let generator = Generator::new(args, stage, validators, network.clone())?;
        let task = tokio::spawn(generator.run(heights, admitted));
        let load = Self { network, task };
        tokio::time::timeout(START_LIMIT, all_admitted)
            .await
            .context("the agents were not admitted in time")??;
        Ok(load)
    }

    /// Ends it and closes its links.
    pub(super) async fn stop(self) {
        self.task.abort();
        self.network.shutdown().await;
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// An endpoint of its own, connected with all validators.
async fn connect(stage: &Stage, validators: &[(PublicKey, Multiaddr)]) -> Result<Network> {
    let key = SecretKey::generate().context("the system gives no randomness")?;
    let name = protocol_name(&stage.genesis.swarm_id());
    let (network, mut events) = quorate_network::start(NetworkConfig::new(*key.seed(), name))?;
    for (_, address) in validators {
        network.dial(address.clone()).await?;
    }
    let connected = async {
        while network.peers().len() < validators.len() {
            if events.recv().await.is_none() {
                bail!("the network stopped");
            }
        }
        Ok(())
    };
    tokio::time::timeout(START_LIMIT, connected)
        .await
        .context("a validator does not let the load connect")??;
    tokio::spawn(async move {
        // Answers are taken so that nobody is held up; what matters is said again.
        while let Some(event) = events.recv().await {
            if let NetworkEvent::Disconnected(_) = event {
                tracing::warn!("a validator has closed its link to the load");
            }
        }
    });
    Ok(network)
}

/// What drives the agents.
struct Generator {
    network: Network,
    /// All live validators.
    targets: Vec<PublicKey>,
    /// How many of them get each operation: more than a third of the committee.
    copies: usize,
    agents: Vec<Agent>,
    by_key: BTreeMap<PublicKey, usize>,
    market: Market,
    /// Tasks per second; 0 for the closed loop.
    rate: u64,
    requests: u64,
}

impl Generator {
    fn new(
        args: &Args,
        stage: &Stage,
        validators: &[(PublicKey, Multiaddr)],
        network: Network,
    ) -> Result<Self> {
        let mut agents = Vec::new();
        for _ in 0..args.agents {
            let key = SecretKey::generate().context("the system gives no randomness")?;
            let mut agent = Agent::new(key, stage.genesis.swarm_id());
            agent.say(Say::Admit(Box::new(stage.attest(agent.key()))));
            agents.push(agent);
        }
        let by_key = agents
            .iter()
            .enumerate()
            .map(|(at, agent)| (agent.key(), at))
            .collect();
        let copies = usize::try_from(args.validators / 3 + 1)?;
        let market = Market::new(args, stage, &agents)?;
        Ok(Self {
            network,
            targets: validators.iter().map(|(key, _)| *key).collect(),
            copies,
            agents,
            by_key,
            market,
            rate: args.rate,
            requests: 0,
        })
    }

    async fn run(
        mut self,
        mut heights: mpsc::UnboundedReceiver<Progress>,
        admitted: oneshot::Sender<()>,
    ) {
        let mut admitted = Some(admitted);
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let mut resend = interval(RESEND_AFTER);
        let (mut started, mut submitted) = (Instant::now(), 0);
        self.send_all();
        loop {
            tokio::select! {
                progress = heights.recv() => match progress {
                    Some(progress) => self.on_height(&progress),
                    None => return,
                },
                _ = tick.tick(), if self.rate > 0 && admitted.is_none() => {
                    self.submit_due(started, &mut submitted);
                }
                _ = resend.tick() => self.resend(),
            }
            if admitted.is_some() && self.agents.iter().all(Agent::is_admitted) {
                started = Instant::now();
                self.fill();
                // Nobody waits any more when the measurement was given up.
                admitted.take().map(|tell| tell.send(()));
            }
            self.send_all();
        }
    }

    fn on_height(&mut self, progress: &Progress) {
        for (key, next) in &progress.next {
            let Some(&at) = self.by_key.get(key) else {
                continue;
            };
            let settled = self.agents.get_mut(at).map(|agent| agent.settle(*next));
            for said in settled.into_iter().flatten() {
                self.market.on_settled(at, &said);
            }
        }
        for (task, token, agent) in &progress.assigned {
            self.market.on_assigned(task);
            let at = self.by_key.get(agent);
            if let Some(agent) = at.and_then(|at| self.agents.get_mut(*at)) {
                agent.say(Say::Accept(*task, *token));
                agent.say(Say::Complete(*task, *token));
            }
        }
        if progress.cleared {
            self.market.on_cleared();
        }
        for (at, agent) in self.agents.iter_mut().enumerate() {
            self.market
                .bid(at)
                .into_iter()
                .for_each(|bid| agent.say(bid));
        }
        if self.agents.iter().all(Agent::is_admitted) {
            self.fill();
        }
    }

    /// Closed loop: every agent has its tasks under way.
    fn fill(&mut self) {
        if self.rate > 0 {
            return;
        }
        for (at, agent) in self.agents.iter_mut().enumerate() {
            for _ in 0..self.market.wanted(at) {
                let task = self.market.submit(at, stamp::now());
                task.into_iter().for_each(|task| agent.say(task));
            }
        }
    }

    /// Open loop: what is due by now, each with the time it was due at.
    fn submit_due(&mut self, started: Instant, submitted: &mut u64) {
        let elapsed = started.elapsed();
        let micros = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX);
        let due = micros.saturating_mul(self.rate) / 1_000_000;
        let begun = stamp::now().saturating_sub(micros);
        while *submitted < due {
            let at = usize::try_from(*submitted).unwrap_or(0) % self.agents.len();
            let when = begun + submitted.saturating_mul(1_000_000) / self.rate;
            let task = self.market.submit(at, when);
            if let (Some(task), Some(agent)) = (task, self.agents.get_mut(at)) {
                agent.say(task);
            }
            *submitted += 1;
        }
    }

    /// Signs and sends what waits, as far as there is room.
    fn send_all(&mut self) {
        let taken = self
            .agents
            .iter_mut()
            .map(|agent| agent.take(Instant::now()));
        for (at, operations) in taken.collect::<Vec<_>>().into_iter().enumerate() {
            let from = at % self.targets.len().max(1);
            let copies = self.copies.min(self.targets.len());
            let targets = self.targets.iter().cycle().skip(from).take(copies);
            let targets: Vec<_> = targets.copied().collect();
            operations
                .into_iter()
                .for_each(|operation| self.send(operation, &targets));
        }
    }

    fn resend(&mut self) {
        let Some(limit) = Instant::now().checked_sub(RESEND_AFTER) else {
            return;
        };
        let targets = self.targets.clone();
        let late: Vec<_> = self
            .agents
            .iter_mut()
            .flat_map(|agent| agent.late(limit))
            .collect();
        late.into_iter()
            .for_each(|operation| self.send(operation, &targets));
    }

    fn send(&mut self, operation: SignedOperation, targets: &[PublicKey]) {
        self.requests += 1;
        let request = Request::Submit(Box::new(operation));
        let bytes = Bytes::from(cbor::encode(&ClientRequest {
            id: self.requests,
            request,
        }));
        for target in targets {
            if let Err(error) = self.network.send(&target.0, Lane::Client, bytes.clone()) {
                tracing::debug!(%error, "not sent; sent again later");
            }
        }
    }
}
