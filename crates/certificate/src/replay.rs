//! Runs auctions again from their dossiers (`protocols/certificate.md`, C-17 to C-20).

use std::collections::BTreeMap;
use std::fmt;

use quorate_market::{Auction, Bid, Bidder, Clearing, Mechanism, Task, TieSeed, Winner, mechanism};
use quorate_types::operation::Pair;
use quorate_types::outcome::{
    Assignment, BidInput, BidderInput, ClearingInput, ClearingRecord, SolutionInput, TaskInput,
};
use quorate_types::task::{check_amounts, check_price};
use quorate_types::{Hash, Label, OperationId, Price, PublicKey, TaskId, limits};

use crate::{Dossier, DossierError, Judgement, TrustRoot};

/// The questions that running an auction again leaves open: the committee asserts the answers, and
/// a quorum signed them.
pub const NOT_REPLAYED: [&str; 6] = [
    "whether excluded bids were rightly excluded, each for the reason that stands with it",
    "whether budgets are what the attestations and the work at hand left each bidder",
    "whether demands and limits are those of the tasks, which the dossier names by hash only",
    "whether each bid was signed by its bidder, each solution by whoever brought it: the dossier \
     names their operations by hash only",
    "whether a bid, task or solution was kept out before the window closed, or the window closed \
     too early",
    "whether clearings or assignments are missing among these files altogether",
];

/// An auction that was run again, and gave the number of assignments and the total of its record.
///
/// It does not show that the record is certified. That takes a verified certificate of the record,
/// or of an assignment that names it ([`Self::clearing`]).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replay {
    clearing: Hash,
    market: Label,
    winners: BTreeMap<TaskId, Winner>,
    specs: BTreeMap<TaskId, Hash>,
    operations: BTreeMap<(TaskId, PublicKey), OperationId>,
}

/// The reason why an auction could not be run again, or gave another result.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReplayError {
    /// The dossier is not that of its record.
    #[error(transparent)]
    Dossier(#[from] DossierError),
    /// The genesis does not have the market, or gives it another mechanism or reserve price.
    #[error(
        "the market `{0}` has another mechanism or reserve price in the genesis, or is not in it"
    )]
    Market(Label),
    /// This program does not have the mechanism.
    #[error("the mechanism `{0}` is not known to this program")]
    Mechanism(Label),
    /// This program does not have this version of the mechanism.
    #[error("version {recorded} of `{mechanism}` is not known to this program, which has {known}")]
    Version {
        /// The name of the mechanism.
        mechanism: Label,
        /// The version that the record states.
        recorded: u16,
        /// The version that this program has.
        known: u16,
    },
    /// An input cannot be one of a clearing: it is out of order, repeated or out of its limits, or
    /// it is a bid that takes part without a price, a bidder or a task.
    #[error("input {0} is not valid: it is out of order, out of the limits, or not complete")]
    Input(usize),
    /// The number of assignments differs.
    #[error("the auction run again assigns {replayed} tasks, but the record counts {recorded}")]
    Assigned {
        /// The number by the record.
        recorded: u64,
        /// The number by the auction run again.
        replayed: u64,
    },
    /// The sum of the winning bids' prices differs.
    #[error(
        "the winning bids of the auction run again total {replayed}, but by the record {recorded}"
    )]
    Total {
        /// The sum by the record.
        recorded: Price,
        /// The sum by the auction run again.
        replayed: Price,
    },
    /// The auction takes another solution than the record names, or none.
    #[error("the record names another solution than the auction run again takes")]
    Solution,
}

impl ReplayError {
    /// Returns the judgement that follows for an auditor.
    pub fn judgement(&self) -> Judgement {
        match self {
            Self::Mechanism(_) | Self::Version { .. } => Judgement::CannotEvaluate,
            Self::Dossier(_)
            | Self::Market(_)
            | Self::Input(_)
            | Self::Assigned { .. }
            | Self::Total { .. }
            | Self::Solution => Judgement::NotAuthentic,
        }
    }

    /// Returns the stable name, such as `unknown_mechanism`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Dossier(DossierError::Encoding(_)) => "malformed_dossier",
            Self::Dossier(DossierError::Count { .. } | DossierError::Root) => "dossier_root",
            Self::Market(_) => "market_rule",
            Self::Mechanism(_) => "unknown_mechanism",
            Self::Version { .. } => "unknown_mechanism_version",
            Self::Input(_) => "dossier_input",
            Self::Assigned { .. } => "replayed_count",
            Self::Total { .. } => "replayed_total",
            Self::Solution => "replayed_solution",
        }
    }
}

/// The way in which a certified assignment differs from the auction run again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    /// The assignment follows from another clearing.
    #[error("the assignment follows from another clearing: {0}")]
    Clearing(Hash),
    /// The auction leaves the task open, or never had it.
    #[error("nobody wins the task when the auction is run again")]
    Unassigned,
    /// Another agent wins the task.
    #[error("agent {certified} is certified, but {replayed} wins when the auction is run again")]
    Agent {
        /// The agent by the certificate.
        certified: PublicKey,
        /// The agent by the auction run again.
        replayed: PublicKey,
    },
    /// The winner is paid another amount, or the requester is charged one.
    #[error("{what} {certified} is certified, but it is {replayed} when the auction is run again")]
    Amount {
        /// The amount that differs.
        what: Amount,
        /// The value by the certificate.
        certified: Price,
        /// The value by the auction run again.
        replayed: Price,
    },
    /// The assignment names another market, specification or winning bid than the dossier.
    #[error("its market, specification or winning bid is not the one in the dossier")]
    Reference,
}

