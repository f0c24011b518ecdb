//! Swarms of agents that do not trust each other agree who does which task. Every assignment leaves
//! a certificate that an outsider can check offline.
//!
//! This crate is the one dependency of an agent's author. See [`Agent`] for what to write, [`Node`]
//! for how to run it, and [`certificate`] for how to verify its certificates.
//!
//! ```no_run
//! use quorate::{
//!     Agent, Award, CallForBids, Capabilities, DataDir, LeaseGuard, Node, Quote, TaskError,
//!     TaskOutput, TaskSpec, async_trait,
//! };
//!
//! struct Courier;
//!
//! #[async_trait]
//! impl Agent for Courier {
//!     fn capabilities(&self) -> Capabilities {
//!         Capabilities::new()
//!     }
//!     async fn bid(&mut self, call: &CallForBids) -> Option<Quote> {
//!         Some(call.quote(call.spec.payload.0.len() as i64))
//!     }
//!     async fn execute(
//!         &mut self,
//!         award: Award,
//!         lease: LeaseGuard,
//!     ) -> Result<TaskOutput, TaskError> {
//!         lease.sleep(std::time::Duration::from_secs(2)).await?;
//!         Ok(TaskOutput::new(award.spec.payload.0))
//!     }
//! }
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let node = Node::builder(DataDir::new("courier")).agent(Courier).start().await?;
//! let task = node.submit(TaskSpec::new("tasks".parse()?)).await?;
//! let award = task.awarded().await?;
//! println!("height {}: {:?} for {:?}", award.height(), award.agent(), award.price());
//! let receipt = task.completed().await?;
//! std::fs::write("receipt.cbor", receipt.certificate.bytes())?;
//! # Ok(())
//! # }
//! ```
//!
//! A certificate comes as a [`certificate::VerifiedCertificate`]: it was verified by the node's
//! genesis, and says what it proves. Its bytes convince others. A requester can follow a task by
//! all certificates about it:
//!
//! ```no_run
//! use quorate::{TaskEvent, TaskHandle};
//!
//! async fn follow(mut task: TaskHandle) {
//!     while let Some(event) = task.next().await {
//!         match event {
//!             TaskEvent::Awarded(award) => println!("{:?} has the task", award.agent()),
//!             TaskEvent::Accepted(_) => println!("it was accepted"),
//!             TaskEvent::Returned(receipt) => println!("ended by {:?}", receipt.operation_name()),
//!             TaskEvent::Completed(receipt) => return println!("{:?}", receipt.detail),
//!             TaskEvent::Failed(failure) => return println!("{failure}"),
//!         }
//!     }
//! }
//! ```
//!
//! A market with `solve_ms` takes solutions from any member, and the best one wins. A solver is a
//! node that waits for the windows of such a market. `quorate propose` is one, and this is another:
//!
//! ```no_run
//! use std::collections::BTreeMap;
//!
//! use quorate::{DataDir, Node, NodeEvent, Pair, StandingBids};
//!
//! /// Gives each task to its cheapest bidder that has enough left.
//! fn greedy(standing: &StandingBids) -> Vec<Pair> {
//!     let budgets = standing.bidders.iter().map(|bidder| (bidder.agent, bidder.budget.clone()));
//!     let mut left: BTreeMap<_, _> = budgets.collect();
//!     let mut pairs = Vec::new();
//!     for task in &standing.tasks {
//!         let is_open = |price: Option<i64>| price.is_some_and(|price| price <= task.limit);
//!         let bids = standing.bids.iter().filter(|bid| bid.task == task.task);
//!         let mut bids: Vec<_> =
//!             bids.filter(|bid| bid.excluded.is_none() && is_open(bid.price)).collect();
//!         bids.sort_by_key(|bid| bid.price);
//!         let winner = bids.into_iter().find_map(|bid| {
//!             let mut budget = left.get(&bid.agent)?.clone();
//!             for (name, demand) in &task.demand {
//!                 let amount = budget.get_mut(name).filter(|amount| **amount >= *demand)?;
//!                 *amount -= demand;
//!             }
//!             Some((bid.agent, budget))
//!         });
//!         if let Some((agent, budget)) = winner {
//!             left.insert(agent, budget);
//!             pairs.push(Pair { task: task.task, agent });
//!         }
//!     }
//!     pairs
//! }
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let node = Node::builder(DataDir::new("solver")).start().await?;
//! let mut events = node.subscribe();
//! loop {
//!     if let NodeEvent::Solve { market, window } = events.recv().await?
//!         && let Some(standing) = node.standing_bids(market.clone(), window).await?
//!     {
//!         node.solve(market, window, greedy(&standing)).await?;
//!     }
//! }
//! # }
//! ```
//!
//! **Absent here:** code. This crate only gives names to items of other crates.

pub use quorate_agent::{
    Agent, Award, CallForBids, DossierBundle, LeaseGuard, LeaseLost, Quote, TaskError, TaskOutput,
    async_trait,
};
pub use quorate_certificate as certificate;
pub use quorate_node::{
    DataDir, Node, NodeBuilder, NodeConfig, NodeError, NodeEvent, NodeHandle, Receipt,
    StandingBids, TaskEvent, TaskFailure, TaskHandle, Validator,
};
pub use quorate_types::operation::Pair;
pub use quorate_types::outcome::{BidInput, BidderInput, SolutionInput, TaskInput};
pub use quorate_types::{
    ActiveMillis, Amounts, Capabilities, FencingToken, Hash, Label, PublicKey, Reason, TaskId,
    TaskSpec, UnixMillis,
};

/// A doctest: the agent in the README compiles.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
