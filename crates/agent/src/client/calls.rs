//! Calls for bids: merges the calls of many validators into the ones that are passed on.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use quorate_types::message::Call;
use quorate_types::{Hash, Label, PublicKey, Stage, TaskId, TaskSpec, ValidatorSet, limits};

use super::agreement::reached_by_a_third;

/// The number of specifications that are kept for awards to come.
const SPECS: usize = 8 * limits::OFFERS_PER_BID;

/// A window and its stage. They are ordered as they follow each other.
type WindowStage = (u64, Stage);

/// The newest call of each validator and market.
///
/// A call proves nothing, so one validator alone must neither hide tasks nor make the newest window
/// look old. The window passed on is one that validators with more than a third of the power have
/// reached; before so many have spoken, it is the newest. Its tasks are all that any of them lists.
/// The client believes that a window takes no more bids only if so many validators say so: one that
/// lies must not have commitments opened while others can still commit.
#[derive(Debug, Default)]
pub(super) struct Calls {
    newest: BTreeMap<Label, BTreeMap<PublicKey, Call>>,
    passed_on: BTreeMap<Label, (WindowStage, BTreeSet<TaskId>)>,
    specs: BTreeMap<(TaskId, Hash), TaskSpec>,
    spec_order: VecDeque<(TaskId, Hash)>,
    /// Tasks from which this client is excluded permanently (L-17), the newest last. Without this,
    /// it would bid, be refused, and so keep the market clearing for nothing.
    excluded: VecDeque<TaskId>,
}

impl Calls {
    /// Takes a call from a validator. Returns a call for the owner if it says something new.
    pub(super) fn on_call(
        &mut self,
        from: PublicKey,
        call: Call,
        validators: &ValidatorSet,
    ) -> Option<Call> {
        if !self.is_within_limits(&call) {
            return None;
        }

        let market = call.market.clone();
        let calls = self.newest.entry(market.clone()).or_default();
        // A frame may arrive twice or late (W-7), so an older call changes nothing.
        let older = calls.get(&from);
        if older.is_some_and(|older| place(older) > place(&call)) {
            return None;
        }

        calls.insert(from, call);
        let mut call = merge(&market, calls, validators)?;
        call.tasks.retain(|(task, _)| !self.excluded.contains(task));

        self.pass_on(&call).then(|| {
            self.remember(&call.tasks);
            call
        })
    }

    /// Returns whether a call is in order and within the limits. One validator must not fill the
    /// memory, so the length of its lists is bounded.
    fn is_within_limits(&self, call: &Call) -> bool {
        let ordered = call.tasks.is_sorted_by(|a, b| a.0 < b.0);
        let has_room =
            self.newest.contains_key(&call.market) || self.newest.len() < limits::MARKETS;

        ordered && has_room && call.tasks.len() <= limits::OFFERS_PER_BID
    }

    /// Notes a call as passed on. Returns `false` if it says nothing new.
    fn pass_on(&mut self, call: &Call) -> bool {
        let (passed, tasks) = self.passed_on.entry(call.market.clone()).or_default();
        let listed: BTreeSet<_> = call.tasks.iter().map(|(task, _)| *task).collect();
        // A call that lists fewer tasks of the same place says nothing new.
        if place(call) == *passed && listed.is_subset(tasks) {
            return false;
        }

        *passed = place(call);
        *tasks = listed;
        true
    }

    /// Returns the window of a market that was passed on last.
    pub(super) fn window(&self, market: &Label) -> Option<u64> {
        self.passed_on.get(market).map(|((window, _), _)| *window)
    }

    /// Does not pass this task on any more.
    pub(super) fn exclude(&mut self, task: TaskId) {
        if self.excluded.len() >= SPECS {
            self.excluded.pop_front();
        }
        self.excluded.push_back(task);
    }

    /// Returns the specification that was called with this hash.
    pub(super) fn spec(&self, task: TaskId, hash: Hash) -> Option<&TaskSpec> {
        self.specs.get(&(task, hash))
    }

    /// Forgets the calls of a validator, because it is no longer connected.
    pub(super) fn forget(&mut self, validator: &PublicKey) {
        for calls in self.newest.values_mut() {
            calls.remove(validator);
        }
    }

