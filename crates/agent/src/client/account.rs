//! The account, as validators with more than a third of the power agree on it: at least one of them
//! is correct.

use std::collections::BTreeSet;

use quorate_types::message::AccountSummary;
use quorate_types::{FencingToken, Power, TaskId, ValidatorSet};

/// The state of this client's account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Standing {
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
) -> Option<Standing> {
    let members = || {
        answers
            .iter()
            .filter_map(|(power, answer)| Some((*power, answer.as_ref()?)))
    };

    if let Some(next_sequence) = backed(members().map(|(p, a)| (p, a.next_sequence)), validators) {
        let next_task = backed(members().map(|(p, a)| (p, a.next_task)), validators)?;

        // An award counts if enough validators list it.
        let listed: BTreeSet<_> = members()
            .flat_map(|(_, a)| a.assigned.iter().copied())
            .collect();
        let power_of = |held: &(TaskId, FencingToken)| {
            members()
                .filter(|(_, a)| a.assigned.contains(held))
                .map(|(power, _)| power)
                .sum()
        };

        let assigned = listed
            .into_iter()
            .filter(|held| validators.has_correct(power_of(held)))
            .collect();

        return Some(Standing::Member {
            next_sequence,
            next_task,
            assigned,
        });
    }

    let strangers = answers
        .iter()
        .filter(|(_, a)| a.is_none())
        .map(|(power, _)| power)
        .sum();

    validators
        .has_correct(strangers)
        .then_some(Standing::Stranger)
}

/// Returns the greatest value that validators with more than a third of the power reach.
pub(super) fn backed<T: Ord>(
    values: impl Iterator<Item = (Power, T)>,
    validators: &ValidatorSet,
) -> Option<T> {
    let mut values: Vec<_> = values.collect();
    values.sort_by(|a, b| b.1.cmp(&a.1));

    let mut power = 0;
    values.into_iter().find_map(|(own, value)| {
        power += own;
        validators.has_correct(power).then_some(value)
    })
}
