//! The stamp of an operation: when it was submitted, in front of the bytes that are opaque to the
//! swarm. Validators of the same machine read it when they commit.

use quorate_types::cose::Owned;

/// Bytes of a stamp: microseconds of Unix time, big-endian.
pub(crate) const STAMP_BYTES: usize = 8;

/// Returns microseconds of Unix time, which all processes of one machine share.
#[expect(
    clippy::disallowed_methods,
    reason = "the latency across processes is measured, and nothing depends on it"
)]
pub(crate) fn now() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| {
        u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
    })
}

/// Returns `bytes` bytes that begin with the stamp, or the stamp alone if they are fewer.
pub(crate) fn stamped(when: u64, bytes: usize) -> Owned {
    let mut opaque = vec![0; bytes.max(STAMP_BYTES)];
    opaque[..STAMP_BYTES].copy_from_slice(&when.to_be_bytes());
    Owned(opaque)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_stands_in_front() {
        assert_eq!(stamped(1, 0).0, 1u64.to_be_bytes());
        assert_eq!(stamped(2, 20).0.len(), 20);
        assert_eq!(stamped(2, 20).0.first_chunk(), Some(&2u64.to_be_bytes()));
    }
}