    /// Forgets all calls. Returns the markets that they were for.
    pub(super) fn reset(&mut self) -> Vec<Label> {
        self.passed_on
            .values_mut()
            .for_each(|(_, tasks)| tasks.clear());
        std::mem::take(&mut self.newest).into_keys().collect()
    }

    fn remember(&mut self, tasks: &[(TaskId, TaskSpec)]) {
        for (task, spec) in tasks {
            let id = (*task, spec.hash());
            if self.specs.insert(id, spec.clone()).is_none() {
                self.spec_order.push_back(id);
            }
        }

        while self.spec_order.len() > SPECS {
            if let Some(oldest) = self.spec_order.pop_front() {
                self.specs.remove(&oldest);
            }
        }
    }
}

/// Merges the calls of all validators in one market. Returns `None` if they give no call yet.
fn merge(
    market: &Label,
    calls: &BTreeMap<PublicKey, Call>,
    validators: &ValidatorSet,
) -> Option<Call> {
    let (window, stage) = reached_place(calls, validators)?;
    let call = |height, tasks| Call {
        market: market.clone(),
        window,
        height,
        stage,
        tasks,
    };

    if stage > Stage::Bids {
        let height = calls.values().map(|call| call.height).min().unwrap_or(0);
        return Some(call(height, Vec::new()));
    }

    // A validator that is still in an earlier window lists tasks that may be gone.
    let current = calls
        .values()
        .filter(|call| place(call) >= (window, Stage::Bids));
    let height = current.clone().map(|call| call.height).min()?;

    Some(call(height, all_tasks(current)))
}

/// Returns the newest window and stage that enough validators have reached.
fn reached_place(
    calls: &BTreeMap<PublicKey, Call>,
    validators: &ValidatorSet,
) -> Option<WindowStage> {
    let places = calls
        .iter()
        .map(|(key, call)| (validators.power(key), place(call)));

    // Until enough validators have spoken, the newest window that takes bids is believed.
    let newest = calls
        .values()
        .map(place)
        .filter(|(_, stage)| *stage == Stage::Bids)
        .max();

    reached_by_a_third(places, validators).or(newest)
}

/// Returns the tasks that any of the calls lists, as many as one bid may name.
fn all_tasks<'a>(calls: impl Iterator<Item = &'a Call>) -> Vec<(TaskId, TaskSpec)> {
    let tasks: BTreeMap<_, _> = calls
        .flat_map(|call| call.tasks.iter().map(|(id, spec)| (*id, spec)))
        .collect();

    tasks
        .into_iter()
        .take(limits::OFFERS_PER_BID)
        .map(|(id, spec)| (id, spec.clone()))
        .collect()
}

fn place(call: &Call) -> WindowStage {
    (call.window, call.stage)
}

#[cfg(test)]
mod tests {
    use quorate_types::Validator;

    use super::*;

    #[test]
    fn l17_a_task_that_it_is_excluded_from_is_called_no_more()
    -> Result<(), Box<dyn std::error::Error>> {
        let (key, market) = (PublicKey([1; 32]), "jobs".parse::<Label>()?);
        let member = Validator {
            key,
            power: 1,
            operator: "op".parse()?,
        };
        let validators = ValidatorSet::new(vec![member])?;
        let task = |number| TaskId {
            requester: PublicKey([2; 32]),
            number,
        };
        let call = |window| {
            let tasks = [0, 1].map(|number| (task(number), TaskSpec::new(market.clone())));
            let tasks = tasks.to_vec();
            Call {
                market: market.clone(),
                window,
                height: window,
                stage: Stage::Bids,
                tasks,
            }
        };

        let mut calls = Calls::default();

        let listed = |calls: &mut Calls, window| {
            let call = calls.on_call(key, call(window), &validators);
            call.map(|call| {
                call.tasks
                    .into_iter()
                    .map(|(id, _)| id.number)
                    .collect::<Vec<_>>()
            })
        };

        assert_eq!(listed(&mut calls, 1), Some(vec![0, 1]));
        calls.exclude(task(0));
        assert_eq!(listed(&mut calls, 2), Some(vec![1]));
        Ok(())
    }
}
