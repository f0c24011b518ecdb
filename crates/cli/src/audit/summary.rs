//! What came of a whole audit: numbers, and one exit code.

use std::collections::BTreeSet;

use quorate_certificate::Judgement;

use super::exit_code;
use super::verify::Checked;

/// How many files got which verdict.
#[derive(Debug, Default)]
pub(super) struct Totals {
    verified: usize,
    not_authentic: usize,
    policy_failed: usize,
    cannot_evaluate: usize,
}

impl Totals {
    /// Counts.
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

    /// The code of the gravest verdict: a forgery before what cannot be said, that before a policy
    /// that asks for more. No file at all is no success.
    pub(super) fn exit_code(&self) -> u8 {
        exit_code(if self.not_authentic > 0 {
            Judgement::NotAuthentic
        } else if self.cannot_evaluate > 0 {
            Judgement::CannotEvaluate
        } else if self.policy_failed > 0 {
            Judgement::PolicyFailed
        } else if self.verified > 0 {
            Judgement::Verified
        } else {
            Judgement::CannotEvaluate
        })
    }

    /// One line for a person.
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

/// Everything that was left open for at least one file, each once, in the order it came up.
pub(super) fn not_checked(checked: &[Checked]) -> Vec<&'static str> {
    let mut seen = BTreeSet::new();
    let all = checked.iter().flat_map(Checked::not_checked).copied();
    all.filter(|text| seen.insert(*text)).collect()
}
