//! Solves one window after the other: fetches its bids, searches, and proposes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use quorate_console::say;
use quorate_market::{TieSeed, mechanism};
use quorate_node::{NodeError, NodeEvent, NodeHandle, StandingBids};
use quorate_types::operation::Pair;
use quorate_types::{Genesis, Label, Market, UnixMillis};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use super::progress::{Item, SolveEvent, WindowResult};
use super::search::{Effort, Findings, search};
use crate::stop::StopSignal;
use crate::values::unix_now;

/// The markets to solve, and how to do it.
pub(super) struct Setting<'a> {
    pub(super) genesis: &'a Genesis,
    /// Markets that take solutions.
    pub(super) markets: Vec<Market>,
    /// The length of a search, as a multiple of the steps of the mechanism's own search.
    pub(super) effort: u64,
    /// Whether to print JSON lines instead of words.
    pub(super) json: bool,
}

/// The windows that were seen, and the searches that are under way.
pub(super) struct Windows<'a> {
    node: &'a NodeHandle,
    setting: Setting<'a>,
    /// Unix time of the start. Refusals before it concern earlier runs with this key.
    started: UnixMillis,
    /// The number of the newest window of each market.
    newest: BTreeMap<Label, u64>,
    /// The markets for which a search is under way.
    searched: BTreeSet<Label>,
    searches: JoinSet<Result<Looked>>,
    /// The number of windows that were searched or missed.
    done: u64,
    /// How long a refusal of the newest proposal may take to come; `None` if nothing was proposed.
    refusal: Option<Duration>,
}

/// The result of looking at a window. There are no findings if no validator had its bids.
struct Looked {
    market: Market,
    window: u64,
    findings: Option<Findings>,
}

/// How long the swarm may not know the key before a hint is printed.
const HINT_AFTER: Duration = Duration::from_secs(10);
/// The longest time from the end of the solution stage to the certificate of a refusal.
const REFUSAL_LIMIT: Duration = Duration::from_secs(2);

impl<'a> Windows<'a> {
    pub(super) fn new(node: &'a NodeHandle, setting: Setting<'a>) -> Self {
        Self {
            node,
            setting,
            started: unix_now(),
            newest: BTreeMap::new(),
            searched: BTreeSet::new(),
            searches: JoinSet::new(),
            done: 0,
            refusal: None,
        }
    }

    /// Solves windows until it is told to stop, or until so many are done.
    ///
    /// # Errors
    /// If the node ends before it is told to, or standard output cannot be written.
    pub(super) async fn run(mut self, windows: Option<u64>, mut stop: StopSignal) -> Result<()> {
        let mut events = self.node.subscribe();

        tokio::select! {
            () = stop.received() => return Ok(()),
            known = self.known() => known?,
        }

        while windows.is_none_or(|windows| self.done < windows) {
            tokio::select! {
                () = stop.received() => return Ok(()),
                event = events.recv() => self.on_event(event)?,
                Some(looked) = self.searches.join_next() => self.on_looked(looked??).await?,
            }
        }

        tokio::select! {
            () = stop.received() => Ok(()),
            refused = self.last_refusal(&mut events) => refused,
        }
    }

    /// Waits until the swarm knows the key. Prints a hint if that takes long.
    async fn known(&self) -> Result<()> {
        let ready = self.node.ready();
        let mut ready = std::pin::pin!(ready);

        if let Ok(ready) = tokio::time::timeout(HINT_AFTER, &mut ready).await {
            ready?;
        } else {
            self.hint();
            ready.await?;
        }

        let markets = self
            .setting
            .markets
            .iter()
            .map(|market| market.name.clone())
            .collect();

        self.tell(&SolveEvent::Ready {
            agent: self.node.public_key(),
            markets,
        })
    }

    /// Prints what may be the reason why the swarm does not know the key.
    fn hint(&self) {
        let set = &self.setting.genesis.validators;
        let peers = self.node.peers();
        let connected = peers.iter().filter(|key| set.get(key).is_some()).count();

        eprintln!(
            "the swarm does not know this key yet: connected to {connected} of {} \
             validators; is `boot` in node.toml right, and the attestation in force?",
            set.len()
        );
    }

    fn on_event(&mut self, event: Result<NodeEvent, RecvError>) -> Result<()> {
        match event {
            Ok(NodeEvent::Solve { market, window }) => self.look_at(&market, window),
            Ok(event) => {
                self.on_refusal(&event)?;
            }
            Err(RecvError::Lagged(missed)) => tracing::warn!(missed, "events were missed"),
            Err(RecvError::Closed) => bail!("the node ended without being told to"),
        }

        Ok(())
    }

