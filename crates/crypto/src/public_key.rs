//! The check that public keys pass before they are admitted.

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

/// Returns the point of a public key that may be admitted (C-12).
pub(crate) fn verifying_key(key: &PublicKey) -> Result<VerifyingKey, KeyError> {
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
