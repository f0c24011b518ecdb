//! What a [`MemoryDisk`](crate::MemoryDisk) holds: content as seen, content as synced, and the
//! changes between the two.

use std::collections::BTreeMap;
use std::io;

use crate::{Fault, Tear};

pub(crate) type FileId = u64;

/// One file.
#[derive(Default)]
pub(crate) struct Content {
    /// What readers see.
    pub(crate) seen: Vec<u8>,
    /// What survives any crash.
    durable: Vec<u8>,
}

/// A change that was made and not synced.
#[derive(Clone)]
pub(crate) enum Change {
    Write { file: FileId, offset: u64, bytes: Vec<u8> },
    Truncate { file: FileId, length: u64 },
    Create { name: String, file: FileId },
    Rename { from: String, to: String },
    Remove { name: String },
}

#[derive(Default)]
pub(crate) struct State {
    pub(crate) files: BTreeMap<FileId, Content>,
    pub(crate) names: BTreeMap<String, FileId>,
    durable_names: BTreeMap<String, FileId>,
    unsynced: Vec<Change>,
    next_file: FileId,
    /// Counts crashes.
    pub(crate) epoch: u64,
    pub(crate) locked: bool,
    pub(crate) operations: u64,
    pub(crate) fault: Option<(u64, Fault)>,
    off: bool,
}

impl State {
    pub(crate) fn check_power(&self) -> io::Result<()> {
        if self.off { Err(failure()) } else { Ok(()) }
    }

    pub(crate) fn check_exists(&self, name: &str) -> io::Result<()> {
        self.check_power()?;
        if self.names.contains_key(name) { Ok(()) } else { Err(io::ErrorKind::NotFound.into()) }
    }

    pub(crate) fn seen(&self, file: FileId) -> &[u8] {
        self.files.get(&file).map_or(&[], |content| &content.seen)
    }

    pub(crate) fn create(&mut self, name: &str) -> io::Result<FileId> {
        let file = self.next_file;
        self.next_file += 1;
        self.files.insert(file, Content::default());
        self.change(Change::Create { name: name.to_owned(), file })?;
        Ok(file)
    }

    /// Makes a change, or fails as ordered.
    pub(crate) fn change(&mut self, change: Change) -> io::Result<()> {
        match (self.count()?, change) {
            (None, change) => {
                self.make(change);
                Ok(())
            }
            (Some(Fault::PowerOff), change) => {
                self.make(change);
                Err(failure())
            }
            (Some(Fault::ShortWrite(count)), Change::Write { file, offset, mut bytes }) => {
                bytes.truncate(count);
                self.make(Change::Write { file, offset, bytes });
                Err(failure())
            }
            (Some(_), _) => Err(failure()),
        }
    }

    /// Makes the changes that `covered` picks durable, or fails as ordered.
    pub(crate) fn sync(&mut self, covered: impl Fn(&Change) -> bool) -> io::Result<()> {
        let fault = self.count()?;
        if fault == Some(Fault::PowerOff) {
            return Err(failure());
        }
        let all = std::mem::take(&mut self.unsynced);
        let (synced, rest): (Vec<_>, Vec<_>) = all.into_iter().partition(covered);
        self.unsynced = rest;
        if fault.is_some() {
            return Err(failure());
        }
        synced.into_iter().for_each(|change| self.land(change));
        Ok(())
    }

    pub(crate) fn overwrite(&mut self, name: &str, bytes: &[u8]) {
        let next = self.next_file;
        let file = *self.names.entry(name.to_owned()).or_insert(next);
        self.durable_names.entry(name.to_owned()).or_insert(file);
        self.next_file += u64::from(file == next);
        self.files.insert(file, Content { seen: bytes.to_vec(), durable: bytes.to_vec() });
    }

    pub(crate) fn crash(&mut self, tear: Tear) {
        let mut fate = Fate::new(tear);
        for change in std::mem::take(&mut self.unsynced) {
            for landed in fate.decide(change) {
                self.land(landed);
            }
        }
        self.names = self.durable_names.clone();
        let named = |file: &FileId| self.names.values().any(|named| named == file);
        self.files.retain(|file, _| named(file));
        for content in self.files.values_mut() {
            content.seen = content.durable.clone();
        }
        self.kill();
    }

    pub(crate) fn kill(&mut self) {
        self.epoch += 1;
        (self.locked, self.off, self.fault) = (false, false, None);
    }

