//! Names another validator set in every statement that it signs.
//!
//! The protocol bears it because a statement counts only if it names the set of its height, by hash
//! (N-1). To the other validators the liar is as good as silent.

use quorate_types::message::PeerMessage;
use quorate_types::{Hash, PublicKey};

use super::{LiarContext, Lie};

#[derive(Debug, Default)]
pub(super) struct WrongSet;

impl Lie for WrongSet {
    fn says(
        &mut self,
        context: &mut LiarContext<'_>,
        _: PublicKey,
        message: PeerMessage,
    ) -> Vec<PeerMessage> {
        let Some(own) = context.own(&message) else {
            return vec![message];
        };

        let mut statement = own.statement.clone();
        statement.validators = Hash::derive("quorate 1 simulated lie", &[&statement.validators.0]);

        context.lies += 1;
        vec![context.sign(statement)]
    }
}
