//! Recovery: the work that is still open after the inputs of a log were handled again.

use quorate_types::Kind;

use super::{Driver, Output};
use crate::round::Step;

impl Driver {
    /// The outputs that no input has answered yet: the verdicts asked for, the block to build, the
    /// statements of the current round to sign, and its timeouts. Once the height is decided, the
    /// decision alone.
    ///
    /// To recover, handle the logged inputs again. Of the outputs keep the polkas and the evidence,
    /// stop at a contradiction, and ignore the rest. Then carry out the outputs that this function
    /// returns. A [`Output::Sign`] that was answered before the crash is found in the signing
    /// guard, which gives the same signature again. [`Output::Build`] is among the outputs only if
    /// the log holds neither [`crate::Input::Built`] nor the proposal itself (N-32).
    pub fn unanswered(&self) -> Vec<Output> {
        if let Some(commit) = &self.decision {
            return vec![Output::Decided(commit.clone())];
        }

        if self.state.step == Step::Unstarted {
            return Vec::new();
        }

        let mut outputs: Vec<Output> = self.open_checks().collect();

        if self.awaits_build() {
            outputs.push(Output::Build {
                round: self.state.round,
            });
        }

        // Asking again is safe: the guard returns the signature that it gave before.
        outputs.extend(self.open_signatures());
        // A timer that ran at the time of the crash is gone, so it is scheduled again.
        outputs.extend(self.open_timeouts());
        outputs
    }

    /// The verdicts that were asked for and not given.
    fn open_checks(&self) -> impl Iterator<Item = Output> {
        let open = self
            .asked
            .iter()
            .filter(|block| !self.verdicts.contains_key(*block));

        open.map(|block| Output::Check { block: *block })
    }

    /// The statements of the current round that this node must sign and was not given back.
    fn open_signatures(&self) -> impl Iterator<Item = Output> {
        let unheard = self
            .signed
            .iter()
            .filter(|(kind, _)| !self.has_come_back(**kind));

        unheard.map(|(_, statement)| Output::Sign(statement.clone()))
    }

    /// The timeouts of the current round that still have an effect.
    fn open_timeouts(&self) -> impl Iterator<Item = Output> {
        let round = self.state.round;
        let timers = self.scheduled.iter().filter(|step| self.can_fire(**step));
        timers.map(move |step| Output::Schedule { round, step: *step })
    }

    /// Whether this node's own statement of the current round was fed back.
    fn has_come_back(&self, kind: Kind) -> bool {
        let known = |me| {
            self.tally
                .statement_of(me, self.state.round, kind)
                .is_some()
        };

        self.config.me.as_ref().is_some_and(known)
    }

    /// Whether the timeout of this step still has an effect: the timeouts of propose and prevote
    /// end with their step (lines 57, 61).
    fn can_fire(&self, step: Step) -> bool {
        step == Step::Precommit || step == self.state.step
    }
}
