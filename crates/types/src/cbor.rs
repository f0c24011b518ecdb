//! Canonical CBOR: deterministic encoding (RFC 8949 section 4.2.1) and strict decoding.
//!
//! Decoding is strict in two ways. [`check`] refuses bytes that are well-formed but not canonical
//! (long heads, indefinite lengths, unsorted or duplicate keys, floats, foreign tags, trailing
//! bytes, depth) before any type is built. [`decode`] encodes the value again and compares, so that
//! two different byte strings never decode to the same value.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::limits;

/// The reason why bytes were refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CborError {
    /// There are more bytes than the type's limit.
    #[error("{found} bytes, the limit is {limit}")]
    TooLong {
        /// The number of bytes found.
        found: usize,
        /// The number of bytes allowed.
        limit: usize,
    },
    /// The bytes end inside an item.
    #[error("the bytes end inside an item at byte {0}")]
    Truncated(usize),
    /// More bytes follow the one item.
    #[error("more bytes follow the item at byte {0}")]
    Trailing(usize),
    /// A head is longer than needed, or of indefinite or reserved length.
    #[error("not the shortest definite form at byte {0}")]
    NotShortest(usize),
    /// Map keys are out of order, or one stands twice.
    #[error("map keys are unsorted or repeated at byte {0}")]
    UnsortedKeys(usize),
    /// There is a float, `undefined`, or a simple value other than false, true and null.
    #[error("byte {0} is a float, or a simple value other than false, true and null")]
    Simple(usize),
    /// There is a tag other than 18 (COSE_Sign1) and 98 (COSE_Sign).
    #[error("tag {tag} at byte {at}, where only 18 and 98 are allowed")]
    Tag {
        /// The number of the tag.
        tag: u64,
        /// The offset of the tag's head in bytes.
        at: usize,
    },
    /// An item is nested deeper than [`limits::CBOR_DEPTH`].
    #[error("nested too deeply at byte {0}")]
    Depth(usize),
    /// A text is not UTF-8.
    #[error("text is not UTF-8 at byte {0}")]
    Utf8(usize),
    /// The bytes are canonical CBOR, but not of the expected type.
    #[error("not the expected shape: {0}")]
    Shape(String),
    /// The bytes decode, but the type writes its value differently.
    #[error("not the canonical encoding of its value")]
    NotCanonical,
}

/// Encodes a value. The type determines the order of the fields in arrays and of the entries in
/// maps.
pub fn encode<T: Serialize + ?Sized>(value: &T) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(256);
    #[expect(
        clippy::expect_used,
        reason = "a Vec takes every byte, and no type here refuses"
    )]
    ciborium::into_writer(value, &mut bytes).expect("writing CBOR to memory");
    bytes
}

/// Decodes one value, which must take all of `bytes`. There may be at most `limit` of them.
///
/// # Errors
/// [`CborError`], which names the first fault, and its offset if it has one.
pub fn decode<T: Serialize + DeserializeOwned>(bytes: &[u8], limit: usize) -> Result<T, CborError> {
    if bytes.len() > limit {
        return Err(CborError::TooLong {
            found: bytes.len(),
            limit,
        });
    }

    check(bytes)?;
    let value: T = ciborium::from_reader(bytes).map_err(shape)?;

    // Types may read more forms than they write, so the written form is compared.
    if encode(&value) != bytes {
        return Err(CborError::NotCanonical);
    }

    Ok(value)
}

/// Checks that `bytes` are one canonical item, without building it.
///
/// # Errors
/// [`CborError`], which names the first fault and its offset.
pub fn check(bytes: &[u8]) -> Result<(), CborError> {
    let end = item(bytes, 0, 0)?;
    if end != bytes.len() {
        return Err(CborError::Trailing(end));
    }
    Ok(())
}

/// Checks the item at `at`, and returns the offset behind it.
fn item(bytes: &[u8], at: usize, depth: usize) -> Result<usize, CborError> {
    if depth > limits::CBOR_DEPTH {
        return Err(CborError::Depth(at));
    }

    let head = *bytes.get(at).ok_or(CborError::Truncated(at))?;

    // The upper three bits are the major type; 7 holds floats and simple values.
    if head >> 5 == 7 {
        return simple(head, at);
    }

    let (value, next) = argument(bytes, at)?;

    // 0 and 1 are integers, 2 byte strings, 3 texts, 4 arrays, 5 maps, 6 tags.
    match head >> 5 {
        0 | 1 => Ok(next),
        2 => Ok(span(bytes, next, value)?.1),

        3 => {
            let (text, end) = span(bytes, next, value)?;
            std::str::from_utf8(text).map_err(|_| CborError::Utf8(at))?;
            Ok(end)
        }

        4 => array(bytes, next, value, depth),
        5 => map(bytes, next, value, depth),

        // The tags of `COSE_Sign1` and `COSE_Sign` wrap one item.
        _ if value == 18 || value == 98 => item(bytes, next, depth + 1),
        _ => Err(CborError::Tag { tag: value, at }),
    }
}

fn array(bytes: &[u8], start: usize, count: u64, depth: usize) -> Result<usize, CborError> {
    let mut at = start;
    for _ in 0..count {
        at = item(bytes, at, depth + 1)?;
    }
    Ok(at)
}