    /// Starts a search for a window, unless there was one already or its market is not to be
    /// solved.
    fn look_at(&mut self, name: &Label, window: u64) {
        let Some(market) = self.take_up(name, window) else {
            return;
        };

        let standing = self.node.standing_bids(name.clone(), window);
        let ties = TieSeed {
            swarm: self.setting.genesis.swarm_id(),
            market: name.clone(),
        };

        let times = self.setting.effort;
        self.searches.spawn(async move {
            let findings = match standing.await? {
                Some(standing) => Some(search_aside(standing, ties, &market, times).await?),
                None => None,
            };

            Ok(Looked {
                market,
                window,
                findings,
            })
        });
    }

    /// The market of a window, which counts as searched from now on. `None` if no search for the
    /// window must start.
    fn take_up(&mut self, name: &Label, window: u64) -> Option<Market> {
        let mut markets = self.setting.markets.iter();
        let market = markets.find(|market| market.name == *name).cloned()?;

        // One search at a time for each market: on a slow machine they would pile up otherwise.
        let is_new = self.newest.insert(name.clone(), window) != Some(window);
        let must_search = is_new && self.searched.insert(name.clone());
        must_search.then_some(market)
    }

    async fn on_looked(&mut self, looked: Looked) -> Result<()> {
        let Looked {
            market,
            window,
            findings,
        } = looked;

        // At the end only a refusal of the newest proposal is waited for.
        self.refusal = None;
        self.done += 1;
        self.searched.remove(&market.name);

        let proposal = findings.as_ref().map(|findings| findings.proposal.clone());
        let (outcome, explanation) = match proposal {
            None => (WindowResult::Missed, None),
            Some(None) => (WindowResult::NotBetter, None),
            Some(Some(pairs)) => self.propose(&market, window, pairs).await?,
        };

        let market = market.name;
        self.tell(&SolveEvent::Window {
            market,
            window,
            outcome,
            explanation,
            findings,
        })
    }

    /// Sends a solution. The outcome has an explanation if the solution was not sent.
    async fn propose(
        &mut self,
        market: &Market,
        window: u64,
        pairs: Vec<Pair>,
    ) -> Result<(WindowResult, Option<String>)> {
        match self.node.solve(market.name.clone(), window, pairs).await {
            Ok(()) => {
                let stage = Duration::from_millis(market.solve_ms.unwrap_or(0));
                self.refusal = Some(stage.saturating_add(REFUSAL_LIMIT));
                Ok((WindowResult::Proposed, None))
            }

            Err(NodeError::Client(error)) => Ok((WindowResult::TooLong, Some(error.to_string()))),

            Err(error) => Err(error.into()),
        }
    }

    /// Waits for a refusal of the proposal for the last window, as long as it may still come.
    async fn last_refusal(&self, events: &mut Receiver<NodeEvent>) -> Result<()> {
        let Some(limit) = self.refusal else {
            return Ok(());
        };

        // If the time runs out, the swarm has not refused the proposal.
        let refused = tokio::time::timeout(limit, self.refusal(events)).await;
        refused.unwrap_or(Ok(()))
    }

    /// Waits until a proposal of this run is refused.
    async fn refusal(&self, events: &mut Receiver<NodeEvent>) -> Result<()> {
        loop {
            match events.recv().await {
                Ok(event) if self.on_refusal(&event)? => return Ok(()),
                Ok(_) | Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => bail!("the node ended without being told to"),
            }
        }
    }

    /// Reports a refusal. Returns whether the event was a refusal of something that this run
    /// proposed.
    fn on_refusal(&self, event: &NodeEvent) -> Result<bool> {
        let NodeEvent::Refused {
            operation,
            items,
            certificate,
        } = event
        else {
            return Ok(false);
        };

        // The node reports refusals from before this run too.
        if certificate.block_time() < self.started {
            return Ok(false);
        }

        let items = items
            .iter()
            .map(|(task, reason)| Item::new(*task, *reason))
            .collect();

        self.tell(&SolveEvent::Refused {
            operation: *operation,
            items,
        })?;

        Ok(true)
    }

    fn tell(&self, progress: &SolveEvent) -> Result<()> {
        match self.setting.json {
            true => say(serde_json::to_string(progress)?),
            false => say(progress.to_string()),
        }
    }
}

/// Searches on a thread of its own. The program need not wait for that thread when it ends.
async fn search_aside(
    standing: Arc<StandingBids>,
    ties: TieSeed,
    market: &Market,
    times: u64,
) -> Result<Findings> {
    let rule = mechanism(&market.mechanism).context("the mechanism is not known")?;
    let effort = Effort {
        times,
        solve_ms: market.solve_ms.unwrap_or(0),
    };

    let (reply, answer) = oneshot::channel();
    std::thread::spawn(move || {
        // If the receiver is gone, nobody needs the answer.
        let _ = reply.send(search(&standing, ties, rule, effort));
    });

    answer.await.context("the search broke off")
}
