//! Rules on what blocks do.

use super::{Model, Step};
use crate::invariants::Invariant;
use crate::seen::Seen;
use crate::world::World;

/// A rule that is judged step by step, by the state before each step.
pub(in crate::invariants) trait Rule: Default {
    /// Number of the invariant.
    const NUMBER: u8;
    /// Its name.
    const NAME: &'static str;

    /// Judges a step of a block; the model is as it was before.
    ///
    /// # Errors
    /// How the rule was broken.
    fn judge(&mut self, world: &World, model: &Model, step: &Step<'_>) -> Result<(), String>;

    /// Judges an observation after its blocks were taken in.
    ///
    /// # Errors
    /// How the rule was broken.
    fn see(&mut self, _world: &World, _model: &Model, _seen: &Seen) -> Result<(), String> {
        Ok(())
    }

    /// Judges the end of the run.
    ///
    /// # Errors
    /// How the rule was broken.
    fn end(&mut self, _world: &World, _model: &Model) -> Result<(), String> {
        Ok(())
    }
}

/// A rule with the model it is judged by.
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
