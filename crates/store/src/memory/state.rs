//! The state of a [`MemoryDisk`](crate::MemoryDisk): the content as seen, the content as synced,
//! and the changes between the two.

use std::collections::BTreeMap;
use std::io;

use super::change::{Change, FileId, Place, Write, grow, put};
use super::fate::CrashOutcome;
use super::fault::{Access, Fault, FaultKind, Syncs, Tear};
use crate::OpenMode;

/// The content of one file.
#[derive(Default)]
pub(super) struct Content {
    /// The bytes that readers see.
    pub(super) seen: Vec<u8>,
    /// The bytes that survive any crash.
    durable: Vec<u8>,
}

/// A fault that will befall an operation or a read.
struct Order {
    /// The number of the operation or read from which on the fault is due.
    from: u64,
    fault: Fault,
}

impl Order {
    /// Whether the fault befalls such an operation or read of this number.
    fn is_due(&self, number: u64, access: Access) -> bool {
        self.from <= number && self.fault.befalls(access)
    }
}

pub(super) struct DiskState {
    files: BTreeMap<FileId, Content>,
    pub(super) names: BTreeMap<String, FileId>,
    durable_names: BTreeMap<String, FileId>,
    unsynced: Vec<Change>,
    next_file: FileId,
    /// Counts crashes and kills, so that handles from before one are dead.
    pub(super) epoch: u64,
    pub(super) locked: bool,
    pub(super) operations: u64,
    pub(super) reads: u64,
    pub(super) syncs: u64,
    /// The checksum of every change and sync so far.
    pub(super) checksum: u32,
    /// The faults that will befall operations or reads.
    orders: Vec<Order>,
    pub(super) sync_honesty: Syncs,
    /// The most bytes that all files may have together.
    pub(super) capacity: u64,
    pub(super) fired: BTreeMap<FaultKind, u64>,
    off: bool,
}

impl Default for DiskState {
    fn default() -> Self {
        Self {
            files: BTreeMap::new(),
            names: BTreeMap::new(),
            durable_names: BTreeMap::new(),
            unsynced: Vec::new(),
            next_file: 0,
            epoch: 0,
            locked: false,
            operations: 0,
            reads: 0,
            syncs: 0,
            checksum: 0,
            orders: Vec::new(),
            sync_honesty: Syncs::Honest,
            capacity: u64::MAX,
            fired: BTreeMap::new(),
            off: false,
        }
    }
}

impl DiskState {
    pub(super) fn check_power(&self) -> io::Result<()> {
        if self.off { Err(failure()) } else { Ok(()) }
    }

    pub(super) fn check_exists(&self, name: &str) -> io::Result<()> {
        self.check_power()?;
        if self.names.contains_key(name) {
            Ok(())
        } else {
            Err(io::ErrorKind::NotFound.into())
        }
    }

    pub(super) fn order(&mut self, from: u64, fault: Fault) {
        self.orders.push(Order { from, fault });
    }

    /// The bytes that readers see in a file.
    pub(super) fn seen(&self, file: FileId) -> &[u8] {
        self.files.get(&file).map_or(&[], |content| &content.seen)
    }

    /// Fills `buffer` as far as the file goes, or fails as ordered.
    pub(super) fn read(
        &mut self,
        file: FileId,
        offset: u64,
        buffer: &mut [u8],
    ) -> io::Result<usize> {
        let read = self.reads;
        self.reads += 1;

        let count = self.copy_seen(file, offset, buffer);
        if count == 0 {
            // A read of nothing cannot show a fault, so it uses up no order.
            return Ok(0);
        }

        match self.due(read, Access::Read) {
            Some(Fault::FlippedRead(bit)) => {
                flip(&mut buffer[..count], bit);
                Ok(count)
            }
            Some(_) => Err(failure()),
            None => Ok(count),
        }
    }

    /// Copies the bytes that readers see from `offset` on. Returns their number.
    fn copy_seen(&self, file: FileId, offset: u64, buffer: &mut [u8]) -> usize {
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        let rest = self.seen(file).get(start..).unwrap_or_default();

        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        count
    }

    /// Opens or makes a file.
    pub(super) fn open(&mut self, name: &str, mode: OpenMode) -> io::Result<FileId> {
        self.check_power()?;
        let named = self.names.get(name).copied();

        match (mode, named) {
            (OpenMode::Existing, Some(file)) => Ok(file),
            (OpenMode::Existing, None) => Err(io::ErrorKind::NotFound.into()),
            (OpenMode::New, Some(_)) => Err(io::ErrorKind::AlreadyExists.into()),
            (OpenMode::New, None) => self.create(name),
        }
    }

