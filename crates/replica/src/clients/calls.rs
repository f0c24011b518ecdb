//! Calls for bids: made of the open windows after a decided block.

use quorate_ledger::{Committed, Ledger, WindowView};
use quorate_types::message::Call;
use quorate_types::{
    Block, Label, Outcome, SignedOperation, Stage, TaskId, TaskSpec, cbor, limits,
};

/// The number of open tasks that a call chooses from.
const CALLED_AMONG: usize = 8 * limits::OFFERS_PER_BID;
/// The bytes of the tasks in one call: a call that is too long for a frame would reach nobody.
const CALL_BYTES: usize = limits::FRAME_BYTES;
/// The bytes that the id of a task takes beside its specification, at most.
const TASK_ID_BYTES: usize = 48;

/// Returns whether a decided block may have changed the calls: it brought a task, a new stage
/// of a window, or an outcome other than a refusal.
pub(super) fn changes_calls(ledger: &Ledger, block: &Block, committed: &Committed) -> bool {
    let submits = |op: &SignedOperation| op.payload.body.name() == "submit";
    if block.operations.iter().any(submits) {
        return true;
    }

    // A new stage of a window is not an outcome, so the windows themselves are checked.
    let begins = |window: &WindowView| window.opened == Some(block.header.height);
    if ledger.windows().iter().any(begins) {
        return true;
    }

    let is_refusal = |outcome: &Outcome| matches!(outcome, Outcome::Refusal(_));
    !committed.outcomes.iter().all(is_refusal)
}

/// The calls of all markets that ask for something now.
pub(super) fn open_calls(ledger: &Ledger) -> Vec<Call> {
    let markets = ledger.genesis_info().markets.iter();
    let calls = markets.map(|market| call(ledger, &market.name));
    calls
        .filter(|call| call.stage > Stage::Bids || !call.tasks.is_empty())
        .collect()
}

/// The call of a market as it stands.
pub(super) fn call(ledger: &Ledger, market: &Label) -> Call {
    let windows = ledger.windows();
    let window = windows.iter().find(|window| window.market == *market);

    let stage = window.map(|window| window.stage).unwrap_or_default();
    let tasks = if stage == Stage::Bids {
        called_tasks(ledger, market)
    } else {
        Vec::new()
    };

    Call {
        market: market.clone(),
        window: window.map_or(0, |window| window.number),
        height: ledger.height(),
        stage,
        tasks,
    }
}

/// Returns the open tasks that a call for bids names, ascending: no more than one bid may
/// answer, and no more than a frame holds.
fn called_tasks(ledger: &Ledger, market: &Label) -> Vec<(TaskId, TaskSpec)> {
    let mut open = ledger.open_tasks(market, CALLED_AMONG);

    if open.len() > limits::OFFERS_PER_BID {
        // The choice rotates with the height: tasks that nobody can do must not keep all others
        // from being called.
        let first = first_called(ledger, open.len());
        open.rotate_left(first);
    }

    let mut bytes = 0;
    let mut tasks = Vec::new();

    for (task, spec) in open.into_iter().take(limits::OFFERS_PER_BID) {
        bytes += cbor::encode(&*spec).len() + TASK_ID_BYTES;
        if bytes > CALL_BYTES {
            break;
        }

        tasks.push((task, (*spec).clone()));
    }

    // Back in ascending order, as the message requires.
    tasks.sort_by_key(|(task, _)| *task);
    tasks
}

/// Returns the index of the first of `open` tasks that is called at this height.
fn first_called(ledger: &Ledger, open: usize) -> usize {
    let offers = limits::OFFERS_PER_BID as u64;
    let turn = ledger.height().wrapping_mul(offers);
    (turn % open as u64) as usize
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use quorate_types::OperationBody;
    use quorate_types::operation::Submit;

    use super::*;
    use crate::testing::{Bench, REQUESTER};

    /// A bench with so many open tasks, submitted `at_once` in one operation, each with so many
    /// bytes of payload.
    fn bench_with_tasks(count: u64, at_once: u64, payload: usize) -> Bench {
        let mut bench = Bench::new();
        let mut spec = TaskSpec::new("jobs".parse().unwrap());
        spec.payload.0 = vec![0; payload];
        let mut operations = vec![bench.admission(REQUESTER)];
        for part in 0..count / at_once {
            let submit = OperationBody::Submit(Submit {
                first: part * at_once,
                tasks: vec![spec.clone(); at_once as usize],
            });
            operations.push(bench.operation(REQUESTER, part + 1, submit));
        }
        while !operations.is_empty() {
            let block = bench.commit(operations.clone()).block;
            let taken = |operation: &SignedOperation| block.operations.contains(operation);
            let before = operations.len();
            operations.retain(|operation| !taken(operation));
            assert!(operations.len() < before);
        }
        assert_eq!(bench.ledger().windows()[0].open_tasks, count);
        bench
    }

    fn called(bench: &Bench) -> Vec<TaskId> {
        let call = call(bench.ledger(), &"jobs".parse().unwrap());
        call.tasks.into_iter().map(|(task, _)| task).collect()
    }

    #[test]
    fn a_call_fits_into_a_frame() {
        let bench = bench_with_tasks(75, 15, limits::TASK_PAYLOAD_BYTES);
        let call = call(bench.ledger(), &"jobs".parse().unwrap());
        let bytes = cbor::encode(&call.tasks).len();
        assert!(bytes <= limits::FRAME_BYTES, "{bytes} bytes");
        assert!(bytes > limits::FRAME_BYTES - 2 * limits::TASK_PAYLOAD_BYTES);
    }

    #[test]
    fn tasks_beyond_one_bid_are_called_at_later_heights() {
        let count = 640;
        let mut bench = bench_with_tasks(count, 64, 0);
        let mut all = BTreeSet::new();
        for _ in 0..2 {
            let tasks = called(&bench);
            assert_eq!(tasks.len(), limits::OFFERS_PER_BID);
            assert!(tasks.is_sorted());
            all.extend(tasks);
            bench.commit(Vec::new());
        }
        assert_eq!(all.len() as u64, count);
    }

    #[test]
    fn a_market_that_asks_for_nothing_is_not_called() {
        assert!(open_calls(Bench::new().ledger()).is_empty());
        let bench = bench_with_tasks(1, 1, 0);
        assert_eq!(open_calls(bench.ledger()).len(), 1);
    }
}
