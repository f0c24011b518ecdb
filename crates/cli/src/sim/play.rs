//! Plays one seed, from its plan to its report. The run can be watched and stopped, and its panic
//! does not end other runs.

use std::any::Any;
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use anyhow::Result;
use quorate_sim::{Line, Plan, SimReport, Simulation, Violation};
use quorate_types::{Height, Millis};

/// Number and name of the invariant that a panic breaks.
const NO_PANIC: (u8, &str) = (25, "no panic");

/// Tells runs to end before their time, and why.
#[derive(Debug, Clone, Default)]
pub(super) struct Stop(Arc<AtomicU8>);

/// No more runs are needed, for instance because a violation was found.
const ENOUGH: u8 = 1;
/// Someone pressed Ctrl-C.
const INTERRUPTED: u8 = 2;

// The greater reason is kept, so that an interrupt is never forgotten.
impl Stop {
    pub(super) fn enough(&self) {
        self.0.fetch_max(ENOUGH, Ordering::Relaxed);
    }

    pub(super) fn interrupt(&self) {
        self.0.fetch_max(INTERRUPTED, Ordering::Relaxed);
    }

    pub(super) fn is_asked(&self) -> bool {
        self.0.load(Ordering::Relaxed) > 0
    }

    pub(super) fn is_interrupted(&self) -> bool {
        self.0.load(Ordering::Relaxed) == INTERRUPTED
    }
}

/// How far a run has come.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Mark {
    pub(super) step: u64,
    pub(super) at_ms: Millis,
    pub(super) height: Height,
}

/// A function that is called with every observation.
pub(super) type Trace = Box<dyn FnMut(&Line)>;

/// Runs a plan until it is over, an invariant is violated, or `go_on` returns false.
///
/// # Errors
/// If the plan does not make a world.
pub(super) fn play(
    plan: Plan,
    trace: Option<Trace>,
    mut go_on: impl FnMut(Mark) -> bool,
) -> Result<SimReport> {
    let seed = plan.seed;
    let mark = Rc::new(RefCell::new(Mark::default()));
    let seen = Rc::clone(&mark);

    let run = move || {
        simulate(plan, trace, |now| {
            *seen.borrow_mut() = now;
            go_on(now)
        })
    };

    // After a panic, nothing of the run is used again except the mark.
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| {
        let mark = *mark.borrow();
        Ok(panicked(seed, mark, panic.as_ref()))
    })
}

/// Runs a plan with a simulation that calls `go_on` after each step.
fn simulate(
    plan: Plan,
    trace: Option<Trace>,
    mut go_on: impl FnMut(Mark) -> bool,
) -> Result<SimReport> {
    let mut simulation = Simulation::new(plan)?;
    if let Some(trace) = trace {
        simulation = simulation.traced(trace);
    }

    Ok(simulation.run_while(|run| {
        go_on(Mark {
            step: run.steps(),
            at_ms: run.world().now(),
            height: run.height(),
        })
    }))
}

/// The report of a run that panicked.
fn panicked(seed: u64, mark: Mark, panic: &(dyn Any + Send)) -> SimReport {
    // A panic carries its message as one of these two types.
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    let (invariant, name) = NO_PANIC;

    let violation = Violation {
        invariant,
        name,
        how: format!("a panic: {}", text.unwrap_or("without a text")),
        // The mark is that of the last step that ended, and the next one panicked.
        step: mark.step + 1,
        at_ms: mark.at_ms,
        seed,
    };

    SimReport {
        seed,
        heights: mark.height,
        steps: mark.step + 1,
        simulated_ms: mark.at_ms,
        violations: vec![violation],
        ..SimReport::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use quorate_sim::{Profile, Size};

    #[test]
    fn a_panic_is_a_violation_of_its_seed() {
        let plan = Profile::Calm.plan(
            5,
            Size {
                tasks: 1,
                ..Size::default()
            },
        );
        let go_on = |mark: Mark| {
            assert!(mark.step < 9, "nine is enough");
            true
        };
        let report = play(plan, None, go_on).unwrap();
        let violation = &report.violations[0];
        assert_eq!(
            (violation.seed, violation.invariant, violation.step),
            (5, 25, 10)
        );
        assert!(violation.how.contains("nine is enough"), "{violation}");
    }

    #[test]
    fn an_interrupt_outweighs_enough() {
        let stop = Stop::default();
        assert!(!stop.is_asked());
        stop.interrupt();
        stop.enough();
        assert!(stop.is_asked() && stop.is_interrupted());
    }
}
