//! Names for the paths through Algorithm 1, so that traces, tests and simulations can say which of
//! them were taken.

use std::fmt;

/// One path through an `upon` clause or function of arXiv:1807.04938, Algorithm 1. If a clause
/// branches, each branch has its own rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// Lines 11-14, 20-21: entered a round that another validator proposes in.
    FollowRound,
    /// Lines 11-16, 19: entered a round and proposed the valid value.
    ReproposeValid,
    /// Lines 11-15, 17-18: entered a round and asked for a block to propose.
    AskForBlock,
    /// Lines 18-19: proposed the block that was asked for.
    ProposeBuilt,
    /// Lines 22-24, 27: prevoted a proposal.
    PrevoteProposal,
    /// Lines 22-23, 25-27: answered a proposal with nil.
    RefuseProposal,
    /// Lines 28-30, 33: prevoted a proposal that is backed by a polka.
    PrevoteReproposal,
    /// Lines 28-29, 31-33: answered a proposal that is backed by a polka with nil.
    RefuseReproposal,
    /// Lines 34-35: a quorum prevoted, for anything: scheduled the prevote timeout.
    AwaitPrevotes,
    /// Lines 36-43: saw a polka for a block: locked and precommitted the block.
    Lock,
    /// Lines 36-37, 42-43: saw a polka after the precommit: remembered its block as the valid
    /// value.
    RememberValid,
    /// Lines 44-46: saw a polka for nil: precommitted nil.
    PrecommitNil,
    /// Lines 47-48: a quorum precommitted, for anything: scheduled the precommit timeout.
    AwaitPrecommits,
    /// Lines 49-51: decided a block.
    Decide,
    /// Lines 55-56: went to the later round that other validators are in.
    SkipRound,
    /// Lines 57-60: no proposal came in time: prevoted nil.
    TimeoutPropose,
    /// Lines 61-64: no polka came in time: precommitted nil.
    TimeoutPrevote,
    /// Lines 65-67: no decision came in time: went to the next round.
    TimeoutPrecommit,
}

impl Rule {
    /// All rules, in the order of the paper.
    pub const ALL: [Self; 18] = [
        Self::FollowRound,
        Self::ReproposeValid,
        Self::AskForBlock,
        Self::ProposeBuilt,
        Self::PrevoteProposal,
        Self::RefuseProposal,
        Self::PrevoteReproposal,
        Self::RefuseReproposal,
        Self::AwaitPrevotes,
        Self::Lock,
        Self::RememberValid,
        Self::PrecommitNil,
        Self::AwaitPrecommits,
        Self::Decide,
        Self::SkipRound,
        Self::TimeoutPropose,
        Self::TimeoutPrevote,
        Self::TimeoutPrecommit,
    ];

    /// The lines of Algorithm 1 that this rule executes, ascending.
    pub fn lines(self) -> &'static [u8] {
        match self {
            Self::FollowRound => &[11, 12, 13, 14, 20, 21],
            Self::ReproposeValid => &[11, 12, 13, 14, 15, 16, 19],
            Self::AskForBlock => &[11, 12, 13, 14, 15, 17, 18],
            Self::ProposeBuilt => &[18, 19],
            Self::PrevoteProposal => &[22, 23, 24, 27],
            Self::RefuseProposal => &[22, 23, 25, 26, 27],
            Self::PrevoteReproposal => &[28, 29, 30, 33],
            Self::RefuseReproposal => &[28, 29, 31, 32, 33],
            Self::AwaitPrevotes => &[34, 35],
            Self::Lock => &[36, 37, 38, 39, 40, 41, 42, 43],
            Self::RememberValid => &[36, 37, 42, 43],
            Self::PrecommitNil => &[44, 45, 46],
            Self::AwaitPrecommits => &[47, 48],
            Self::Decide => &[49, 50, 51],
            Self::SkipRound => &[55, 56],
            Self::TimeoutPropose => &[57, 58, 59, 60],
            Self::TimeoutPrevote => &[61, 62, 63, 64],
            Self::TimeoutPrecommit => &[65, 66, 67],
        }
    }
}

/// A set of rules, one bit for each.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct RuleSet(u32);

impl RuleSet {
    /// Adds a rule.
    pub fn insert(&mut self, rule: Rule) {
        self.0 |= 1 << rule as u32;
    }

    /// Whether a rule is in the set.
    pub fn contains(self, rule: Rule) -> bool {
        self.0 & 1 << rule as u32 != 0
    }

    /// The rules that are in either set.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The rules in the set, in the order of the paper.
    pub fn iter(self) -> impl Iterator<Item = Rule> {
        Rule::ALL
            .into_iter()
            .filter(move |rule| self.contains(*rule))
    }
}

impl Extend<Rule> for RuleSet {
    fn extend<I: IntoIterator<Item = Rule>>(&mut self, rules: I) {
        rules.into_iter().for_each(|rule| self.insert(rule));
    }
}

impl fmt::Debug for RuleSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}
