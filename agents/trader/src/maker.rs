//! The market maker as an agent.

use quorate::{
    Agent, Award, CallForBids, Capabilities, Label, LeaseGuard, Offer, Outcome, TaskError,
    async_trait,
};
use serde::{Deserialize, Serialize};

use crate::order::{Fill, Slice, with_ppm};
use crate::{Ticks, synthetic};

/// The dimension of what a maker may owe at one time: the value of slices sold and not delivered.
pub const CREDIT: &str = "credit";

/// What a market maker is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MakerConfig {
    /// Where it trades: a label that slices require.
    pub venue: Label,
    /// What an attester found that it may owe at one time.
    pub credit: Ticks,
    /// What it says it may owe; `None`: what was attested. The swarm refuses bids for more.
    pub claims: Option<Ticks>,
    /// What a slice costs it above the benchmark, in millionths.
    pub cost_ppm: i64,
    /// By how many millionths its cost goes up and down from bar to bar, at most.
    pub noise_ppm: u32,
    /// What it asks above its cost, in millionths: 0 for an honest one.
    pub padding_ppm: i64,
    /// Makes makers differ from bar to bar.
    pub seed: u64,
}

impl MakerConfig {
    /// What an attester finds: the venue, and [`CREDIT`].
    pub fn attested(&self) -> Capabilities {
        self.capabilities(self.credit)
    }

    /// What a slice costs it: what it would have to ask at least.
    pub fn cost(&self, slice: &Slice) -> Ticks {
        let bar = u64::try_from(slice.bar).unwrap_or(u64::MAX);
        let dice = synthetic::mix(self.seed ^ bar.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let span = u64::from(self.noise_ppm) * 2 + 1;
        let noise = i64::try_from(dice % span).unwrap_or(0) - i64::from(self.noise_ppm);
        with_ppm(slice.value(), self.cost_ppm.saturating_add(noise))
    }

    /// What it asks for a slice.
    pub fn quote(&self, slice: &Slice) -> Ticks {
        with_ppm(self.cost(slice), self.padding_ppm)
    }

    fn capabilities(&self, credit: Ticks) -> Capabilities {
        let mut capabilities = Capabilities::new();
        capabilities.labels.insert(self.venue.clone());
        if let Ok(dimension) = CREDIT.parse() {
            capabilities.amounts.insert(dimension, credit);
        }
        capabilities
    }
}

/// An agent that sells slices of orders. Give a node several of one configuration, for as many
/// slices as it may hold at one time.
#[derive(Debug)]
pub struct MarketMaker {
    config: MakerConfig,
}

impl MarketMaker {
    /// With this configuration.
    pub fn new(config: MakerConfig) -> Self {
        Self { config }
    }
}

#[async_trait]
impl Agent for MarketMaker {
    fn capabilities(&self) -> Capabilities {
        self.config
            .capabilities(self.config.claims.unwrap_or(self.config.credit))
    }

    /// The price of the whole slice; it passes what is no slice, and what is to cost less.
    async fn bid(&mut self, call: &CallForBids) -> Option<Offer> {
        let slice = Slice::from_payload(&call.spec.payload.0)?;
        let quote = self.config.quote(&slice);
        call.spec
            .max_price
            .is_none_or(|limit| quote <= limit)
            .then(|| call.offer(quote))
    }

    /// Sells at once.
    async fn execute(&mut self, award: Award, _: LeaseGuard) -> Result<Outcome, TaskError> {
        let slice = Slice::from_payload(&award.spec.payload.0)
            .ok_or_else(|| TaskError::failed("the payload is no slice of an order"))?;
        let fill = Fill {
            id: slice.id,
            quantity: slice.quantity,
            paid: award.price,
        };
        Ok(Outcome::new(
            serde_json::to_vec(&fill).map_err(TaskError::failed)?,
        ))
    }
}
