//! The parts of observations that the oracle judges.

use quorate_oracle::Decided;
use quorate_types::{PublicKey, SignedStatement};

use crate::seen::Seen;
use crate::world::World;

/// The block that a correct validator decided by this observation; `None` if it is of another kind,
/// or the validator is not correct.
pub(super) fn decided(world: &World, seen: &Seen) -> Option<Decided> {
    let Seen::Committed {
        validator,
        block,
        effects,
        ..
    } = seen
    else {
        return None;
    };

    let is_correct = world.validators()[*validator].is_correct();

    is_correct.then(|| Decided {
        block: block.clone(),
        effects: effects.clone(),
    })
}

/// The statements that an observation shows, those of liars included.
pub(super) fn statements(seen: &Seen) -> Vec<SignedStatement> {
    match seen {
        Seen::Signed { statement, .. } => vec![(**statement).clone()],
        Seen::Committed { commit, .. } => commit.signed_statements().collect(),
        _ => Vec::new(),
    }
}

/// Whether a key belongs to a correct validator. If twins share the key, none of them may be
/// faulty.
pub(super) fn is_correct(world: &World, key: &PublicKey) -> bool {
    let mut hosts = world
        .validators()
        .iter()
        .filter(|host| host.public_key() == *key);
    hosts.next().is_some_and(|host| host.is_correct()) && hosts.all(|host| host.is_correct())
}