/// One of the two amounts of an assignment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Amount {
    /// The price that the winner is paid.
    Price,
    /// The price that the requester pays.
    Charge,
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Price => "price",
            Self::Charge => "charge",
        })
    }
}

impl Replay {
    /// Checks the dossier against its record's root and against the market's rule in the genesis,
    /// and runs its auction again. Ties are drawn from the swarm of the trust root.
    ///
    /// It takes as long as the auction did: up to a second. First check that the record is
    /// certified.
    ///
    /// # Errors
    /// [`ReplayError`], with its [`ReplayError::judgement`].
    pub fn run(dossier: &Dossier, root: &TrustRoot) -> Result<Self, ReplayError> {
        dossier.check_root()?;
        let rule = rule(dossier, root)?;
        let inputs = Inputs::read(dossier, root)?;
        let record = &dossier.record;

        // Ties are drawn from the swarm of the trust root, so a dossier cannot choose them.
        let ties = TieSeed {
            swarm: root.swarm(),
            market: record.market.clone(),
        };

        let clearing = rule.clear(&Auction {
            tasks: inputs.tasks,
            bidders: inputs.bidders,
            bids: inputs.bids,
            solutions: inputs.solutions,
            ties,
        });

        check_counts(record, &clearing)?;
        let taken = clearing.solution.and_then(|at| inputs.solvers.get(at));
        if record.solution != taken.map(|(_, operation)| *operation) {
            return Err(ReplayError::Solution);
        }

        let winners = clearing.winners.into_iter();
        Ok(Self {
            clearing: record.hash(),
            market: record.market.clone(),
            winners: winners.map(|award| (award.task, award)).collect(),
            specs: inputs.specs,
            operations: inputs.operations,
        })
    }

    /// Returns the hash of the record, by which assignments name it.
    pub fn clearing(&self) -> Hash {
        self.clearing
    }

    /// Returns the awards, ascending by task: the winners and their prices.
    pub fn winners(&self) -> impl Iterator<Item = &Winner> {
        self.winners.values()
    }

    /// Compares an assignment, which must be certified, with the result of the auction: winner,
    /// payment and charge, and what the assignment names.
    ///
    /// # Errors
    /// [`Mismatch`], the first one that is found.
    pub fn check(&self, assignment: &Assignment) -> Result<(), Mismatch> {
        if assignment.clearing != self.clearing {
            return Err(Mismatch::Clearing(assignment.clearing));
        }

        let award = self.winners.get(&assignment.task);
        let award = award.ok_or(Mismatch::Unassigned)?;

        if assignment.agent != award.agent {
            return Err(Mismatch::Agent {
                certified: assignment.agent,
                replayed: award.agent,
            });
        }

        check_amount(Amount::Price, assignment.price, award.payment)?;
        check_amount(Amount::Charge, assignment.charge, award.charge)?;

        if self.has_references(assignment) {
            Ok(())
        } else {
            Err(Mismatch::Reference)
        }
    }

    /// Returns whether the market, the specification and the winning bid that an assignment names
    /// are those of the dossier.
    fn has_references(&self, assignment: &Assignment) -> bool {
        let bid = (assignment.task, assignment.agent);

        assignment.market == self.market
            && self.specs.get(&assignment.task) == Some(&assignment.spec)
            && self.operations.get(&bid) == Some(&assignment.bid)
    }
}

/// Checks that the number of assignments and their total are those of the record (C-18).
fn check_counts(record: &ClearingRecord, clearing: &Clearing) -> Result<(), ReplayError> {
    let recorded = record.assigned;
    let replayed = clearing.winners.len() as u64;
    if recorded != replayed {
        return Err(ReplayError::Assigned { recorded, replayed });
    }

    let recorded = record.total;
    let prices = clearing.winners.iter().map(|award| award.bid);
    let replayed = prices.fold(0, Price::saturating_add);
    if recorded != replayed {
        return Err(ReplayError::Total { recorded, replayed });
    }

    Ok(())
}

fn check_amount(what: Amount, certified: Price, replayed: Price) -> Result<(), Mismatch> {
    if certified == replayed {
        return Ok(());
    }

    Err(Mismatch::Amount {
        what,
        certified,
        replayed,
    })
}

/// Returns the mechanism of a dossier, in its version, if it is that of its market.
fn rule(dossier: &Dossier, root: &TrustRoot) -> Result<&'static dyn Mechanism, ReplayError> {
    let record = &dossier.record;
    let name = &record.mechanism;
    let of_market = root
        .market(&record.market)
        .map(|market| (&market.mechanism, market.reserve));

    // The rule of a market is set by the genesis, not by the dossier.
    if of_market != Some((name, record.reserve)) {
        return Err(ReplayError::Market(record.market.clone()));
    }

    let rule = mechanism(name).ok_or_else(|| ReplayError::Mechanism(name.clone()))?;

    if rule.version() != record.version {
        return Err(ReplayError::Version {
            mechanism: name.clone(),
            recorded: record.version,
            known: rule.version(),
        });
    }

    Ok(rule)
}

