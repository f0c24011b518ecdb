//! The version and the limits of the certificate format.

/// The version of the certificate format; it is the first element of the array.
pub const VERSION: u8 = 1;
/// The most bytes of a certificate in canonical form.
pub const MAX_BYTES: usize = 4 * 1024 * 1024;
/// The most hand-overs in a certificate.
pub const MAX_HANDOVERS: usize = 1024;
