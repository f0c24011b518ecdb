//! The bytes of a log file: one header, then framed records.
//!
//! ```text
//! header  magic[8] version:u32 salt:u32 swarm[32] first_sequence:u64 crc:u32            60 bytes
//! frame   length:u32 sequence:u64 batch:u64 height:u64 kind:u8 payload_crc:u32 crc:u32  37 bytes
//! payload length bytes
//! ```
//! The checksum of a frame starts from the salt of its file, so that a payload chosen by a peer
//! who does not know the salt does not look like frames (with chance 2^-32 per try).

/// Length of the header of a log file.
pub(crate) const HEADER_BYTES: usize = 60;
/// Length of what stands before each payload.
pub(crate) const FRAME_BYTES: usize = 37;
/// The form written and read by this version.
pub(crate) const VERSION: u32 = 1;

/// What one log file says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Header {
    /// Where the checksums of its frames start.
    pub(crate) salt: u32,
    /// The swarm whose records these are.
    pub(crate) swarm: [u8; 32],
    /// The sequence of its first record. All before it were durable when the file was made.
    pub(crate) first_sequence: u64,
}

/// Why a header was not read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum HeaderFault {
    /// Too short, not a log of this kind, or a wrong checksum.
    Damaged,
    /// Another version of the form.
    Version(u32),
}

impl Header {
    pub(crate) fn encode(&self, magic: &[u8; 8]) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER_BYTES);
        bytes.extend_from_slice(magic);
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        bytes.extend_from_slice(&self.salt.to_le_bytes());
        bytes.extend_from_slice(&self.swarm);
        bytes.extend_from_slice(&self.first_sequence.to_le_bytes());
        bytes.extend_from_slice(&crc32c::crc32c(&bytes).to_le_bytes());
        bytes
    }

    pub(crate) fn decode(bytes: &[u8], magic: &[u8; 8]) -> Result<Self, HeaderFault> {
        let mut fields = Fields(bytes);
        if fields.take::<8>() != Some(*magic) {
            return Err(HeaderFault::Damaged);
        }
        let version = fields.u32().ok_or(HeaderFault::Damaged)?;
        if version != VERSION {
            return Err(HeaderFault::Version(version));
        }
        Self::decode_fields(fields)
            .filter(|header| header.encode(magic) == bytes)
            .ok_or(HeaderFault::Damaged)
    }

    fn decode_fields(mut fields: Fields<'_>) -> Option<Self> {
        Some(Self { salt: fields.u32()?, swarm: fields.take()?, first_sequence: fields.u64()? })
    }
}

/// What stands before a payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Frame {
    /// Length of the payload.
    pub(crate) length: u32,
    /// Contiguous over the segments of a log, from 1.
    pub(crate) sequence: u64,
    /// The sequence that the batch of this record began with: everything before it was durable
    /// before any byte of this record was written.
    pub(crate) batch: u64,
    /// The height the record belongs to.
    pub(crate) height: u64,
    /// The caller's kind of record.
    pub(crate) kind: u8,
    /// Checksum of the payload, from the salt on.
    pub(crate) payload_crc: u32,
}

impl Frame {
    pub(crate) fn encode(&self, salt: u32) -> [u8; FRAME_BYTES] {
        let mut bytes = [0; FRAME_BYTES];
        bytes[0..4].copy_from_slice(&self.length.to_le_bytes());
        bytes[4..12].copy_from_slice(&self.sequence.to_le_bytes());
        bytes[12..20].copy_from_slice(&self.batch.to_le_bytes());
        bytes[20..28].copy_from_slice(&self.height.to_le_bytes());
        bytes[28] = self.kind;
        bytes[29..33].copy_from_slice(&self.payload_crc.to_le_bytes());
        let crc = crc32c::crc32c_append(salt, &bytes[..33]);
        bytes[33..37].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// The frame at the start of `bytes`; `None` if they are too few or their checksum is wrong.
    pub(crate) fn decode(bytes: &[u8], salt: u32) -> Option<Self> {
        let body = bytes.get(..33)?;
        let mut fields = Fields(bytes);
        let frame = Self {
            length: fields.u32()?,
            sequence: fields.u64()?,
            batch: fields.u64()?,
            height: fields.u64()?,
            kind: u8::from_le_bytes(fields.take()?),
            payload_crc: fields.u32()?,
        };
        (fields.u32()? == crc32c::crc32c_append(salt, body)).then_some(frame)
    }

    /// Frame and payload together.
    pub(crate) fn total_bytes(&self) -> u64 {
        FRAME_BYTES as u64 + u64::from(self.length)
    }
}

/// Little-endian integers off the front of some bytes.
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
