//! The interface that every auction implements.

use quorate_types::Label;

use crate::auction::{Auction, Clearing};

/// A rule that gives tasks to bidders. It is a pure function of the auction, and computes with
/// integers only.
///
/// A new mechanism takes a file with an implementation, and its lines in the registry
/// ([`mod@crate::mechanisms`]).
pub trait Mechanism: Sync {
    /// The description of the mechanism by itself, the same for all auctions.
    fn about(&self) -> &'static About;

    /// The name that genesis and clearing records use.
    fn name(&self) -> &'static str {
        self.about().name
    }

    /// The name as a label.
    #[expect(
        clippy::expect_used,
        reason = "names in the registry are labels, as a test shows"
    )]
    fn label(&self) -> Label {
        self.name()
            .parse()
            .expect("the name of a mechanism is a label")
    }

    /// The version of the rule.
    fn version(&self) -> u16 {
        self.about().version
    }

    /// The worst-case cost of [`Self::clear`] for an auction of these sizes, in the unit of
    /// [`quorate_types::limits::BLOCK_COST`], about a microsecond. It grows with each size.
    fn cost(&self, tasks: usize, bidders: usize, bids: usize) -> u64;

    /// A form of [`Self::clear`] that gives up if it takes more than a given cost; `None` if the
    /// mechanism has no such form.
    ///
    /// It is for mechanisms whose worst cases are rare and which count their steps: all machines
    /// must give up at the same one. Other mechanisms are only run on what surely fits.
    fn clear_within(&self) -> Option<Attempt> {
        None
    }

    /// Decides the auction. Awards stay within limits and budgets, and no task is awarded twice.
    fn clear(&self, auction: &Auction) -> Clearing;
}

/// The description of a mechanism by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct About {
    /// The name that genesis and clearing records use: a [`Label`], unique in the registry.
    pub name: &'static str,
    /// The version of the rule. It grows with every change that may alter a result.
    pub version: u16,
    /// The class in the taxonomy of Gerkey and Matarić (2004): `ST-SR-IA` means single-task
    /// robots, single-robot tasks, instantaneous assignment.
    pub class: &'static str,
    /// The guarantee of the mechanism, in a sentence for a person.
    pub guarantee: &'static str,
    /// The size of the largest auction that it clears, and its restrictions on bids and awards, in
    /// a line for a person. A larger auction is cleared without awards.
    pub limits: &'static str,
    /// The visibility of bids that the guarantee presumes.
    pub bidding: Bidding,
    /// Whether an offer above the limit of its task takes part. Such an offer wins nothing, but it
    /// may still move the price at which others trade.
    pub takes_all_asks: bool,
    /// Whether anyone may propose an assignment (a solution), which the mechanism compares by
    /// [`crate::Score`] with the one that it finds itself. This is for mechanisms that cannot
    /// promise the optimum.
    pub takes_solutions: bool,
}

/// Clears an auction, or returns `None` if that takes more than the given cost. The cost is counted
/// in steps, so the answer is the same on every machine.
pub type Attempt = fn(&Auction, u64) -> Option<Clearing>;

/// The visibility of bids, before the window closes, that a mechanism presumes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bidding {
    /// Bids are meant to be seen and answered.
    Open,
    /// The guarantee holds only if nobody knows the others' bids before the window closes.
    Sealed,
    /// The guarantee holds for the bids as they are, whether or not they were visible.
    Either,
}
