//! Rules about what blocks do, judged step by step against the model.

use super::{Model, Step};
use crate::invariants::Invariant;
use crate::seen::Seen;
use crate::world::World;

/// A rule that is judged step by step, by the state before each step.
pub(in crate::invariants) trait Rule: Default {
    /// The number of the invariant.
    const NUMBER: u8;
    /// The name of the invariant in reports.
    const NAME: &'static str;

    /// Judges a step of a block; `model` is the state before the step.
    ///
    /// # Errors
    /// A description, for people, of how the rule was broken.
    fn judge(&mut self, world: &World, model: &Model, step: &Step<'_>) -> Result<(), String>;

    /// Judges an observation after the model took in its blocks.
    ///
    /// # Errors
    /// A description, for people, of how the rule was broken.
    fn see(&mut self, _world: &World, _model: &Model, _seen: &Seen) -> Result<(), String> {
        Ok(())
    }

    /// Judges the end of the run.
    ///
    /// # Errors
    /// A description, for people, of how the rule was broken.
    fn end(&mut self, _world: &World, _model: &Model) -> Result<(), String> {
        Ok(())
    }
}

/// A rule with the model by which it is judged.
#[derive(Debug, Default)]
pub(in crate::invariants) struct OnLedger<R> {
    model: Model,
    rule: R,
}

impl<R: Rule> Invariant for OnLedger<R> {
    fn number(&self) -> u8 {
        R::NUMBER
    }

    fn name(&self) -> &'static str {
        R::NAME
    }

    fn see(&mut self, world: &World, seen: &Seen) -> Result<(), String> {
        let rule = &mut self.rule;
        self.model.follow(world, seen, &mut |model, step| {
            rule.judge(world, model, step)
        })?;
        self.rule.see(world, &self.model, seen)
    }

    fn end(&mut self, world: &World) -> Result<(), String> {
        self.rule.end(world, &self.model)
    }
}
