//! The check that a public key passes before it is admitted (C-12).

use std::cell::RefCell;
use std::collections::BTreeMap;

use ed25519_dalek::VerifyingKey;
use quorate_types::PublicKey;

/// The reason why a key is not an acceptable Ed25519 key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The key is not a point on the curve, or not in its one canonical encoding.
    #[error("{0} is not a canonical Ed25519 public key")]
    Malformed(PublicKey),
    /// The key is a point of small order: forged signatures verify under it in lenient libraries.
    #[error("{0} is a weak Ed25519 public key")]
    Weak(PublicKey),
}

/// Checks whether a public key may be admitted: it must be on the curve, canonically encoded, and
/// not of small order.
///
/// # Errors
/// [`KeyError`], which says what is wrong with the key.
pub fn check_public_key(key: &PublicKey) -> Result<(), KeyError> {
    verifying_key(key).map(|_| ())
}

/// Points by their keys.
type Points = BTreeMap<PublicKey, VerifyingKey>;

thread_local! {
    static POINTS: RefCell<Points> = const { RefCell::new(Points::new()) };
}

/// The most points that a thread keeps, 1 MB. At that number all are dropped, and it starts again.
const POINTS_KEPT: usize = 4096;

/// Returns the point of a public key that may be admitted (C-12). A validator checks the same few
/// keys over and over, and finding the point takes a fifth of checking a signature, so points are
/// kept. Keys that are refused are not.
pub(crate) fn verifying_key(key: &PublicKey) -> Result<VerifyingKey, KeyError> {
    if let Some(point) = POINTS.with_borrow(|points| points.get(key).copied()) {
        return Ok(point);
    }

    let point = decompress(key)?;

    POINTS.with_borrow_mut(|points| {
        if points.len() >= POINTS_KEPT {
            points.clear();
        }
        points.insert(*key, point);
    });

    Ok(point)
}

fn decompress(key: &PublicKey) -> Result<VerifyingKey, KeyError> {
    let point = VerifyingKey::from_bytes(&key.0).map_err(|_| KeyError::Malformed(*key))?;

    // Decompression accepts y + p for small y. Compressing the point again shows that.
    if point.to_edwards().compress().to_bytes() != key.0 {
        return Err(KeyError::Malformed(*key));
    }

    if point.is_weak() {
        return Err(KeyError::Weak(*key));
    }

    Ok(point)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SecretKey;

    fn kept() -> usize {
        POINTS.with_borrow(BTreeMap::len)
    }

    #[test]
    fn c12_points_of_good_keys_are_kept_and_bad_keys_stay_refused() {
        let good = SecretKey::from_seed(&[1; 32]).public_key();
        let weak = PublicKey([0; 32]);
        let first = verifying_key(&good).unwrap();

        for _ in 0..2 {
            assert_eq!(verifying_key(&good).unwrap(), first);
            assert_eq!(verifying_key(&weak), Err(KeyError::Weak(weak)));
        }
        assert_eq!(kept(), 1);
    }

    #[test]
    fn no_more_points_are_kept_than_the_limit() {
        for number in 0..=POINTS_KEPT as u64 {
            let mut seed = [0; 32];
            seed[..8].copy_from_slice(&number.to_be_bytes());
            let key = SecretKey::from_seed(&seed).public_key();
            verifying_key(&key).unwrap();
            assert!(kept() <= POINTS_KEPT);
        }
        assert_eq!(kept(), 1);
    }
}
