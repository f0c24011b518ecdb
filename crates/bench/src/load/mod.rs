//! The load: agents that submit operations, and go on as these are committed.
//!
//! The agents are keys of this process, which has one link to each validator. They learn what was
//! committed from the reports of the first validator, and believe it. Light clients would verify it
//! (`quorate-agent`), but that is a cost of the clients and not of the committee.

mod agent;
mod market;

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use quorate_crypto::SecretKey;
use quorate_network::{
    Bytes, Lane, Multiaddr, Network, NetworkConfig, NetworkEvent, NetworkEvents,
};
use quorate_node::protocol_name;
use quorate_types::PublicKey;
use quorate_types::message::{ClientRequest, Request};
use quorate_types::{SignedOperation, cbor};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::args::Args;
use crate::sample::HeightProgress;
use crate::stage::BenchSetup;
use crate::stamp;
use agent::{Agent, Say};
use market::Market;

/// The longest time to connect, and the longest time to admit all agents.
const START_LIMIT: Duration = Duration::from_secs(60);
/// The interval at which tasks that are due at a given rate are submitted.
const TICK: Duration = Duration::from_millis(1);
/// An operation that is not committed for so long is sent again, to all validators.
const RESEND_AFTER: Duration = Duration::from_secs(1);

/// A load under way. Dropping it ends it.
pub(super) struct Load {
    network: Network,
    task: JoinHandle<()>,
}

impl Load {
    /// Connects with the validators, gets all agents admitted, and begins.
    pub(super) async fn start(
        args: &Args,
        stage: &BenchSetup,
        validators: &[(PublicKey, Multiaddr)],
        heights: mpsc::UnboundedReceiver<HeightProgress>,
    ) -> Result<Self> {
        let network = connect(stage, validators).await?;

        let (admitted, all_admitted) = oneshot::channel();
        let generator = Generator::new(args, stage, validators, network.clone())?;
        let task = tokio::spawn(generator.run(heights, admitted));

        // From here on, returning early ends the generator: see `Drop`.
        let load = Self { network, task };
        tokio::time::timeout(START_LIMIT, all_admitted)
            .await
            .context("not all agents were admitted in time")??;

        Ok(load)
    }

    /// Ends the load and closes its links.
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

/// Starts an endpoint for the load, and connects it with all validators.
async fn connect(stage: &BenchSetup, validators: &[(PublicKey, Multiaddr)]) -> Result<Network> {
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

    let connected = tokio::time::timeout(START_LIMIT, connected).await;
    connected.context("the load could not connect with all validators in time")??;

    tokio::spawn(drain(events));
    Ok(network)
}

/// Takes events so that the network is not held up. Lost operations are sent again.
async fn drain(mut events: NetworkEvents) {
    while let Some(event) = events.recv().await {
        if let NetworkEvent::Disconnected(_) = event {
            tracing::warn!("a validator closed its link to the load");
        }
    }
}

/// Makes agents that ask to be admitted.
fn make_agents(count: u64, stage: &BenchSetup) -> Result<Vec<Agent>> {
    let mut agents = Vec::new();
    for _ in 0..count {
        let key = SecretKey::generate().context("the system gives no randomness")?;
        let mut agent = Agent::new(key, stage.genesis.swarm_id());
        let attestation = stage.attest(agent.key());

        agent.say(Say::Admit(Box::new(attestation)));
        agents.push(agent);
    }

    Ok(agents)
}

/// The driver of the agents.
struct Generator {
    network: Network,
    /// All live validators.
    targets: Vec<PublicKey>,
    /// The number of validators that get each operation: more than a third of the committee.
    copies: usize,
    agents: Vec<Agent>,
    /// The index of each agent in `agents`.
    by_key: BTreeMap<PublicKey, usize>,
    market: Market,
    /// Tasks per second; 0 for the closed loop.
    rate: u64,
    /// The number of requests so far.
    requests: u64,
}

impl Generator {
    fn new(
        args: &Args,
        stage: &BenchSetup,
        validators: &[(PublicKey, Multiaddr)],
        network: Network,
    ) -> Result<Self> {
        let agents = make_agents(args.agents, stage)?;
        let by_key = agents
            .iter()
            .enumerate()
            .map(|(at, agent)| (agent.key(), at))
            .collect();

        // More than a third of the equal powers holds a correct validator (N-5).
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
        mut heights: mpsc::UnboundedReceiver<HeightProgress>,
        admitted: oneshot::Sender<()>,
    ) {
        let mut admitted = Some(admitted);
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let mut resend = interval(RESEND_AFTER);
        let mut started = Instant::now();
        let mut submitted = 0;

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

            // Tasks are submitted only when all agents are admitted, and rates count from then on.
            if admitted.is_some() && self.all_admitted() {
                started = Instant::now();
                self.fill();
                // Nobody waits any more if the measurement was given up.
                admitted.take().map(|tell| tell.send(()));
            }

            self.send_all();
        }
    }

