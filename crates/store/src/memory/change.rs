//! Changes of a [`MemoryDisk`](crate::MemoryDisk): how a change shows to readers, and how it lands.

use std::collections::BTreeMap;

use super::fault::Access;

pub(super) type FileId = u64;

/// A change that was made and not synced.
#[derive(Clone)]
pub(super) enum Change {
    Write(Write),
    Truncate { file: FileId, length: u64 },
    Create { name: String, file: FileId },
    Rename { from: String, to: String },
    Remove { name: String },
}

/// A write of bytes to a file.
#[derive(Clone)]
pub(super) struct Write {
    /// The place at which readers see the bytes.
    pub(super) meant: Place,
    /// The place at which the bytes land: another one if the write is misdirected.
    pub(super) landing: Place,
    pub(super) bytes: Vec<u8>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) file: FileId,
    pub(super) offset: u64,
}

impl Change {
    pub(super) fn write(file: FileId, offset: u64, bytes: &[u8]) -> Self {
        let meant = Place { file, offset };
        Self::Write(Write {
            meant,
            landing: meant,
            bytes: bytes.to_vec(),
        })
    }

    pub(super) fn access(&self) -> Access {
        if matches!(self, Self::Write(_)) {
            Access::Write
        } else {
            Access::Other
        }
    }

    /// The CRC-32C `checksum` continued with this change.
    pub(super) fn append_to(&self, checksum: u32) -> u32 {
        let numbers = self.numbers().map(u64::to_le_bytes);
        let parts = [
            self.name().as_bytes(),
            &numbers[0],
            &numbers[1],
            self.content(),
        ];

        parts.into_iter().fold(checksum, crc32c::crc32c_append)
    }

    /// The name that enters the checksum: the one that changes, or one for the kind of change.
    fn name(&self) -> &str {
        match self {
            Self::Write(_) => "",
            Self::Truncate { .. } => "cut",
            Self::Create { name, .. } | Self::Remove { name } => name,
            Self::Rename { from, .. } => from,
        }
    }

    /// The numbers that enter the checksum: those of the change, or one for its kind.
    fn numbers(&self) -> [u64; 2] {
        match self {
            Self::Write(write) => [write.landing.file, write.landing.offset],
            Self::Truncate { file, length } => [*file, *length],
            Self::Create { file, .. } => [*file, 0],
            Self::Rename { .. } => [0, 1],
            Self::Remove { .. } => [0, 2],
        }
    }

    /// The bytes that enter the checksum: those that are written, or the new name.
    fn content(&self) -> &[u8] {
        match self {
            Self::Write(write) => &write.bytes,
            Self::Rename { to, .. } => to.as_bytes(),
            _ => &[],
        }
    }

    pub(super) fn is_of_file(&self, file: FileId) -> bool {
        match self {
            Self::Write(write) => write.meant.file == file,
            Self::Truncate { file: cut, .. } => *cut == file,
            Self::Create { .. } | Self::Rename { .. } | Self::Remove { .. } => false,
        }
    }

    pub(super) fn is_in_folder(&self, folder: &str) -> bool {
        let name = match self {
            Self::Write(_) | Self::Truncate { .. } => return false,
            Self::Create { name, .. } | Self::Remove { name } => name,
            Self::Rename { to, .. } => to,
        };

        name.rsplit_once('/').map_or("", |(folder, _)| folder) == folder
    }

    pub(super) fn apply_to_names(&self, names: &mut BTreeMap<String, FileId>) {
        match self {
            Self::Create { name, file } => {
                names.insert(name.clone(), *file);
            }

            Self::Rename { from, to } => {
                if let Some(file) = names.remove(from) {
                    names.insert(to.clone(), file);
                }
            }

            Self::Remove { name } => {
                names.remove(name);
            }

            Self::Write(_) | Self::Truncate { .. } => {}
        }
    }
}

impl Write {
    /// The part of the write that begins after `skip` bytes and consists of `bytes`.
    pub(super) fn part(&self, skip: u64, bytes: Vec<u8>) -> Self {
        Self {
            meant: self.meant.plus(skip),
            landing: self.landing.plus(skip),
            bytes,
        }
    }

    /// The least length of the file after the write.
    pub(super) fn end(&self) -> usize {
        self.meant.offset as usize + self.bytes.len()
    }

    /// Applies the write to the content that readers see.
    pub(super) fn show(&self, content: &mut Vec<u8>) {
        grow(content, self.end());
        put(content, self.meant.offset, &self.bytes);
    }
}

impl Place {
    fn plus(self, bytes: u64) -> Self {
        Self {
            offset: self.offset.saturating_add(bytes),
            ..self
        }
    }
}

/// Fills `content` with zeros up to `length`, if it is shorter.
pub(super) fn grow(content: &mut Vec<u8>, length: usize) {
    content.resize(content.len().max(length), 0);
}

/// Puts `bytes` at `offset`, as far as they fit.
pub(super) fn put(content: &mut [u8], offset: u64, bytes: &[u8]) {
    let start = usize::try_from(offset).unwrap_or(usize::MAX);
    let room = content.get_mut(start..).unwrap_or_default();
    room.iter_mut()
        .zip(bytes)
        .for_each(|(old, new)| *old = *new);
}
