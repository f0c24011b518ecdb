//! The account, as validators with more than a third of the power agree on it: at least one of them
//! is correct.

use std::collections::BTreeSet;

use quorate_types::message::AccountSummary;
use quorate_types::{FencingToken, Power, TaskId, ValidatorSet};

/// The state of this client's account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum AccountState {
    /// The swarm does not know the key.
    Stranger,
    /// The swarm knows the key. The numbers are lower bounds: at least one correct validator has
    /// come so far.
    Member {
        next_sequence: u64,
        next_task: u64,
        assigned: BTreeSet<(TaskId, FencingToken)>,
    },
}

/// Derives the account from the answers of validators, each with its power. Returns `None` if there
/// are too few answers, or if they differ.
pub(super) fn standing(
    answers: &[(Power, &Option<AccountSummary>)],
    validators: &ValidatorSet,
) -> Option<AccountState> {
    let sequences = members(answers).map(|(power, account)| (power, account.next_sequence));
    let tasks = members(answers).map(|(power, account)| (power, account.next_task));

    if let Some(next_sequence) = reached_by_a_third(sequences, validators) {
        return Some(AccountState::Member {
            next_sequence,
            next_task: reached_by_a_third(tasks, validators)?,
            assigned: assigned(answers, validators),
        });
    }

    let strangers = answers
        .iter()
        .filter(|(_, a)| a.is_none())
        .map(|(power, _)| power)
        .sum();

    validators
        .exceeds_one_third(strangers)
        .then_some(AccountState::Stranger)
}

/// Returns the answers of the validators that know the key, each with its power.
fn members<'a>(
    answers: &'a [(Power, &Option<AccountSummary>)],
) -> impl Iterator<Item = (Power, &'a AccountSummary)> {
    answers
        .iter()
        .filter_map(|(power, answer)| Some((*power, answer.as_ref()?)))
}

/// Returns the awards that enough validators list.
fn assigned(
    answers: &[(Power, &Option<AccountSummary>)],
    validators: &ValidatorSet,
) -> BTreeSet<(TaskId, FencingToken)> {
    let listed: BTreeSet<_> = members(answers)
        .flat_map(|(_, account)| account.assigned.iter().copied())
        .collect();

    let power_of = |held: &(TaskId, FencingToken)| {
        members(answers)
            .filter(|(_, account)| account.assigned.contains(held))
            .map(|(power, _)| power)
            .sum()
    };

    listed
        .into_iter()
        .filter(|held| validators.exceeds_one_third(power_of(held)))
        .collect()
}

/// Returns the greatest value that validators with more than a third of the power reach.
pub(super) fn reached_by_a_third<T: Ord>(
    values: impl Iterator<Item = (Power, T)>,
    validators: &ValidatorSet,
) -> Option<T> {
    let mut values: Vec<_> = values.collect();
    values.sort_by(|a, b| b.1.cmp(&a.1));

    let mut power = 0;
    values.into_iter().find_map(|(own, value)| {
        power += own;
        validators.exceeds_one_third(power).then_some(value)
    })
}
