//! Signed values: a payload, the signature of one key over it, and the one encoding of both.
//!
//! A [`Sign1`] is sealed. Its bytes and its id are made once, by decoding it or by putting it
//! together, and all clones share them. So a value that passes through a node is neither encoded
//! nor hashed again, and bytes and value cannot disagree.

use std::fmt;
use std::ops::{Deref, Range};
use std::sync::Arc;

use ciborium::tag::Required;
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::cose::{Bytes, ContentHeader, Empty, Owned, protected, signer_of};
use crate::{PublicKey, Signature, cbor};

/// The tag of a `COSE_Sign1` (RFC 9052 section 4.2).
const SIGN1: u64 = 18;

/// A payload type with its own domain of signatures.
pub trait Signable: Serialize + DeserializeOwned {
    /// The part of the protected header that separates the domain.
    const HEADER: ContentHeader;
    /// The most bytes that the encoded payload may have.
    const MAX_BYTES: usize;

    /// The name of a payload: the same whatever signature the payload carries. `()` if nothing
    /// names it.
    type Id: Copy + Send + Sync;

    /// Returns the id of the payload with this canonical encoding.
    fn id_of(encoded: &[u8]) -> Self::Id;
}

/// The parts of a [`Sign1`].
#[derive(Clone, PartialEq, Eq)]
pub struct Signed<T> {
    /// The key that is said to have signed: the `kid` of the protected header.
    pub signer: PublicKey,
    /// The payload that was signed.
    pub payload: T,
    /// The signature over [`Sign1::to_be_signed`].
    pub signature: Signature,
}

/// A payload and the signature of one key over it, as a `COSE_Sign1` (tag 18).
///
/// The signature is only a claim until `quorate-crypto` turns the object into a `Verified`. The
/// parts are those of [`Signed`]. Whoever wants others makes a new object with [`Self::from`].
pub struct Sign1<T: Signable>(Arc<Sealed<T>>);

/// The parts of a signed object, its canonical bytes, and its id.
struct Sealed<T: Signable> {
    parts: Signed<T>,
    id: T::Id,
    bytes: Box<[u8]>,
    /// The place of the protected header in `bytes`.
    protected: Range<usize>,
    /// The place of the encoded payload in `bytes`.
    payload: Range<usize>,
}

impl<T: Signable> Sign1<T> {
    /// Puts an object together.
    pub fn new(signer: PublicKey, payload: T, signature: Signature) -> Self {
        Self::make(signer, payload, |_, _| signature)
    }

    /// Puts an object together whose signature `sign` makes of the bytes to be signed.
    pub fn sign_with(signer: PublicKey, payload: T, sign: impl FnOnce(&[u8]) -> Signature) -> Self {
        Self::make(signer, payload, |protected, encoded| {
            sign(&sig_structure(protected, encoded))
        })
    }

    /// Puts an object together whose signature `sign` makes of the protected header and the encoded
    /// payload.
    fn make(signer: PublicKey, payload: T, sign: impl FnOnce(&[u8], &[u8]) -> Signature) -> Self {
        let protected = protected(&signer, Some(T::HEADER));
        let encoded = cbor::encode(&payload);

        let parts = Signed {
            signer,
            signature: sign(&protected, &encoded),
            payload,
        };
        Self::seal(parts, &protected, &encoded)
    }

    /// Joins the parts with their encodings.
    fn seal(parts: Signed<T>, protected: &[u8], payload: &[u8]) -> Self {
        let object = (Bytes(protected), Empty {}, Bytes(payload), &parts.signature);
        let bytes = cbor::encode(&Required::<_, SIGN1>(object)).into_boxed_slice();

        // The signature, a head of two bytes and 64 more, comes last; the payload stands before it.
        let end = bytes.len() - SIGNATURE_BYTES;
        let payload_at = end - payload.len()..end;

        // A tag, the head of the array, and a head of two bytes stand before the protected header.
        let protected_at = PROTECTED_AT..PROTECTED_AT + protected.len();

        Self(Arc::new(Sealed {
            id: T::id_of(payload),
            parts,
            bytes,
            protected: protected_at,
            payload: payload_at,
        }))
    }

    /// Returns the bytes under the signature: the `Sig_structure` of RFC 9052 section 4.4.
    pub fn to_be_signed(&self) -> Vec<u8> {
        sig_structure(self.protected(), self.encoded_payload())
    }

    /// The canonical encoding of the object, signature included.
    pub fn bytes(&self) -> &[u8] {
        &self.0.bytes
    }

    /// The id of the payload, which leaves the signature out.
    pub fn id(&self) -> T::Id {
        self.0.id
    }

    fn protected(&self) -> &[u8] {
        &self.0.bytes[self.0.protected.clone()]
    }

    fn encoded_payload(&self) -> &[u8] {
        &self.0.bytes[self.0.payload.clone()]
    }
}

