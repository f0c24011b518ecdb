//! COSE structures (RFC 9052): the bytes that are signed, and the objects that wrap them.
//! Signatures are not checked here.
//!
//! Version 1 has one algorithm, EdDSA (-8), an empty `external_aad`, and one exact shape for each
//! object. A verifier in another language needs nothing beyond RFC 9052.

use std::collections::BTreeMap;
use std::marker::PhantomData;

use serde::de::{Error as _, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{PublicKey, cbor};

/// The COSE algorithm identifier of EdDSA.
const EDDSA: i64 = -8;

/// The content header of a signed type. It separates the types, so that no signature serves for two
/// of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContentHeader {
    /// Header 16, `typ` (RFC 9596): a media type of Quorate.
    Type(&'static str),
    /// Header 3, content type, as a registered CoAP content format: 61 is a CWT (RFC 8392).
    Format(u64),
}

/// Returns the bytes under one signature of a `COSE_Sign` with protected header `body`.
pub(crate) fn to_be_signed_in(body: &[u8], signer: &PublicKey, payload: &[u8]) -> Vec<u8> {
    let protected = protected(signer, None);

    cbor::encode(&(
        "Signature",
        Bytes(body),
        Bytes(&protected),
        Bytes(&[]),
        Bytes(payload),
    ))
}

/// Returns a protected header: `{1: -8, 4: kid}`, with a content header in its sorted place.
pub(crate) fn protected(signer: &PublicKey, content: Option<ContentHeader>) -> Vec<u8> {
    cbor::encode(&ProtectedHeader { signer, content })
}

/// A protected header before it is encoded.
struct ProtectedHeader<'a> {
    signer: &'a PublicKey,
    content: Option<ContentHeader>,
}

impl Serialize for ProtectedHeader<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let length = 2 + usize::from(self.content.is_some());
        let mut map = serializer.serialize_map(Some(length))?;

        map.serialize_entry(&1, &EDDSA)?;

        // The keys ascend: the content format (3) stands before `kid` (4), and `typ` (16)
        // behind it.
        if let Some(ContentHeader::Format(format)) = self.content {
            map.serialize_entry(&3, &format)?;
        }

        map.serialize_entry(&4, self.signer)?;

        if let Some(ContentHeader::Type(name)) = self.content {
            map.serialize_entry(&16, name)?;
        }

        map.end()
    }
}

/// Returns the key in a protected header, if the header is exactly the one that [`protected`]
/// writes.
pub(crate) fn signer_of(header: &[u8], content: Option<ContentHeader>) -> Option<PublicKey> {
    // In `{1: -8, ...4: h'32 bytes'...}` the key follows the first `04 58 20`.
    let before = [0x04, 0x58, 0x20];
    let at = header.windows(3).position(|window| window == before)? + 3;
    let key = header.get(at..at + 32)?.try_into().ok().map(PublicKey)?;

    // The header is written again and compared, so that it has one form.
    (protected(&key, content) == header).then_some(key)
}

/// A borrowed byte string for CBOR.
pub(crate) struct Bytes<'a>(pub &'a [u8]);

impl Serialize for Bytes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.0)
    }
}

/// An owned byte string of any length for CBOR.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Owned(pub Vec<u8>);

impl Serialize for Owned {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Owned {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visit(PhantomData<()>);

        impl Visitor<'_> for Visit {
            type Value = Vec<u8>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a byte string")
            }

            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
                Ok(bytes.to_vec())
            }

            fn visit_byte_buf<E>(self, bytes: Vec<u8>) -> Result<Vec<u8>, E> {
                Ok(bytes)
            }
        }

        deserializer
            .deserialize_byte_buf(Visit(PhantomData))
            .map(Self)
    }
}

/// The unprotected header. It must be empty, because no signature covers it.
pub(crate) struct Empty {}

impl Serialize for Empty {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_map(Some(0))?.end()
    }
}

impl<'de> Deserialize<'de> for Empty {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let map: BTreeMap<i64, i64> = BTreeMap::deserialize(deserializer)?;
        if map.is_empty() {
            Ok(Self {})
        } else {
            Err(D::Error::custom("the unprotected header must be empty"))
        }
    }
}
