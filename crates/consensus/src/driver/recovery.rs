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

        let round = self.state.round;
        let open = self
            .asked
            .iter()
            .filter(|block| !self.verdicts.contains_key(*block));
        let mut outputs: Vec<Output> = open.map(|block| Output::Check { block: *block }).collect();

        if self.awaits_build() {
            outputs.push(Output::Build { round });
        }

        // Asking again is safe: the guard returns the signature that it gave before.
        let unheard = self
            .signed
            .iter()
            .filter(|(kind, _)| !self.has_come_back(**kind));
        outputs.extend(unheard.map(|(_, statement)| Output::Sign(statement.clone())));

        // A timer that ran at the time of the crash is gone, so it is scheduled again.
        let timers = self.scheduled.iter().filter(|step| self.can_fire(**step));
        outputs.extend(timers.map(|step| Output::Schedule { round, step: *step }));
        outputs
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