    fn create(&mut self, name: &str) -> io::Result<FileId> {
        let file = self.next_file;
        self.next_file += 1;
        self.files.insert(file, Content::default());

        self.change(Change::Create {
            name: name.to_owned(),
            file,
        })?;
        Ok(file)
    }

    /// Makes a change, or fails as ordered.
    pub(super) fn change(&mut self, change: Change) -> io::Result<()> {
        let fault = self.count(change.access())?;

        match (fault, change) {
            (None, change) => self.make_if_it_fits(change),

            (Some(Fault::PowerOff), change) => {
                // The change was under way when the power failed: the crash decides its fate.
                self.make(change);
                Err(failure())
            }

            (Some(fault), Change::Write(write)) => self.write_badly(write, fault),

            // Other faults of a change do nothing but fail it.
            (Some(_), _) => Err(failure()),
        }
    }

    /// Makes a write that a fault befalls.
    fn write_badly(&mut self, mut write: Write, fault: Fault) -> io::Result<()> {
        match fault {
            Fault::ShortWrite(count) => {
                write.bytes.truncate(count);
                self.make(Change::Write(write));
                Err(failure())
            }

            Fault::ShiftedWrite(by) => {
                write.landing.offset = write.meant.offset.saturating_add_signed(by);
                self.make_if_it_fits(Change::Write(write))
            }

            Fault::StrayWrite(number) => {
                write.landing = self.astray(write.meant, number);
                self.make_if_it_fits(Change::Write(write))
            }

            _ => Err(failure()),
        }
    }

    /// Makes the changes that `covered` picks durable, or fails or lies as ordered.
    pub(super) fn sync(&mut self, covered: impl Fn(&Change) -> bool) -> io::Result<()> {
        let fault = self.count(Access::Sync)?;
        self.syncs += 1;
        self.checksum = crc32c::crc32c_append(self.checksum, b"sync");

        if fault == Some(Fault::PowerOff) {
            return Err(failure());
        }

        // The order of such a lie was counted when it was taken.
        if fault == Some(Fault::SyncLie) {
            return Ok(());
        }

        // In a lying period only a sync that had something to make durable counts.
        if self.sync_honesty == Syncs::Lying && fault.is_none() {
            if self.unsynced.iter().any(covered) {
                self.record(FaultKind::SyncLie);
            }
            return Ok(());
        }

        let all = std::mem::take(&mut self.unsynced).into_iter();
        let (synced, rest): (Vec<_>, Vec<_>) = all.partition(covered);
        self.unsynced = rest;

        // A failed sync drops the changes that it covered, as the page cache of Linux does.
        if fault.is_some() {
            return Err(failure());
        }

        for change in synced {
            self.land(change);
        }
        Ok(())
    }

    pub(super) fn overwrite(&mut self, name: &str, bytes: &[u8]) {
        let next = self.next_file;
        let file = *self.names.entry(name.to_owned()).or_insert(next);
        self.durable_names.entry(name.to_owned()).or_insert(file);

        // The number is taken only if the file was absent.
        self.next_file += u64::from(file == next);

        let content = Content {
            seen: bytes.to_vec(),
            durable: bytes.to_vec(),
        };
        self.files.insert(file, content);
    }

    pub(super) fn lose(&mut self, name: &str) {
        self.names.remove(name);
        self.durable_names.remove(name);
    }

    pub(super) fn crash(&mut self, tear: Tear) {
        let mut fate = CrashOutcome::new(tear);

        for change in std::mem::take(&mut self.unsynced) {
            let (landed, kind) = fate.decide(change);
            for part in landed {
                self.land(part);
            }
            if let Some(kind) = kind {
                self.record(kind);
            }
        }

        self.show_durable();
        self.kill();
    }

    /// Lets readers see the durable state, which is all that a crash leaves.
    fn show_durable(&mut self) {
        self.names = self.durable_names.clone();
        let is_named = |file: &FileId| self.names.values().any(|named| named == file);
        self.files.retain(|file, _| is_named(file));

        for content in self.files.values_mut() {
            content.seen = content.durable.clone();
        }
    }

    pub(super) fn kill(&mut self) {
        self.epoch += 1;
        self.orders.clear();
        (self.locked, self.off) = (false, false);
    }

    pub(super) fn wipe(&mut self) {
        self.files.clear();
        self.names.clear();
        self.durable_names.clear();
        self.unsynced.clear();
        self.record(FaultKind::Wiped);
        self.kill();
    }

