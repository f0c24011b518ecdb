//! Names for the ways through Algorithm 1, so that traces, tests and simulations can say which of
//! them were gone.

use std::fmt;

/// One way through an `upon` clause or function of arXiv:1807.04938, Algorithm 1. Where a clause
/// branches, each branch has its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// L11-L14, L20-L21: entered a round that another one proposes in.
    FollowRound,
    /// L11-L16, L19: entered a round, and proposed the valid value.
    ReproposeValid,
    /// L11-L15, L17-L18: entered a round, and asked for a block to propose.
    AskForBlock,
    /// L18-L19: proposed the block that was asked for.
    ProposeBuilt,
    /// L22-L24, L27: prevoted a proposal.
    PrevoteProposal,
    /// L22-L23, L25-L27: answered a proposal with nil.
    RefuseProposal,
    /// L28-L30, L33: prevoted a proposal that a polka speaks for.
    PrevoteReproposal,
    /// L28-L29, L31-L33: answered a proposal that a polka speaks for with nil.
    RefuseReproposal,
    /// L34-L35: heard enough prevotes to wait no longer than a timeout.
    AwaitPrevotes,
    /// L36-L43: a polka; locked and precommitted.
    Lock,
    /// L36-L37, L42-L43: a polka after the precommit.
    RememberValid,
    /// L44-L46: a polka for nil.
    PrecommitNil,
    /// L47-L48: heard enough precommits to wait no longer than a timeout.
    AwaitPrecommits,
    /// L49-L51: decided.
    Decide,
    /// L55-L56: went to where others are.
    SkipRound,
    /// L57-L60: waited in vain for a proposal.
    TimeoutPropose,
    /// L61-L64: waited in vain for a polka.
    TimeoutPrevote,
    /// L65-L67: waited in vain for a decision.
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
