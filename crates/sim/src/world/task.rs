//! The tasks of the plan, as the requester submits them.

use quorate_types::{Label, Millis, TaskSpec};

use super::clock::START;
use crate::plan::TaskPlan;

/// The specification of a task that is submitted at the time `now`.
pub(super) fn spec(task: &TaskPlan, market: &Label, now: Millis) -> TaskSpec {
    let labels = task.requires.iter().filter_map(|name| name.parse().ok());

    let mut spec = TaskSpec::new(market.clone());
    spec.requires.labels = labels.collect();
    spec.deadline = task.deadline_after.map(|after| START + now + after);
    spec
}
