//! Invariant 13 (conservation): every task that was taken in has one state at every correct
//! validator: the state that its history gives. No task vanishes.

use quorate_ledger::Ledger;
use quorate_oracle::Model;
use quorate_types::TaskId;

use super::invariant::Invariant;
use super::observed::decided;
use crate::seen::Seen;
use crate::world::World;

/// Invariant 13, with the states that the blocks give.
#[derive(Debug, Default)]
pub(super) struct Conservation {
    model: Model,
}

impl Invariant for Conservation {
    fn number(&self) -> u8 {
        13
    }

    fn name(&self) -> &'static str {
        "conservation"
    }

    fn see(&mut self, world: &World, seen: &Seen) -> Result<(), String> {
        self.model.follow(world.genesis(), decided(world, seen));
        let model = &self.model;

        match seen {
            Seen::Committed { validator, .. } => compare(world, model, *validator, model.touched()),

            // A process that starts may have lost any task, so all of them are compared.
            Seen::Started { validator, .. } => {
                compare(world, model, *validator, model.tasks().keys())
            }
            _ => Ok(()),
        }
    }

    fn end(&mut self, world: &World) -> Result<(), String> {
        let model = &self.model;
        let mut all = 0..world.validators().len();
        all.try_for_each(|at| compare(world, model, at, model.tasks().keys()))
    }
}

/// Compares the tasks of a validator with the model, if it stands at the height of the model.
fn compare<'a>(
    world: &World,
    model: &Model,
    at: usize,
    mut tasks: impl Iterator<Item = &'a TaskId>,
) -> Result<(), String> {
    let height = model.now().height;
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
    let task = model.task(&id);
    let expected = task.map(|task| (task.state.name(), task.token));
    let found = ledger.task(id).map(|view| (view.state.name(), view.token));

    if expected == found {
        return Ok(());
    }

    Err(format!(
        "task {id} is {found:?}, but should be {expected:?}"
    ))
}
