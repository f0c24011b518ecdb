//! Invariant 13 (conservation): every task that was taken in has one state at every correct
//! validator: the state that its history gives. No task vanishes.

use quorate_ledger::Ledger;
use quorate_types::TaskId;

use super::oracle::{Model, OnLedger, Rule, Step};
use crate::seen::Seen;
use crate::world::World;

/// Creates the invariant for a run that has not begun.
pub(super) fn conservation() -> OnLedger<Conservation> {
    OnLedger::default()
}

/// Invariant 13, which keeps no state besides the model.
#[derive(Debug, Default)]
pub(super) struct Conservation;

impl Rule for Conservation {
    const NUMBER: u8 = 13;
    const NAME: &'static str = "conservation";

    fn judge(&mut self, _: &World, _: &Model, _: &Step<'_>) -> Result<(), String> {
        Ok(())
    }

    fn see(&mut self, world: &World, model: &Model, seen: &Seen) -> Result<(), String> {
        match seen {
            Seen::Committed { validator, .. } => {
                compare(world, model, *validator, model.touched.iter())
            }

            // A process that starts may have lost any task, so all of them are compared.
            Seen::Started { validator, .. } => {
                compare(world, model, *validator, model.tasks.keys())
            }
            _ => Ok(()),
        }
    }

    fn end(&mut self, world: &World, model: &Model) -> Result<(), String> {
        let mut all = 0..world.validators().len();
        all.try_for_each(|at| compare(world, model, at, model.tasks.keys()))
    }
}

/// Compares the tasks of a validator with the model, if it stands at the height of the model.
fn compare<'a>(
    world: &World,
    model: &Model,
    at: usize,
    mut tasks: impl Iterator<Item = &'a TaskId>,
) -> Result<(), String> {
    let height = model.now.height;
    let host = &world.validators()[at];

    let replica = host.replica().filter(|_| host.is_correct());
    let ledger = replica.map(|replica| replica.ledger());

    let Some(ledger) = ledger.filter(|ledger| ledger.height() == height) else {
        return Ok(());
    };

    tasks.try_for_each(|id| {
        compare_task(model, ledger, *id)
            .map_err(|how| format!("height {height}, validator {at}: {how}"))
    })
}

/// Compares one task of a ledger with the model.
fn compare_task(model: &Model, ledger: &Ledger, id: TaskId) -> Result<(), String> {
    let task = model.tasks.get(&id);
    let expected = task.map(|task| (task.state.name(), task.token));
    let found = ledger.task(id).map(|view| (view.state.name(), view.token));

    if expected == found {
        return Ok(());
    }

    Err(format!(
        "task {id} is {found:?}, but should be {expected:?}"
    ))
}
