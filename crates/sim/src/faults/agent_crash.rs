//! The process of an agent ends.

use serde::{Deserialize, Serialize};

use super::draw::{Draw, Part, Share, share};
use super::entry::Entry;
use super::ground::Ground;
use super::kind::{Begun, FaultKind};

/// The process of an agent ends. A new one with the same key starts when the fault ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentCrash {
    /// The agent that crashes.
    pub agent: usize,
}

impl FaultKind for AgentCrash {
    const NEEDS: &'static [&'static str] = &["agents"];
    const SHARES: &'static [Share] = &[share(Part::Agents, 0..500)];

    fn read(entry: &Entry) -> Vec<Self> {
        entry.each_agent(|agent| Self { agent })
    }

    fn draw(draw: &mut Draw<'_>) -> Vec<Self> {
        vec![Self { agent: draw.place }]
    }

    fn agent(&self) -> Option<usize> {
        Some(self.agent)
    }

    fn begin(&self, ground: &mut dyn Ground, _: Begun) {
        ground.end_agent(self.agent);
    }

    fn end(&self, ground: &mut dyn Ground, _: usize) {
        ground.start_agent(self.agent);
    }
}
