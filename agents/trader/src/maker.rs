//! The market maker as an agent.

use quorate::{
    Agent, Award, CallForBids, Capabilities, Label, LeaseGuard, Quote, TaskError, TaskOutput,
    async_trait,
};
use serde::{Deserialize, Serialize};

use crate::order::{Fill, Slice, with_ppm};
use crate::{Ticks, synthetic};

/// The dimension that limits the credit of a maker: the value of slices that it has sold and not
/// yet delivered.
pub const CREDIT: &str = "credit";

/// The properties of a market maker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MakerConfig {
    /// The venue at which it trades: a label that slices require.
    pub venue: Label,
    /// The credit that an attester found, in ticks.
    pub credit: Ticks,
    /// The credit that it claims; `None` for the attested one. The swarm refuses bids for more than
    /// was attested.
    pub claims: Option<Ticks>,
    /// The cost of a slice above the benchmark, in millionths.
    pub cost_ppm: i64,
    /// The most by which its cost goes up and down from bar to bar, in millionths.
    pub noise_ppm: u32,
    /// The margin that it asks above its cost, in millionths; 0 for an honest maker.
    pub padding_ppm: i64,
    /// The seed, by which makers differ from bar to bar.
    pub seed: u64,
}

impl MakerConfig {
    /// Returns the capabilities that an attester finds: the venue, and [`CREDIT`].
    pub fn attested(&self) -> Capabilities {
        self.capabilities(self.credit)
    }

    /// Returns the cost of a slice, which is the least that the maker would have to ask.
    pub fn cost(&self, slice: &Slice) -> Ticks {
        let bar = u64::try_from(slice.bar).unwrap_or(u64::MAX);
        let dice = synthetic::mix(self.seed ^ bar.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let span = u64::from(self.noise_ppm) * 2 + 1;
        let noise = i64::try_from(dice % span).unwrap_or(0) - i64::from(self.noise_ppm);
        with_ppm(slice.value(), self.cost_ppm.saturating_add(noise))
    }

    /// Returns the price that the maker asks for a slice.
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

/// An agent that sells slices of orders. To let a node hold several slices at one time, give it as
/// many agents of one configuration.
#[derive(Debug)]
pub struct MarketMaker {
    config: MakerConfig,
}

impl MarketMaker {
    /// Makes a market maker of this configuration.
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

    /// Asks a price for the whole slice. Passes if the payload is not a slice, or if the requester
    /// pays less.
    async fn bid(&mut self, call: &CallForBids) -> Option<Quote> {
        let slice = Slice::from_payload(&call.spec.payload.0)?;
        let quote = self.config.quote(&slice);
        call.spec
            .max_price
            .is_none_or(|limit| quote <= limit)
            .then(|| call.quote(quote))
    }

    /// Sells the slice at once.
    async fn execute(&mut self, award: Award, _: LeaseGuard) -> Result<TaskOutput, TaskError> {
        let Some(slice) = Slice::from_payload(&award.spec.payload.0) else {
            let reason = "the payload is not a slice of an order";
            return Err(TaskError::failed(reason));
        };

        let fill = Fill {
            id: slice.id,
            quantity: slice.quantity,
            paid: award.price,
        };

        let detail = serde_json::to_vec(&fill).map_err(TaskError::failed)?;
        Ok(TaskOutput::new(detail))
    }
}
