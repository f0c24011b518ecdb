//! The account, as validators with more than a third of the power agree on it: at least one of them
//! is correct.

use std::collections::BTreeSet;

use quorate_types::message::AccountSummary;
use quorate_types::{FencingToken, Power, TaskId, ValidatorSet};

use super::agreement::reached_by_a_third;

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

#[cfg(test)]
mod tests {
    use super::super::testing::{task, validators};
    use super::*;

    fn answer(next_sequence: u64, assigned: &[u64]) -> Option<AccountSummary> {
        let assigned = assigned
            .iter()
            .map(|number| (task(*number), FencingToken(1)));
        Some(AccountSummary {
            next_sequence,
            next_task: next_sequence,
            assigned: assigned.collect(),
        })
    }

    fn state(answers: &[Option<AccountSummary>]) -> Option<AccountState> {
        let answers: Vec<_> = answers.iter().map(|answer| (1, answer)).collect();
        standing(&answers, &validators())
    }

    #[test]
    fn one_validator_of_four_is_not_believed() {
        assert_eq!(state(&[answer(9, &[1])]), None);
        assert_eq!(state(&[None]), None);
        assert_eq!(state(&[answer(9, &[1]), None]), None);
        assert_eq!(state(&[None, None]), Some(AccountState::Stranger));

        let member = AccountState::Member {
            next_sequence: 4,
            next_task: 4,
            assigned: BTreeSet::from([(task(2), FencingToken(1))]),
        };
        assert_eq!(state(&[answer(9, &[1, 2]), answer(4, &[2])]), Some(member));
    }
}