impl<T: Signable + Clone> Sign1<T> {
    /// Makes it another object with some of its parts changed. The signature holds only if `change`
    /// made it hold: for tests, and for simulated peers that lie.
    pub fn alter<R>(&mut self, change: impl FnOnce(&mut Signed<T>) -> R) -> R {
        let mut parts = (**self).clone();
        let result = change(&mut parts);
        *self = Self::from(parts);
        result
    }
}

/// The bytes of a signature with its head.
const SIGNATURE_BYTES: usize = 2 + 64;
/// The offset of the protected header: it has 24 to 255 bytes, whose head takes two.
const PROTECTED_AT: usize = 4;

/// Returns the `Sig_structure` of RFC 9052 section 4.4.
fn sig_structure(protected: &[u8], payload: &[u8]) -> Vec<u8> {
    cbor::encode(&("Signature1", Bytes(protected), Bytes(&[]), Bytes(payload)))
}

impl<T: Signable> From<Signed<T>> for Sign1<T> {
    fn from(parts: Signed<T>) -> Self {
        Self::new(parts.signer, parts.payload, parts.signature)
    }
}

impl<T: Signable> Deref for Sign1<T> {
    type Target = Signed<T>;

    fn deref(&self) -> &Signed<T> {
        &self.0.parts
    }
}

impl<T: Signable> Clone for Sign1<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

/// There is one encoding of a value, so equal bytes are equal values.
impl<T: Signable> PartialEq for Sign1<T> {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0.bytes == other.0.bytes
    }
}

impl<T: Signable> Eq for Sign1<T> {}

impl<T: Signable + fmt::Debug> fmt::Debug for Sign1<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0.parts, f)
    }
}

impl<T: fmt::Debug> fmt::Debug for Signed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sign1")
            .field("signer", &self.signer)
            .field("payload", &self.payload)
            .field("signature", &self.signature)
            .finish()
    }
}

impl<T: Signable> Serialize for Sign1<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let object = (
            Bytes(self.protected()),
            Empty {},
            Bytes(self.encoded_payload()),
            &self.signature,
        );

        Required::<_, SIGN1>(object).serialize(serializer)
    }
}

impl<'de, T: Signable> Deserialize<'de> for Sign1<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        type Object = (Owned, Empty, Owned, Signature);

        let Required::<Object, SIGN1>((protected, _, encoded, signature)) =
            Required::deserialize(deserializer)?;

        let signer = signer_of(&protected.0, Some(T::HEADER))
            .ok_or_else(|| D::Error::custom("the protected header is not the one of this type"))?;

        // The payload is CBOR in a byte string, and has to be canonical too (W-1).
        let payload = cbor::decode(&encoded.0, T::MAX_BYTES).map_err(D::Error::custom)?;

        let parts = Signed {
            signer,
            payload,
            signature,
        };
        Ok(Self::seal(parts, &protected.0, &encoded.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attestation::Claims;
    use crate::message::Announcement;
    use crate::operation::{Suspicion, Withdraw};
    use crate::{Capabilities, FencingToken, Operation, OperationBody, SwarmId, TaskId};

    /// The bytes are those that the object would be written as, and its parts are where the object
    /// looks for them.
    fn check<T: Signable + PartialEq + fmt::Debug>(payload: T) {
        let signed = Sign1::new(PublicKey([3; 32]), payload, Signature([4; 64]));

        let written = cbor::encode(&signed);
        assert_eq!(signed.bytes(), written);
        assert_eq!(signed.encoded_payload(), cbor::encode(&signed.payload));
        let header = protected(&signed.signer, Some(T::HEADER));
        assert_eq!(signed.protected(), header);
        assert!(
            (24..256).contains(&header.len()),
            "its head takes two bytes"
        );

        let read: Sign1<T> = cbor::decode(&written, written.len()).unwrap();
        assert_eq!((&read, &*read), (&signed, &*signed));
        assert_eq!(read.to_be_signed(), signed.to_be_signed());
    }

    #[test]
    fn every_signed_type_keeps_the_bytes_that_it_would_be_written_as() {
        let swarm = SwarmId([1; 32]);

        check(Suspicion {
            swarm,
            task: TaskId {
                requester: PublicKey([2; 32]),
                number: 300,
            },
            token: FencingToken(7),
            height: 9,
        });
        check(Operation {
            swarm,
            agent: PublicKey([3; 32]),
            sequence: 70_000,
            body: OperationBody::Withdraw(Withdraw {
                market: "jobs".parse().unwrap(),
            }),
        });
        check(Announcement {
            swarm,
            sequence: 8,
            addresses: vec!["/ip4/127.0.0.1/tcp/9".to_owned()],
        });
        check(Claims {
            issuer: PublicKey([3; 32]),
            subject: PublicKey([4; 32]),
            audience: swarm,
            expires: 2_000,
            not_before: 1_000,
            issued_at: 1_000,
            id: vec![1],
            capabilities: Capabilities::new(),
        });
    }
}
