//! Summarises a whole audit: counts of verdicts, and one verdict over all files.

use std::collections::BTreeSet;

use quorate_certificate::Judgement;

use super::checked::Checked;

/// The number of files with each verdict.
#[derive(Debug, Default)]
pub(super) struct Totals {
    verified: usize,
    not_authentic: usize,
    policy_failed: usize,
    cannot_evaluate: usize,
}

impl Totals {
    /// Counts the verdicts of these files.
    pub(super) fn of(checked: &[Checked]) -> Self {
        let mut totals = Self::default();
        for file in checked {
            *match file.judgement() {
                Judgement::Verified => &mut totals.verified,
                Judgement::NotAuthentic => &mut totals.not_authentic,
                Judgement::PolicyFailed => &mut totals.policy_failed,
                Judgement::CannotEvaluate => &mut totals.cannot_evaluate,
            } += 1;
        }

        totals
    }

    /// The counts in one line, for people.
    pub(super) fn line(&self) -> String {
        let all = self.verified + self.not_authentic + self.policy_failed + self.cannot_evaluate;
        let mut line = format!("{} of {all} verified", self.verified);

        for (count, name) in [
            (self.not_authentic, "not authentic"),
            (self.policy_failed, "short of the policy"),
            (self.cannot_evaluate, "that cannot be evaluated"),
        ] {
            if count > 0 {
                line += &format!(", {count} {name}");
            }
        }
        line
    }
}

/// The gravest of several judgements. A forgery is graver than a file that cannot be evaluated, and
/// that is graver than one that falls short of the policy. Without any judgement the result is
/// `CannotEvaluate`, because a check of nothing must not succeed.
pub(super) fn gravest(judgements: impl IntoIterator<Item = Judgement>) -> Judgement {
    use Judgement::{CannotEvaluate, NotAuthentic, PolicyFailed, Verified};
    let weight = |judgement: &Judgement| match judgement {
        Verified => 0,
        PolicyFailed => 1,
        CannotEvaluate => 2,
        NotAuthentic => 3,
    };

    judgements
        .into_iter()
        .max_by_key(weight)
        .unwrap_or(CannotEvaluate)
}

/// Everything that was left open for at least one file: each text once, in the order in which it
/// came up.
pub(super) fn not_checked(checked: &[Checked]) -> Vec<&'static str> {
    let mut seen = BTreeSet::new();
    let all = checked.iter().flat_map(Checked::not_checked).copied();
    all.filter(|text| seen.insert(*text)).collect()
}
