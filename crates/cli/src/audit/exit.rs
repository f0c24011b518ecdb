//! The exit codes of an audit.

use quorate_certificate::Judgement;

/// The exit code for wrong usage: there is no input, or no trust root that can be read.
pub(crate) const USAGE: u8 = 4;

/// The exit code for a judgement.
pub(super) fn exit_code(judgement: Judgement) -> u8 {
    match judgement {
        Judgement::Verified => 0,
        Judgement::NotAuthentic => 1,
        Judgement::PolicyFailed => 2,
        Judgement::CannotEvaluate => 3,
    }
}
