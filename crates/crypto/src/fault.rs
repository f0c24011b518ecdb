//! The one judgement on what proves a fault of a validator (N-24). Signatures are checked by
//! [`crate::verify_evidence`].

use quorate_types::{Block, Evidence, Height, PublicKey, SwarmId, ValidatorSet};

/// A fault that evidence proves, or would prove.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault<'a> {
    /// The validator that committed the fault.
    pub culprit: PublicKey,
    /// The height at which it did, counted from 1.
    pub height: Height,
    /// The block that the culprit vouched for: it is guilty only if this block is invalid (L-22).
    /// `None` if the statements of the culprit prove the fault by themselves.
    pub accused: Option<&'a Block>,
}

/// The reason why evidence proves no fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FaultError {
    /// The statements do not have the form that convicts: see [`Evidence::is_well_formed`].
    #[error("its statements do not have the form that convicts")]
    Form,
    /// The statements are of another swarm.
    #[error("it is of another swarm")]
    Swarm,
    /// There is no validator set to judge this height by.
    #[error("it is of height {0}, for which no validator set is known")]
    Height(Height),
    /// The statements name a validator set that was not in force at their height.
    #[error("it names a validator set that was not in force at its height")]
    Validators,
    /// The signer was not a validator at that height.
    #[error("{0} was not a validator at that height")]
    Stranger(PublicKey),
}

/// Judges which fault evidence proves in this swarm: two statements that conflict, or the proposal
/// by which a builder vouches for the block that it built. `in_force` gives the validator set of a
/// height, or `None` for a height that is not to be judged.
///
/// Signatures, and the accused block itself, are not checked.
///
/// # Errors
/// [`FaultError`], for the first reason in the order of its variants.
pub fn judge_fault<'a, 'set>(
    evidence: &'a Evidence,
    swarm: &SwarmId,
    in_force: impl FnOnce(Height) -> Option<&'set ValidatorSet>,
) -> Result<Fault<'a>, FaultError> {
    if !evidence.is_well_formed() {
        return Err(FaultError::Form);
    }

    let mut statements = evidence.statements().map(|signed| &signed.statement);
    if statements.any(|statement| statement.swarm != *swarm) {
        return Err(FaultError::Swarm);
    }

    let height = evidence.height();
    let set = in_force(height).ok_or(FaultError::Height(height))?;
    let set_hash = set.hash();

    // A statement counts only if it names the set in force at its height (N-24).
    let mut statements = evidence.statements().map(|signed| &signed.statement);
    if statements.any(|statement| statement.validators != set_hash) {
        return Err(FaultError::Validators);
    }

    let culprit = evidence.culprit();
    if set.get(&culprit).is_none() {
        return Err(FaultError::Stranger(culprit));
    }

    Ok(Fault {
        culprit,
        height,
        accused: evidence.accused(),
    })
}
