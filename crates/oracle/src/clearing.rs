//! Invariant 15 (clearing): running the mechanism again on the inputs that the record binds gives
//! the same assignments.

use std::collections::BTreeMap;

use quorate_crypto::merkle;
use quorate_types::outcome::{Assignment, BidInput, ClearingInput, ClearingRecord};
use quorate_types::{Genesis, Hash, cbor};

use crate::auction::winners;
use crate::model::Model;
use crate::round::{Bid, Bidder, ModelAuction};
use crate::rule::Rule;
use crate::steps::Step;

/// Invariant 15, with the clearings that are not judged yet.
#[derive(Debug, Default)]
pub struct Clearing {
    /// By hash of the record: the clearings in blocks that are not settled.
    cases: BTreeMap<Hash, Case>,
}

/// A clearing that is judged once all of its assignments are known.
#[derive(Debug)]
struct Case {
    record: ClearingRecord,
    inputs: Vec<ClearingInput>,
    /// The assignments that followed from the record.
    won: Vec<Bid>,
}

impl Rule for Clearing {
    const NUMBER: u8 = 15;
    const NAME: &'static str = "clearing";

    fn judge(&mut self, _: &Genesis, _: &Model, step: &Step<'_>) -> Result<(), String> {
        match step {
            Step::Cleared(record, inputs) => {
                let case = Case {
                    record: (*record).clone(),
                    inputs: inputs.to_vec(),
                    won: Vec::new(),
                };

                self.cases.insert(record.hash(), case);
                check_root(record, inputs)
            }

            Step::Assigned(assignment) => self.award(assignment),
            _ => Ok(()),
        }
    }

    fn settle(&mut self, genesis: &Genesis) -> Result<(), String> {
        let cases = std::mem::take(&mut self.cases);
        cases.values().try_for_each(|case| case.run(genesis))
    }
}

impl Clearing {
    /// Adds an assignment to the clearing that it names, and checks its charge.
    fn award(&mut self, assignment: &Assignment) -> Result<(), String> {
        let task = assignment.task;
        let price = assignment.price;

        if assignment.charge < price {
            let charge = assignment.charge;
            return Err(format!(
                "task {task} is charged at {charge}, less than the {price} that is paid"
            ));
        }

        let Some(case) = self.cases.get_mut(&assignment.clearing) else {
            return Err(format!(
                "task {task} was assigned by a clearing that is not in the block"
            ));
        };

        case.won.push(Bid {
            task,
            agent: assignment.agent,
            price,
        });

        Ok(())
    }
}

/// Checks that the record binds these inputs, by their root and their number.
fn check_root(record: &ClearingRecord, inputs: &[ClearingInput]) -> Result<(), String> {
    let leaves: Vec<Vec<u8>> = inputs.iter().map(cbor::encode).collect();

    if record.inputs == merkle::root(&leaves) && record.input_count == leaves.len() as u64 {
        return Ok(());
    }

    Err(format!(
        "the {} inputs of the dossier are not those of the record",
        leaves.len()
    ))
}

impl Case {
    /// Clears again from the inputs, and compares awards, solution and totals with the record.
    fn run(&self, genesis: &Genesis) -> Result<(), String> {
        let record = &self.record;

        self.check(genesis)
            .map_err(|how| format!("window {} of {:?}: {how}", record.window, record.market))
    }

    /// Does what [`Self::run`] does, with errors that do not name the window.
    fn check(&self, genesis: &Genesis) -> Result<(), String> {
        let record = &self.record;
        self.check_mechanism(genesis)?;

        // The oracle clears again from the inputs alone.
        let auction = self.auction(genesis);
        let solution = winners(&auction, &record.mechanism, &self.won)?;

        if record.solution != solution {
            let found = record.solution;
            return Err(format!(
                "it is the solution of {solution:?}, but the record has {found:?}"
            ));
        }

        self.check_totals(&auction)
    }

    /// Checks that the mechanism is the one that the genesis gives to the market.
    fn check_mechanism(&self, genesis: &Genesis) -> Result<(), String> {
        let market = genesis.market(&self.record.market);

        if market.map(|market| &market.mechanism) == Some(&self.record.mechanism) {
            return Ok(());
        }

        Err("the record names another mechanism than the market has".to_owned())
    }

    /// The round that the inputs describe.
    fn auction(&self, genesis: &Genesis) -> ModelAuction<'_> {
        let mut auction = ModelAuction {
            swarm: genesis.swarm_id(),
            market: &self.record.market,
            tasks: BTreeMap::new(),
            bidders: Vec::new(),
            bids: Vec::new(),
            solutions: Vec::new(),
        };

        for input in &self.inputs {
            add_input(&mut auction, input);
        }

        auction
    }

    /// Checks the number of assignments in the record, and the record's total.
    fn check_totals(&self, auction: &ModelAuction<'_>) -> Result<(), String> {
        // The record's total is of the prices bid, which may differ from what is paid.
        let is_won = |bid: &&Bid| {
            let mut won = self.won.iter();
            won.any(|award| (award.task, award.agent) == (bid.task, bid.agent))
        };

        let bids = auction.bids.iter().filter(is_won);
        let total: i64 = bids.map(|bid| bid.price).sum();

        let record = &self.record;
        if (record.assigned, record.total) == (self.won.len() as u64, total) {
            return Ok(());
        }

        Err(format!(
            "the record counts {} assignments at a total of {}, which is not what was assigned",
            record.assigned, record.total
        ))
    }
}

/// Adds an input to the round, unless it is a bid that takes no part.
fn add_input(auction: &mut ModelAuction<'_>, input: &ClearingInput) {
    match input {
        ClearingInput::Task(task) => {
            let of_task = (task.demand.clone(), task.limit);
            auction.tasks.insert(task.task, of_task);
        }

        ClearingInput::Bidder(bidder) => auction.bidders.push(Bidder {
            agent: bidder.agent,
            budget: bidder.budget.clone(),
        }),

        ClearingInput::Bid(bid) => auction.bids.extend(taking_part(bid)),
        ClearingInput::Solution(solution) => auction.solutions.push(solution.clone()),
    }
}

/// The bid of an input; `None` if it is excluded, or a commitment that was not opened. Neither
/// takes part.
fn taking_part(input: &BidInput) -> Option<Bid> {
    let price = input.price.filter(|_| input.excluded.is_none())?;

    Some(Bid {
        task: input.task,
        agent: input.agent,
        price,
    })
}
