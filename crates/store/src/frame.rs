//! The bytes of a log file: one header, then framed records.
//!
//! ```text
//! header  magic[8] version:u32 salt:u32 swarm[32] first_sequence:u64 crc:u32            60 bytes
//! frame   length:u32 sequence:u64 batch:u64 height:u64 kind:u8 payload_crc:u32 crc:u32  37 bytes
//! payload length bytes
//! ```
//! The checksums of frames and payloads start from the checksum of their file's header. So a record
//! is valid only in its own file, wherever a drive puts its bytes: no two headers of a folder are
//! alike (magic, swarm, first sequence), and inside a file the sequence tells where a record
//! belongs. Also, a payload chosen by a peer that does not know the salt does not look like frames
//! (except with a chance of 2^-32 per try).
//!
//! Every version keeps magic, version and the checksum at the end of 60 bytes where they are. A
//! header with another version and a right checksum is of another version; any other header that
//! cannot be read is damaged.

/// The length of the header of a log file.
pub(crate) const HEADER_BYTES: usize = 60;
/// The length of the frame before each payload.
pub(crate) const FRAME_BYTES: usize = 37;
/// The longest payload of a record: 32 MiB.
pub const MAX_PAYLOAD_BYTES: usize = 32 * 1024 * 1024;
/// The length of a frame without its checksum.
const BODY_BYTES: usize = FRAME_BYTES - 4;
/// The format that this version writes and reads. In format 1 the checksums started from the salt.
pub(crate) const VERSION: u32 = 2;

/// The header of a log file: the facts that hold for all its records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Header {
    /// The kind of file.
    pub(crate) magic: [u8; 8],
    /// A number that no peer knows; see [`crate::StoreConfig::salt`].
    pub(crate) salt: u32,
    /// The swarm that the records belong to.
    pub(crate) swarm: [u8; 32],
    /// The sequence of the first record. All records before it were durable when the file was made.
    pub(crate) first_sequence: u64,
}

/// The reason why a header was not read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum HeaderFault {
    /// Too short, not a log of this kind, or a wrong checksum.
    Damaged,
    /// Another version of the format.
    Version(u32),
}

impl Header {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = self.body();
        bytes.extend_from_slice(&self.seed().to_le_bytes());
        bytes
    }

    /// The checksum that the checksums of its records start from.
    pub(crate) fn seed(&self) -> u32 {
        crc32c::crc32c(&self.body())
    }

    fn body(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER_BYTES);
        bytes.extend_from_slice(&self.magic);
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        bytes.extend_from_slice(&self.salt.to_le_bytes());
        bytes.extend_from_slice(&self.swarm);
        bytes.extend_from_slice(&self.first_sequence.to_le_bytes());
        bytes
    }

    /// Reads the header of a file of the kind `magic`.
    pub(crate) fn decode(bytes: &[u8], magic: &[u8; 8]) -> Result<Self, HeaderFault> {
        let (version, header) = Self::decode_fields(bytes)
            .filter(|(_, header)| header.magic == *magic)
            .ok_or(HeaderFault::Damaged)?;

        // The checksum is right, so another version is not damage.
        if version == VERSION {
            Ok(header)
        } else {
            Err(HeaderFault::Version(version))
        }
    }

    /// The version and the content of a header whose checksum is right.
    fn decode_fields(bytes: &[u8]) -> Option<(u32, Self)> {
        let (body, crc) = bytes.split_last_chunk()?;
        let is_whole = crc32c::crc32c(body) == u32::from_le_bytes(*crc);
        if bytes.len() != HEADER_BYTES || !is_whole {
            return None;
        }

        let mut fields = Fields(body);
        let magic = fields.take()?;
        let version = fields.u32()?;
        let header = Self {
            magic,
            salt: fields.u32()?,
            swarm: fields.take()?,
            first_sequence: fields.u64()?,
        };

        Some((version, header))
    }
}

/// The fields before a payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Frame {
    /// The length of the payload in bytes.
    pub(crate) length: u32,
    /// The number of the record: contiguous over the segments of a log, from 1.
    pub(crate) sequence: u64,
    /// The sequence that the batch of this record began with. Every record before it was durable
    /// before any byte of this record was written.
    pub(crate) batch: u64,
    /// The height that the record belongs to.
    pub(crate) height: u64,
    /// The caller's kind of record.
    pub(crate) kind: u8,
    /// The checksum of the payload, starting from [`Header::seed`].
    pub(crate) payload_crc: u32,
}

impl Frame {
    /// The bytes of the frame; for `seed` see [`Header::seed`].
    pub(crate) fn encode(&self, seed: u32) -> [u8; FRAME_BYTES] {
        let mut bytes = [0; FRAME_BYTES];

        let (body, crc) = bytes.split_at_mut(BODY_BYTES);
        self.write_body(body);
        crc.copy_from_slice(&crc32c::crc32c_append(seed, body).to_le_bytes());

        bytes
    }

    /// Writes the fields before the checksum.
    fn write_body(&self, bytes: &mut [u8]) {
        bytes[0..4].copy_from_slice(&self.length.to_le_bytes());
        bytes[4..12].copy_from_slice(&self.sequence.to_le_bytes());
        bytes[12..20].copy_from_slice(&self.batch.to_le_bytes());
        bytes[20..28].copy_from_slice(&self.height.to_le_bytes());
        bytes[28] = self.kind;
        bytes[29..33].copy_from_slice(&self.payload_crc.to_le_bytes());
    }

    /// The frame at the start of `bytes`; `None` if there are too few or their checksum is wrong.
    pub(crate) fn decode(bytes: &[u8], seed: u32) -> Option<Self> {
        let body = bytes.get(..BODY_BYTES)?;
        let mut fields = Fields(bytes);

        let frame = Self {
            length: fields.u32()?,
            sequence: fields.u64()?,
            batch: fields.u64()?,
            height: fields.u64()?,
            kind: u8::from_le_bytes(fields.take()?),
            payload_crc: fields.u32()?,
        };

        // The checksum of the frame covers that of the payload.
        let crc = fields.u32()?;
        let is_good = crc == crc32c::crc32c_append(seed, body);
        is_good.then_some(frame)
    }

    /// The length of frame and payload together.
    pub(crate) fn total_bytes(&self) -> u64 {
        FRAME_BYTES as u64 + u64::from(self.length)
    }
}

/// Takes little-endian integers off the front of a slice.
pub(crate) struct Fields<'a>(pub(crate) &'a [u8]);

impl<'a> Fields<'a> {
    pub(crate) fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (first, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*first)
    }

    pub(crate) fn slice(&mut self, length: usize) -> Option<&'a [u8]> {
        let (first, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(first)
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_le_bytes)
    }

    pub(crate) fn u64(&mut self) -> Option<u64> {
        self.take().map(u64::from_le_bytes)
    }
}