/// Checks a map, and returns the offset behind it. The keys must ascend by their encoded bytes.
fn map(bytes: &[u8], start: usize, count: u64, depth: usize) -> Result<usize, CborError> {
    let mut at = start;
    let mut previous: &[u8] = &[];

    for _ in 0..count {
        let end = item(bytes, at, depth + 1)?;
        let key = &bytes[at..end];

        // Equal keys are refused too.
        if key <= previous {
            return Err(CborError::UnsortedKeys(at));
        }

        previous = key;
        at = item(bytes, end, depth + 1)?;
    }

    Ok(at)
}

fn simple(head: u8, at: usize) -> Result<usize, CborError> {
    match head & 31 {
        // These are false, true and null.
        20..=22 => Ok(at + 1),
        _ => Err(CborError::Simple(at)),
    }
}

/// Returns the argument of the head at `at` and the offset behind it. Only the shortest form is
/// allowed.
fn argument(bytes: &[u8], at: usize) -> Result<(u64, usize), CborError> {
    let short = bytes[at] & 31;

    // A small value stands in the head itself.
    if short < 24 {
        return Ok((u64::from(short), at + 1));
    }

    let (width, least) = width_of(short).ok_or(CborError::NotShortest(at))?;
    let start = at + 1;
    let end = start + width;
    let field = bytes.get(start..end).ok_or(CborError::Truncated(at))?;

    let value = field
        .iter()
        .fold(0, |value, byte| value << 8 | u64::from(*byte));

    // A value this small has a shorter form.
    if value < least {
        return Err(CborError::NotShortest(at));
    }

    Ok((value, end))
}

/// Returns the number of bytes that follow a head with the lower bits `short`, and the least value
/// that needs so many; `None` for a head of another kind.
#[inline]
fn width_of(short: u8) -> Option<(usize, u64)> {
    match short {
        24 => Some((1, 24)),
        25 => Some((2, 1 << 8)),
        26 => Some((4, 1 << 16)),
        27 => Some((8, 1 << 32)),
        _ => None,
    }
}

/// Returns the `length` bytes from `start` on, and the offset behind them.
fn span(bytes: &[u8], start: usize, length: u64) -> Result<(&[u8], usize), CborError> {
    let end = usize::try_from(length)
        .ok()
        .and_then(|length| start.checked_add(length));
    let end = end.ok_or(CborError::Truncated(start))?;
    let field = bytes.get(start..end).ok_or(CborError::Truncated(start))?;
    Ok((field, end))
}

fn shape(error: ciborium::de::Error<std::io::Error>) -> CborError {
    CborError::Shape(match error {
        ciborium::de::Error::Semantic(_, text) => text,
        other => other.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_way_to_be_uncanonical_is_refused() {
        let table: &[(&[u8], CborError)] = &[
            (&[], CborError::Truncated(0)),
            (&[0x00, 0x00], CborError::Trailing(1)),
            (&[0x18, 0x17], CborError::NotShortest(0)),
            (&[0x19, 0x00, 0xff], CborError::NotShortest(0)),
            (&[0x9f, 0xff], CborError::NotShortest(0)),
            (&[0x5f, 0x41, 0x00, 0xff], CborError::NotShortest(0)),
            (&[0xa2, 0x02, 0x00, 0x01, 0x00], CborError::UnsortedKeys(3)),
            (&[0xa2, 0x01, 0x00, 0x01, 0x00], CborError::UnsortedKeys(3)),
            (&[0xf9, 0x3c, 0x00], CborError::Simple(0)),
            (&[0xf7], CborError::Simple(0)),
            (&[0xf8, 0x20], CborError::Simple(0)),
            (&[0xc1, 0x00], CborError::Tag { tag: 1, at: 0 }),
            (&[0x61, 0xff], CborError::Utf8(0)),
            (&[0x42, 0x00], CborError::Truncated(1)),
            (
                &[0x5b, 255, 255, 255, 255, 255, 255, 255, 255],
                CborError::Truncated(9),
            ),
            (
                &[0x9b, 255, 255, 255, 255, 255, 255, 255, 255],
                CborError::Truncated(9),
            ),
            (&[0x81; 64], CborError::Depth(limits::CBOR_DEPTH + 1)),
        ];

        for (bytes, error) in table {
            assert_eq!(check(bytes).as_ref(), Err(error), "{bytes:02x?}");
        }
    }

    #[test]
    fn an_array_longer_than_its_type_is_refused() {
        let three = encode(&(1u8, 2u8, 3u8));
        assert!(decode::<(u8, u8)>(&three, 100).is_err());
        assert!(decode::<(u8, u8, u8, u8)>(&three, 100).is_err());
        assert_eq!(decode::<(u8, u8, u8)>(&three, 100), Ok((1, 2, 3)));
        assert!(matches!(
            decode::<(u8, u8, u8)>(&three, 3),
            Err(CborError::TooLong { .. })
        ));
    }

    proptest::proptest! {
        #[test]
        fn no_input_panics(bytes: Vec<u8>) {
            let _ = check(&bytes);
            let _ = decode::<crate::block::Block>(&bytes, 1 << 20);
        }
    }
}