    fn on_height(&mut self, progress: &HeightProgress) {
        self.settle(progress);
        self.take_on(progress);
        if progress.cleared {
            self.market.on_cleared();
        }

        for (at, agent) in self.agents.iter_mut().enumerate() {
            if let Some(bid) = self.market.bid(at) {
                agent.say(bid);
            }
        }

        if self.all_admitted() {
            self.fill();
        }
    }

    /// Takes in the operations that a height committed, and queues those that follow on them.
    fn settle(&mut self, progress: &HeightProgress) {
        for (key, next) in &progress.next {
            let Some(&at) = self.by_key.get(key) else {
                continue;
            };

            let Some(agent) = self.agents.get_mut(at) else {
                continue;
            };

            for said in agent.settle(*next) {
                let reply = self.market.on_settled(at, &said);
                reply.into_iter().for_each(|say| agent.say(say));
            }
        }
    }

    /// Has the agents accept and complete the tasks that a height assigned to them.
    fn take_on(&mut self, progress: &HeightProgress) {
        for (task, token, agent) in &progress.assigned {
            self.market.on_assigned(task);

            let at = self.by_key.get(agent);
            if let Some(agent) = at.and_then(|at| self.agents.get_mut(*at)) {
                agent.say(Say::Accept(*task, *token));
                agent.say(Say::Complete(*task, *token));
            }
        }
    }

    fn all_admitted(&self) -> bool {
        self.agents.iter().all(Agent::is_admitted)
    }

    /// Closed loop: submits tasks until every agent has as many under way as it may.
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

    /// Open loop: submits the tasks that are due by now, each with the time at which it was due.
    fn submit_due(&mut self, started: Instant, submitted: &mut u64) {
        let elapsed = started.elapsed();
        let micros = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX);
        let due = micros.saturating_mul(self.rate) / 1_000_000;

        // Stamps are Unix time, but what is due follows a clock that never jumps.
        let begun = stamp::now().saturating_sub(micros);

        while *submitted < due {
            let at = usize::try_from(*submitted).unwrap_or(0) % self.agents.len();
            // The latency counts from this time, even if the task is submitted late.
            let when = begun + submitted.saturating_mul(1_000_000) / self.rate;
            let task = self.market.submit(at, when);
            if let (Some(task), Some(agent)) = (task, self.agents.get_mut(at)) {
                agent.say(task);
            }

            *submitted += 1;
        }
    }

    /// Signs and sends the operations that wait, as far as there is room for them.
    fn send_all(&mut self) {
        let taken = self
            .agents
            .iter_mut()
            .map(|agent| agent.take(Instant::now()));

        for (at, operations) in taken.collect::<Vec<_>>().into_iter().enumerate() {
            let targets = self.targets_of(at);
            for operation in operations {
                self.send(operation, &targets);
            }
        }
    }

    /// Returns the validators that the operations of an agent are sent to.
    fn targets_of(&self, agent: usize) -> Vec<PublicKey> {
        let all = self.targets.len();
        // Agents begin with different validators, so that all validators get as many.
        let from = agent % all.max(1);
        let targets = self.targets.iter().cycle().skip(from);
        targets.take(self.copies.min(all)).copied().collect()
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

        for operation in late {
            self.send(operation, &targets);
        }
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
                tracing::debug!(%error, "an operation was not sent; it is sent again later");
            }
        }
    }
}
