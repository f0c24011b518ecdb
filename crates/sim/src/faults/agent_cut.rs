//! An agent is cut off.

use serde::{Deserialize, Serialize};

use super::draw::{Draw, Part, Share, share};
use super::entry::Entry;
use super::ground::{End, Ground};
use super::kind::{Begun, FaultKind};

/// No frame passes between an agent and anyone else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentCut {
    /// The agent that is cut off.
    pub agent: usize,
}

impl FaultKind for AgentCut {
    const NEEDS: &'static [&'static str] = &["agents"];
    const SHARES: &'static [Share] = &[share(Part::Agents, 500..1000)];

    fn read(entry: &Entry) -> Vec<Self> {
        entry.each_agent(|agent| Self { agent })
    }

    fn draw(draw: &mut Draw<'_>) -> Vec<Self> {
        vec![Self { agent: draw.place }]
    }

    fn agent(&self) -> Option<usize> {
        Some(self.agent)
    }

    fn begin(&self, ground: &mut dyn Ground, begun: Begun) {
        let agent = End::Client(self.agent);
        ground.cut(begun.fault, &|from, to| from == agent || to == agent);
    }

    fn end(&self, ground: &mut dyn Ground, fault: usize) {
        ground.mend(fault);
    }
}
