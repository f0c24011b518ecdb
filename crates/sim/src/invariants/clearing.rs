//! Invariant 15 (clearing): running the mechanism again on the inputs that the record binds gives
//! the same assignments.

use std::collections::BTreeMap;

use quorate_crypto::merkle;
use quorate_types::outcome::{Assignment, ClearingInput, ClearingRecord};
use quorate_types::{Hash, cbor};

use super::oracle::{Bid, Bidder, Model, OnLedger, Round, Rule, Step, awards};
use crate::seen::Seen;
use crate::world::World;

/// Creates the invariant for a run that has not begun.
pub(super) fn clearing() -> OnLedger<Clearing> {
    OnLedger::default()
}

/// Invariant 15, with the clearings that are not judged yet.
#[derive(Debug, Default)]
pub(super) struct Clearing {
    /// By hash of the record: the record, its inputs and the assignments that followed from it, for
    /// the clearings in the blocks of the current observation.
    records: BTreeMap<Hash, (ClearingRecord, Vec<ClearingInput>, Vec<Bid>)>,
}

impl Rule for Clearing {
    const NUMBER: u8 = 15;
    const NAME: &'static str = "clearing";

    fn judge(&mut self, _: &World, _: &Model, step: &Step<'_>) -> Result<(), String> {
        match step {
            Step::Cleared(record, inputs) => {
                let what = ((*record).clone(), inputs.to_vec(), Vec::new());
                self.records.insert(record.hash(), what);
                check_root(record, inputs)
            }

            Step::Assigned(Assignment {
                task,
                agent,
                price,
                charge,
                clearing,
                ..
            }) => {
                if charge < price {
                    return Err(format!(
                        "task {task} is charged at {charge}, less than the {price} that is paid"
                    ));
                }

                let bid = Bid {
                    task: *task,
                    agent: *agent,
                    price: *price,
                };

                let of = self.records.get_mut(clearing);
                let (_, _, won) = of.ok_or(format!(
                    "task {task} was assigned by a clearing that is not in the block"
                ))?;
                won.push(bid);
                Ok(())
            }

            _ => Ok(()),
        }
    }

    fn see(&mut self, world: &World, _: &Model, _: &Seen) -> Result<(), String> {
        let records = std::mem::take(&mut self.records);
        records
            .values()
            .try_for_each(|(record, inputs, won)| run(world, record, inputs, won))
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

/// Clears again from the inputs, and compares awards, solution and totals with the record.
fn run(
    world: &World,
    record: &ClearingRecord,
    inputs: &[ClearingInput],
    won: &[Bid],
) -> Result<(), String> {
    let mut round = Round {
        swarm: world.genesis().swarm_id(),
        market: &record.market,
        tasks: BTreeMap::new(),
        bidders: Vec::new(),
        bids: Vec::new(),
        solutions: Vec::new(),
    };

    for input in inputs {
        match input {
            ClearingInput::Task(task) => {
                round
                    .tasks
                    .insert(task.task, (task.demand.clone(), task.limit));
            }

            ClearingInput::Bidder(bidder) => {
                let (agent, budget) = (bidder.agent, bidder.budget.clone());
                round.bidders.push(Bidder { agent, budget });
            }

            ClearingInput::Bid(bid) => {
                // An excluded bid and a commitment that was not opened take no part.
                let price = bid.price.filter(|_| bid.excluded.is_none());
                let takes_part = price.map(|price| Bid {
                    task: bid.task,
                    agent: bid.agent,
                    price,
                });
                round.bids.extend(takes_part);
            }

            ClearingInput::Solution(solution) => round.solutions.push(solution.clone()),
        }
    }

    let of = |how: String| format!("window {} of {:?}: {how}", record.window, record.market);
    // The mechanism is the one that the genesis gives to the market.
    let mechanism = world
        .genesis()
        .markets
        .iter()
        .find(|market| market.name == record.market);
    if mechanism.map(|market| &market.mechanism) != Some(&record.mechanism) {
        return Err(of(
            "the record names another mechanism than the market has".to_owned()
        ));
    }

    // The oracle clears again from the inputs alone.
    let solution = awards(&round, &record.mechanism, won).map_err(of)?;
    if record.solution != solution {
        let found = record.solution;
        return Err(of(format!(
            "it is the solution of {solution:?}, but the record has {found:?}"
        )));
    }

    // The record's total is of the prices bid, which may differ from what is paid.
    let is_won = |bid: &&Bid| {
        won.iter()
            .any(|w| (w.task, w.agent) == (bid.task, bid.agent))
    };
    let total: i64 = round.bids.iter().filter(is_won).map(|bid| bid.price).sum();

    if (record.assigned, record.total) != (won.len() as u64, total) {
        return Err(of(format!(
            "the record counts {} assignments at a total of {}, which is not what was assigned",
            record.assigned, record.total
        )));
    }

    Ok(())
}
