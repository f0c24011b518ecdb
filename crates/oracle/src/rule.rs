//! Rules about the steps of blocks, judged one by one against the model.

use quorate_types::Genesis;

use crate::decided::Decided;
use crate::model::Model;
use crate::steps::Step;

/// A rule that is judged step by step, by the state before each step.
pub trait Rule: Default {
    /// The number of the invariant, as in the book.
    const NUMBER: u8;
    /// The name of the invariant in reports.
    const NAME: &'static str;

    /// Judges a step of a block; `model` is the state before the step.
    ///
    /// # Errors
    /// A description, for people, of how the rule was broken.
    fn judge(&mut self, genesis: &Genesis, model: &Model, step: &Step<'_>) -> Result<(), String>;

    /// Judges the blocks whose steps were judged since the last call.
    ///
    /// # Errors
    /// A description, for people, of how the rule was broken.
    fn settle(&mut self, _genesis: &Genesis) -> Result<(), String> {
        Ok(())
    }
}

/// A rule with the model by which it is judged.
#[derive(Debug, Default)]
pub struct Judge<R> {
    model: Model,
    rule: R,
}

impl<R: Rule> Judge<R> {
    /// Takes in the report of a correct validator, if there is one, and judges the blocks that are
    /// next in order.
    ///
    /// # Errors
    /// A description, for people, of how the rule was broken.
    pub fn follow(&mut self, genesis: &Genesis, report: Option<Decided>) -> Result<(), String> {
        let rule = &mut self.rule;

        self.model
            .follow_judged(genesis, report, &mut |model, step| {
                rule.judge(genesis, model, step)
            })?;

        self.rule.settle(genesis)
    }

    /// The rule, with all that it knows by now.
    pub fn rule_mut(&mut self) -> &mut R {
        &mut self.rule
    }
}