    /// The bytes that all files have together, as readers see them.
    pub(super) fn used(&self) -> u64 {
        self.names
            .values()
            .map(|&file| self.seen(file).len() as u64)
            .sum()
    }

    /// Counts a changing operation. Returns the fault that befalls it, if any.
    fn count(&mut self, access: Access) -> io::Result<Option<Fault>> {
        self.check_power()?;
        let operation = self.operations;
        self.operations += 1;

        let fault = self.due(operation, access);
        self.off |= fault == Some(Fault::PowerOff);
        Ok(fault)
    }

    /// Takes the earliest order that is due and can befall such an operation or read.
    fn due(&mut self, number: u64, access: Access) -> Option<Fault> {
        let orders = self.orders.iter().enumerate();
        let due = orders.filter(|(_, order)| order.is_due(number, access));

        // Of several that are due, the earliest one fires.
        let (index, _) = due.min_by_key(|(_, order)| order.from)?;
        let order = self.orders.remove(index);

        self.record(order.fault.kind(access));
        Some(order.fault)
    }

    /// The place at which a write lands that goes to another file.
    fn astray(&self, meant: Place, number: u64) -> Place {
        let others: Vec<FileId> = self
            .names
            .values()
            .copied()
            .filter(|file| *file != meant.file)
            .collect();

        let chosen = number
            .checked_rem(others.len() as u64)
            .map(|index| others[index as usize]);

        // With no other file the write is lost: it lands behind the end of its own.
        let Some(file) = chosen else {
            return Place {
                file: meant.file,
                offset: u64::MAX,
            };
        };

        let length = self.seen(file).len() as u64;
        Place {
            file,
            offset: meant.offset.checked_rem(length).unwrap_or(0),
        }
    }

    /// Makes a change, or as much of it as a full disk takes.
    fn make_if_it_fits(&mut self, change: Change) -> io::Result<()> {
        let room = self.capacity.saturating_sub(self.used());

        let (fits, change) = match change {
            Change::Create { .. } if room == 0 => (false, None),
            Change::Write(mut write) => {
                let fits = self.cut_to_fit(&mut write, room);
                (fits, Some(Change::Write(write)))
            }
            change => (true, Some(change)),
        };

        // A change that does not fit is made as far as there is room.
        if let Some(change) = change {
            self.make(change);
        }
        if fits {
            return Ok(());
        }

        self.record(FaultKind::Full);
        Err(io::ErrorKind::StorageFull.into())
    }

    /// Cuts a write that makes its file grow by more than `room`. Returns whether the write was
    /// left whole.
    fn cut_to_fit(&self, write: &mut Write, room: u64) -> bool {
        let length = self.seen(write.meant.file).len();
        let growth = write.end().saturating_sub(length);
        let room = usize::try_from(room).unwrap_or(usize::MAX);
        let excess = growth.saturating_sub(room);

        // The bytes at the end are those that make the file grow.
        let fitting = write.bytes.len().saturating_sub(excess);
        write.bytes.truncate(fitting);

        excess == 0
    }

    /// Makes a change: readers see it, and it is not durable.
    fn make(&mut self, change: Change) {
        self.checksum = change.append_to(self.checksum);

        match &change {
            Change::Write(write) => write.show(&mut self.content(write.meant.file).seen),
            Change::Truncate { file, length } => {
                self.content(*file).seen.truncate(*length as usize);
            }
            change => change.apply_to_names(&mut self.names),
        }

        self.unsynced.push(change);
    }

    /// Makes a change durable.
    fn land(&mut self, change: Change) {
        match &change {
            Change::Write(write) => {
                // The file grows to the intended length even if the bytes land elsewhere.
                let meant = self.content(write.meant.file);
                grow(&mut meant.durable, write.end());

                let landing = self.content(write.landing.file);
                put(&mut landing.durable, write.landing.offset, &write.bytes);
            }

            Change::Truncate { file, length } => {
                self.content(*file).durable.truncate(*length as usize);
            }

            change => change.apply_to_names(&mut self.durable_names),
        }
    }

    fn content(&mut self, file: FileId) -> &mut Content {
        self.files.entry(file).or_default()
    }

    fn record(&mut self, kind: FaultKind) {
        *self.fired.entry(kind).or_default() += 1;
    }
}

/// Flips a bit, whose number is taken modulo that of all bits.
fn flip(bytes: &mut [u8], bit: u64) {
    let bits = bytes.len() as u64 * 8;
    let bit = (bit % bits) as usize;
    bytes[bit / 8] ^= 1 << (bit % 8);
}

/// The error of an operation that a fault befalls.
fn failure() -> io::Error {
    io::Error::other("injected fault")
}