    /// Counts an operation; the fault it was ordered to have.
    fn count(&mut self) -> io::Result<Option<Fault>> {
        self.check_power()?;
        let operation = self.operations;
        self.operations += 1;
        let fault = self.fault.filter(|(at, _)| *at == operation).map(|(_, fault)| fault);
        self.off |= fault == Some(Fault::PowerOff);
        Ok(fault)
    }

    fn make(&mut self, change: Change) {
        match change.file() {
            Some(file) => {
                let content = self.files.entry(file).or_default();
                change.apply_to_bytes(&mut content.seen);
            }
            None => change.apply_to_names(&mut self.names),
        }
        self.unsynced.push(change);
    }

    fn land(&mut self, change: Change) {
        match change.file() {
            Some(file) => {
                let content = self.files.entry(file).or_default();
                change.apply_to_bytes(&mut content.durable);
            }
            None => change.apply_to_names(&mut self.durable_names),
        }
    }
}

impl Change {
    pub(crate) fn is_of_file(&self, file: FileId) -> bool {
        self.file() == Some(file)
    }

    pub(crate) fn is_in_folder(&self, folder: &str) -> bool {
        let name = match self {
            Self::Write { .. } | Self::Truncate { .. } => return false,
            Self::Create { name, .. } | Self::Remove { name } => name,
            Self::Rename { to, .. } => to,
        };
        name.rsplit_once('/').map_or("", |(folder, _)| folder) == folder
    }

    /// The file whose bytes change.
    fn file(&self) -> Option<FileId> {
        match self {
            Self::Write { file, .. } | Self::Truncate { file, .. } => Some(*file),
            Self::Create { .. } | Self::Rename { .. } | Self::Remove { .. } => None,
        }
    }

    fn apply_to_bytes(&self, content: &mut Vec<u8>) {
        match self {
            Self::Write { offset, bytes, .. } => {
                let start = *offset as usize;
                content.resize(content.len().max(start + bytes.len()), 0);
                content[start..start + bytes.len()].copy_from_slice(bytes);
            }
            Self::Truncate { length, .. } => content.truncate(*length as usize),
            Self::Create { .. } | Self::Rename { .. } | Self::Remove { .. } => {}
        }
    }

    fn apply_to_names(&self, names: &mut BTreeMap<String, FileId>) {
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
            Self::Write { .. } | Self::Truncate { .. } => {}
        }
    }
}

/// What becomes of unsynced changes in a crash.
struct Fate {
    tear: Tear,
    /// State of the coins.
    coins: u64,
    /// Whether changes of names still land.
    names_land: bool,
}

impl Fate {
    fn new(tear: Tear) -> Self {
        let coins = if let Tear::Sectors { seed, .. } = tear { seed } else { 0 };
        Self { tear, coins, names_land: true }
    }

    /// The parts of a change that land.
    fn decide(&mut self, change: Change) -> Vec<Change> {
        match self.tear {
            Tear::Nothing => Vec::new(),
            Tear::Everything => vec![change],
            Tear::Prefix(left) => self.cut(change, left),
            Tear::Sectors { bytes: sector, .. } => match change {
                Change::Write { file, offset, bytes } => {
                    let sectors = bytes.chunks(sector.max(1)).enumerate();
                    sectors
                        .filter_map(|(index, part)| {
                            let bytes = self.sector(part)?;
                            let offset = offset + (index * sector.max(1)) as u64;
                            Some(Change::Write { file, offset, bytes })
                        })
                        .collect()
                }
                change => {
                    self.names_land &= self.coin(3) != 0;
                    if self.names_land { vec![change] } else { Vec::new() }
                }
            },
        }
    }

    /// What lands of `change` when `left` bytes still do.
    fn cut(&mut self, change: Change, left: u64) -> Vec<Change> {
        let (landed, cost) = match change {
            _ if left == 0 => return Vec::new(),
            Change::Write { file, offset, mut bytes } => {
                bytes.truncate(usize::try_from(left).unwrap_or(usize::MAX));
                let cost = bytes.len() as u64;
                (Change::Write { file, offset, bytes }, cost)
            }
            change => (change, 1),
        };
        self.tear = Tear::Prefix(left - cost);
        vec![landed]
    }

    fn sector(&mut self, part: &[u8]) -> Option<Vec<u8>> {
        match self.coin(4) {
            0 => None,
            1 => Some(part.iter().map(|byte| byte ^ 0x5a).collect()),
            _ => Some(part.to_vec()),
        }
    }

    /// A number below `sides` (splitmix64).
    fn coin(&mut self, sides: u64) -> u64 {
        self.coins = self.coins.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.coins;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % sides
    }
}

fn failure() -> io::Error {
    io::Error::other("injected fault")
}
