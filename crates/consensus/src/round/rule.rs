//! Names for the ways through Algorithm 1, so that traces, tests and simulations can say which of
//! them were gone.

use std::fmt;

/// One way through an `upon` clause or function of arXiv:1807.04938, Algorithm 1. Where a clause
/// branches, each branch has its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// Lines 11-14, 20-21: entered a round that another one proposes in.
    FollowRound,
    /// Lines 11-16, 19: entered a round, and proposed the valid value.
    ReproposeValid,
    /// Lines 11-15, 17-18: entered a round, and asked for a block to propose.
    AskForBlock,
    /// Lines 18-19: proposed the block that was asked for.
    ProposeBuilt,
    /// Lines 22-24, 27: prevoted a proposal.
    PrevoteProposal,
    /// Lines 22-23, 25-27: answered a proposal with nil.
    RefuseProposal,
    /// Lines 28-30, 33: prevoted a proposal that a polka speaks for.
    PrevoteReproposal,
    /// Lines 28-29, 31-33: answered a proposal that a polka speaks for with nil.
    RefuseReproposal,
    /// Lines 34-35: heard enough prevotes to wait no longer than a timeout.
    AwaitPrevotes,
    /// Lines 36-43: a polka; locked and precommitted.
    Lock,
    /// Lines 36-37, 42-43: a polka after the precommit.
    RememberValid,
    /// Lines 44-46: a polka for nil.
    PrecommitNil,
    /// Lines 47-48: heard enough precommits to wait no longer than a timeout.
    AwaitPrecommits,
    /// Lines 49-51: decided.
    Decide,
    /// Lines 55-56: went to where others are.
    SkipRound,
    /// Lines 57-60: waited in vain for a proposal.
    TimeoutPropose,
    /// Lines 61-64: waited in vain for a polka.
    TimeoutPrevote,
    /// Lines 65-67: waited in vain for a decision.
    TimeoutPrecommit,
}

impl Rule {
    /// All of them, in the order of the paper.
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

    /// The lines of Algorithm 1 that this way executes, ascending.
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

/// A set of rules, one bit each.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct RuleSet(u32);

impl RuleSet {
    /// Adds a rule.
    pub fn insert(&mut self, rule: Rule) {
        self.0 |= 1 << rule as u32;
    }

    /// Whether a rule is in it.
    pub fn contains(self, rule: Rule) -> bool {
        self.0 & 1 << rule as u32 != 0
    }

    /// What is in either.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The rules in it, in the order of the paper.
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
