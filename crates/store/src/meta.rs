//! Small named values that are replaced whole.

use std::sync::Arc;

use crate::error::StoreError;
use crate::frame::Fields;
use crate::log::damaged;
use crate::whole::{check_length, read_whole, write_whole};
use crate::{CrashPoints, Disk};

/// The longest value: 4 MiB.
pub const MAX_META_BYTES: usize = 4 * 1024 * 1024;

const MAGIC: [u8; 8] = *b"QRTMET1\n";
const HEADER_BYTES: usize = 20;
const MAX_NAME_BYTES: usize = 64;

/// Small named values, such as the genesis. After a crash either the old value is there or the new
/// one.
///
/// It needs no lock and no swarm id, so that a node can read the swarm of its folder before it
/// opens the [`Store`](crate::Store). A file is `magic[8] length:u64 crc:u32 value`.
#[derive(Clone)]
pub struct Meta {
    disk: Arc<dyn Disk>,
    points: CrashPoints,
}

impl Meta {
    /// The values in the folder `disk`.
    pub fn new(disk: Arc<dyn Disk>, points: CrashPoints) -> Self {
        Self { disk, points }
    }

    /// Stores `value` as `name`; it is durable when this returns.
    ///
    /// # Errors
    /// [`StoreError::BadName`]; [`StoreError::TooLarge`] above [`MAX_META_BYTES`]; or the disk
    /// failed, and the process must end.
    pub fn put(&self, name: &str, value: &[u8]) -> Result<(), StoreError> {
        let file = file_name(name)?;
        check_length(value.len() as u64, MAX_META_BYTES)?;

        self.points.pass("meta.write.before");
        write_whole(&*self.disk, &file, &encode(value))?;
        self.points.pass("meta.write.after");
        Ok(())
    }

    /// The value stored as `name`; `None` if there is none.
    ///
    /// # Errors
    /// [`StoreError::BadName`], [`StoreError::Damaged`], or the disk failed.
    pub fn get(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let file = file_name(name)?;
        let limit = HEADER_BYTES + MAX_META_BYTES;

        let Some(bytes) = read_whole(&*self.disk, &file, limit)? else {
            return Ok(None);
        };

        match decode(&bytes) {
            Some(value) => Ok(Some(value.to_vec())),
            None => Err(damaged(&*self.disk, &file, 0)),
        }
    }
}

/// The name of the file of a value.
fn file_name(name: &str) -> Result<String, StoreError> {
    let is_allowed = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_');
    let has_length = (1..=MAX_NAME_BYTES).contains(&name.len());

    // No dot and no slash, so that a name cannot lead out of the folder.
    if !has_length || !name.bytes().all(is_allowed) {
        return Err(StoreError::BadName {
            name: name.to_owned(),
        });
    }

    Ok(format!("meta/{name}"))
}

/// The content of the file of a value.
fn encode(value: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER_BYTES + value.len());
    bytes.extend_from_slice(&MAGIC);
    bytes.extend_from_slice(&(value.len() as u64).to_le_bytes());
    bytes.extend_from_slice(&checksum(value).to_le_bytes());
    bytes.extend_from_slice(value);
    bytes
}

/// The value in a file; `None` if the file is not as it was written.
fn decode(bytes: &[u8]) -> Option<&[u8]> {
    let mut fields = Fields(bytes);
    let is_meta = fields.take()? == MAGIC;
    let length = fields.u64()?;
    let crc = fields.u32()?;

    // The rest of the file is the value.
    let value = fields.0;
    let is_complete = length == value.len() as u64;
    let is_good = crc == checksum(value);

    (is_meta && is_complete && is_good).then_some(value)
}

/// The checksum starts from the length, so that no value of zeros has checksum zero.
fn checksum(value: &[u8]) -> u32 {
    let length = (value.len() as u64).to_le_bytes();
    crc32c::crc32c_append(crc32c::crc32c(&length), value)
}
