//! A memory of signatures that were verified, for many nodes in one process.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::marker::PhantomData;

use quorate_types::{Hash, PublicKey, Signature};

thread_local! {
    static HELD: RefCell<Option<BTreeSet<Hash>>> = const { RefCell::new(None) };
}

/// The most signatures that are remembered. At that number all are forgotten, and it starts again.
const CAPACITY: usize = 1 << 18;

/// While it lives, this thread checks each signature that holds only once, whichever node asks:
/// checking is a pure function. It is for simulators, where one signature reaches many nodes; a
/// node that runs alone remembers signatures by [`Known`](crate::Known). Starting a second one on
/// the same thread changes nothing.
#[derive(Debug)]
pub struct SignatureMemo {
    /// Keeps the memo on the thread that made it.
    stays: PhantomData<*const ()>,
}

impl SignatureMemo {
    /// Starts to remember.
    pub fn start() -> Self {
        HELD.with_borrow_mut(|held| {
            held.get_or_insert_default();
        });
        Self { stays: PhantomData }
    }
}

impl Drop for SignatureMemo {
    fn drop(&mut self) {
        HELD.with_borrow_mut(|held| *held = None);
    }
}

/// Runs `check`, unless this very signature held before.
pub(crate) fn once<E>(
    key: &PublicKey,
    message: &[u8],
    signature: &Signature,
    check: impl FnOnce() -> Result<(), E>,
) -> Result<(), E> {
    // No memo lives on this thread.
    if HELD.with_borrow(Option::is_none) {
        return check();
    }

    let name = Hash::derive("quorate 1 signature memo", &[&key.0, &signature.0, message]);
    if HELD.with_borrow(|held| held.as_ref().is_some_and(|held| held.contains(&name))) {
        return Ok(());
    }

    // Only signatures that hold are remembered, so a failure is always found again.
    check()?;
    HELD.with_borrow_mut(|held| remember(held, name));

    Ok(())
}

/// Adds the name of a signature to the memo, if there is one.
fn remember(held: &mut Option<BTreeSet<Hash>>, name: Hash) {
    let Some(held) = held else { return };

    if held.len() >= CAPACITY {
        held.clear();
    }

    held.insert(name);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_held_is_not_checked_again_and_what_did_not_is() {
        let (key, signature) = (PublicKey([1; 32]), Signature([2; 64]));
        let mut checks = 0;
        let mut ask = |message: &[u8], result| {
            once(&key, message, &signature, || {
                checks += 1;
                result
            })
        };

        assert_eq!(ask(b"before", Ok::<_, ()>(())), Ok(()));
        assert_eq!(ask(b"before", Ok(())), Ok(()));

        let memo = SignatureMemo::start();
        assert_eq!(ask(b"wrong", Err(())), Err(()));
        assert_eq!(ask(b"wrong", Err(())), Err(()));
        assert_eq!(ask(b"right", Ok(())), Ok(()));
        assert_eq!(ask(b"right", Err(())), Ok(()));

        drop(memo);
        assert_eq!(ask(b"right", Err(())), Err(()));

        assert_eq!(checks, 6);
    }
}