/// The inputs of a mechanism, as they are read. Mechanisms rely on the checks that are made here.
#[derive(Debug, Default)]
struct Inputs {
    tasks: Vec<Task>,
    bidders: Vec<Bidder>,
    /// The bids that take part.
    bids: Vec<Bid>,
    /// The task and the agent of the last bid, whether it was excluded or not.
    last_bid: Option<(TaskId, PublicKey)>,
    specs: BTreeMap<TaskId, Hash>,
    operations: BTreeMap<(TaskId, PublicKey), OperationId>,
    /// Whether the market takes solutions.
    solves: bool,
    solutions: Vec<Vec<Pair>>,
    /// For each solution, the agent that brought it, and the operation that it came by.
    solvers: Vec<(PublicKey, OperationId)>,
}

impl Inputs {
    /// Reads all inputs of a dossier, in their order.
    fn read(dossier: &Dossier, root: &TrustRoot) -> Result<Self, ReplayError> {
        let market = root.market(&dossier.record.market);
        let mut inputs = Self {
            solves: market.is_some_and(|of| of.solve_ms.is_some()),
            ..Self::default()
        };

        for (at, input) in dossier.inputs.iter().enumerate() {
            inputs.take(input).ok_or(ReplayError::Input(at))?;
        }

        Ok(inputs)
    }

    /// Takes the next input; `None` if it may not follow those before it.
    fn take(&mut self, input: &ClearingInput) -> Option<()> {
        match input {
            ClearingInput::Solution(solution) => self.take_solution(solution),
            // Solutions come last, so nothing else follows one.
            _ if !self.solvers.is_empty() => None,
            ClearingInput::Task(task) => self.take_task(task),
            ClearingInput::Bidder(bidder) => self.take_bidder(bidder),
            ClearingInput::Bid(bid) => self.take_bid(bid),
        }
    }

    fn take_task(&mut self, input: &TaskInput) -> Option<()> {
        let TaskInput {
            task,
            spec,
            ref demand,
            limit,
        } = *input;

        // Tasks come first, ascending by id.
        let follows = self.tasks.last().is_none_or(|last| last.id < task);
        let is_first_kind = self.bidders.is_empty() && self.last_bid.is_none();
        let is_sound = !demand.is_empty() && check_amounts(demand).is_ok();
        if !(follows && is_first_kind && is_sound && check_price(limit).is_ok()) {
            return None;
        }

        self.specs.insert(task, spec);
        self.tasks.push(Task {
            id: task,
            demand: demand.clone(),
            limit,
        });
        Some(())
    }

    fn take_bidder(&mut self, input: &BidderInput) -> Option<()> {
        let BidderInput { agent, ref budget } = *input;
        let follows = self.bidders.last().is_none_or(|last| last.agent < agent);

        if !(follows && self.last_bid.is_none() && check_amounts(budget).is_ok()) {
            return None;
        }

        self.bidders.push(Bidder {
            agent,
            budget: budget.clone(),
        });
        Some(())
    }

    fn take_bid(&mut self, input: &BidInput) -> Option<()> {
        let BidInput {
            task,
            agent,
            price,
            operation,
            excluded,
        } = *input;

        if self.last_bid.is_some_and(|last| last >= (task, agent)) {
            return None;
        }
        self.last_bid = Some((task, agent));

        // An excluded bid counts for the order, but takes no part.
        if excluded.is_some() {
            return Some(());
        }

        // A bid that takes part needs a price, a bidder and a task.
        let price = price.filter(|price| check_price(*price).is_ok())?;
        if !self.has_bidder(agent) || !self.specs.contains_key(&task) {
            return None;
        }

        self.operations.insert((task, agent), operation);
        self.bids.push(Bid { task, agent, price });
        Some(())
    }

    /// Returns whether an agent is among the bidders, which ascend by agent.
    fn has_bidder(&self, agent: PublicKey) -> bool {
        let found = self
            .bidders
            .binary_search_by_key(&agent, |bidder| bidder.agent);
        found.is_ok()
    }

    fn take_solution(&mut self, input: &SolutionInput) -> Option<()> {
        let SolutionInput {
            agent,
            operation,
            ref pairs,
        } = *input;

        // Solutions ascend by agent, and there are no more than a window keeps.
        let follows = self.solvers.last().is_none_or(|(last, _)| *last < agent);
        let counted = self.solves
            && self.solvers.len() < limits::SOLUTIONS_PER_WINDOW
            && (1..=limits::TASKS_PER_CLEARING).contains(&pairs.len());

        if !(follows && counted && pairs.is_sorted_by(|a, b| a.task < b.task)) {
            return None;
        }

        self.solvers.push((agent, operation));
        self.solutions.push(pairs.clone());
        Some(())
    }
}
