//! The signing guard: the last statement that a key signed, so that it never signs a second one
//! there.

use crate::error::{GuardError, Operation, StoreError};
use crate::guard_file::{
    FILE_BYTES, GuardFault, GuardRecord, MAX_INTENT_BYTES, Owner, Recovered, VERSION, recover,
};
use crate::log::check_swarm;
use crate::whole::{check_length, list_folder, open_file, read_whole, take_lock, write_whole};
use crate::{CrashPoints, Disk, DiskFile, FolderLock, OpenMode, Slot, Store};

/// The name of the file of the guard.
pub(crate) const GUARD_NAME: &str = "guard";

/// The permission that [`SigningGuard::intend`] gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Permission {
    /// Nothing was signed in this slot before; the intent is durable.
    Fresh,
    /// Exactly these bytes were permitted there before. Signing them again gives the same
    /// statement.
    AlreadySigned,
}

/// The result of [`SigningGuard::check_against`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Witness {
    /// The guard knew of this slot or a later one.
    Covered,
    /// The guard had forgotten it and was raised. This is worth an alarm: the file lost a synced
    /// write.
    Raised,
}

/// The last statement that a key meant to sign, made durable before it is signed (N-21).
///
/// Call [`create`](Self::create) once, together with the key and before the key is stored;
/// [`open`](Self::open) at each start; [`intend`](Self::intend) before each signature. A key whose
/// guard is missing or damaged does not sign, and a guard that exists is never made a second time.
/// The one way back is [`create_raised`](Self::create_raised), at a height that other validators
/// have proved fresh (N-27).
///
/// # Crash safety
///
/// A signature costs one `fdatasync` and no rename. The file has four pages in two pairs.
/// Generation *g* is written to both pages of pair *g* mod 2 and synced before `intend` returns;
/// the pair of *g* - 1 is not touched.
///
/// - A crash may tear the write of *g* in any way, both pages included. Then `intend` had not
///   returned, nothing was signed, and *g* - 1 is complete in the other pair. If one page of *g*
///   was written, *g* is taken: that is stricter, never laxer.
/// - If one page is spoiled after its sync, its twin still holds the state, so the signature is not
///   forgotten. The spoiled page is written again at open.
/// - If both pages of the newest pair are spoiled after their sync, that looks like a torn write,
///   and the guard falls back by one generation without noticing. So the node keeps a second
///   witness, its log. The log holds the statements, to which
///   [`check_against`](Self::check_against) raises the guard. Before a statement was signed, the
///   log holds the inputs that led to it, and these lead to the same statement again. If a page of
///   the other pair is spoiled too, no torn write explains it, and the guard is refused: a
///   misplaced write over both pages of a pair hits the page between them.
/// - Pages that fit no honest history, for instance a pair older than the one it alternates with,
///   are refused as damaged.
/// - A restored older copy of the whole folder is not noticed here; that is amnesia, N-27.
pub struct SigningGuard {
    file: Box<dyn DiskFile>,
    path: String,
    points: CrashPoints,
    seed: u32,
    state: GuardRecord,
    poisoned: bool,
    /// Two processes with one key would sign two statements, so the guard shares the store's lock.
    _lock: FolderLock,
}

impl SigningGuard {
    /// Makes the guard of a new key, durably. Make it before the key is stored: a guard without a
    /// key is harmless, a key without a guard is not. The folder must not be open.
    ///
    /// # Errors
    /// [`GuardError::Exists`]; [`StoreError::Locked`]; or the disk failed, and then the key must
    /// not be used.
    pub fn create(disk: &dyn Disk, key: &[u8; 32], swarm: &[u8; 32]) -> Result<(), GuardError> {
        let _lock = take_lock(disk)?;
        expect_missing(disk)?;

        let owner = Owner {
            key: *key,
            swarm: *swarm,
        };

        let file = owner.fresh_file(Slot::default());
        Ok(write_whole(disk, GUARD_NAME, &file)?)
    }

    /// Checks that there is no guard in the folder of `store`, not even a damaged one. Only then
    /// may its key look for a way back (N-27).
    ///
    /// # Errors
    /// [`GuardError::Exists`]; or the disk failed.
    pub fn expect_missing(store: &Store) -> Result<(), GuardError> {
        expect_missing(store.shared().0.disk())
    }

    /// Makes the guard of a key whose guard was lost, in the folder of `store`: nothing below
    /// `height` is ever permitted (N-27). After a crash the guard is either there and raised, or
    /// not there.
    ///
    /// # Errors
    /// [`GuardError::Exists`]; or the disk failed, and then the key must not sign.
    pub fn create_raised(store: &Store, key: &[u8; 32], height: u64) -> Result<Self, GuardError> {
        let (context, _) = store.shared();
        let disk = context.disk();
        expect_missing(disk)?;

        let owner = Owner {
            key: *key,
            swarm: context.config().swarm,
        };

        let file = owner.fresh_file(Slot::last_below(height));
        write_whole(disk, GUARD_NAME, &file)?;
        Self::open(store, key)
    }

    /// Opens the guard of `key` in the folder of `store`. It stays usable if the store is dropped,
    /// and keeps the folder locked.
    ///
    /// # Errors
    /// [`GuardError::Missing`], [`GuardError::WrongKey`], [`GuardError::Damaged`],
    /// [`StoreError::WrongSwarm`], [`StoreError::Unsupported`], or the disk failed. In each case
    /// the key must not sign.
    pub fn open(store: &Store, key: &[u8; 32]) -> Result<Self, GuardError> {
        let (context, lock) = store.shared();
        let disk = context.disk();
        let bytes = read_guard(disk)?;

        // The owner goes first: a file of another key or version is an error of its own, not
        // damage.
        let owner = check_owner(disk, &bytes, key, &context.config().swarm)?;
        let recovered = recover_file(disk, &bytes, &owner)?;

        let mut guard = Self {
            file: open_file(disk, GUARD_NAME, OpenMode::Existing)?,
            path: disk.path(GUARD_NAME),
            points: context.points().clone(),
            seed: owner.seed(),
            state: recovered.state,
            poisoned: false,
            _lock: lock.clone(),
        };

        // The content that was read may be only in the cache of the system so far.
        guard.settle(&recovered.to_heal)?;
        Ok(guard)
    }

    /// Asks to sign `bytes` in `slot`. If the guard permits it, that is durable. If this fails,
    /// do not sign.
    ///
    /// Slots only rise. The one exception: exactly the bytes that were permitted last are
    /// permitted again.
    ///
    /// # Errors
    /// [`GuardError::Refused`], or [`StoreError::TooLarge`] above
    /// [`MAX_INTENT_BYTES`](crate::MAX_INTENT_BYTES); neither changes anything. Otherwise the disk
    /// failed: the guard is poisoned, and the process must end.
    pub fn intend(&mut self, slot: Slot, bytes: &[u8]) -> Result<Permission, GuardError> {
        self.check_sound()?;
        check_length(bytes.len() as u64, MAX_INTENT_BYTES)?;

        // A restart signs the same statement again, so the same bytes must be permitted again
        // (N-32).
        let last = self.state.slot;
        if slot == last && self.state.bytes.as_deref() == Some(bytes) {
            return Ok(Permission::AlreadySigned);
        }

        if slot <= last {
            return Err(GuardError::Refused { asked: slot, last });
        }

        self.advance(slot, Some(bytes.to_vec()))?;
        Ok(Permission::Fresh)
    }

    /// Compares the guard with a signature that another witness (the log, a peer) knows of. If the
    /// guard had forgotten it, raises the guard, durably: then nothing at or below `slot` is
    /// permitted.
    ///
    /// # Errors
    /// The disk failed: the guard is poisoned, and the process must end.
    pub fn check_against(&mut self, slot: Slot) -> Result<Witness, GuardError> {
        self.check_sound()?;
        if slot <= self.state.slot {
            return Ok(Witness::Covered);
        }

        self.advance(slot, None)?;
        Ok(Witness::Raised)
    }

    /// Permits nothing below `height` from now on, durably (N-29: "observe until H+1, vote from
    /// H+2" is `raise_to(H + 2)`). A guard that stands higher stays as it is.
    ///
    /// # Errors
    /// The disk failed: the guard is poisoned, and the process must end.
    pub fn raise_to(&mut self, height: u64) -> Result<(), GuardError> {
        self.check_sound()?;

        let slot = Slot::last_below(height);
        if slot > self.state.slot {
            self.advance(slot, None)?;
        }

        Ok(())
    }

    /// The slot of the guard: nothing at or below it is permitted, except once more the bytes
    /// that were permitted there.
    pub fn last(&self) -> Slot {
        self.state.slot
    }

    /// The least height at which anything is permitted. The key may have signed at any height
    /// before it.
    pub fn permits_from(&self) -> u64 {
        let last = self.state.slot;
        let next = last.height().saturating_add(1);

        if last == Slot::last_below(next) {
            next
        } else {
            last.height()
        }
    }

    /// Called after opening: makes the state that was read durable, in both its pages. A pair in
    /// which neither page could be read needs nothing, since it is written next.
    fn settle(&mut self, to_heal: &[(usize, GuardRecord)]) -> Result<(), GuardError> {
        for (offset, state) in to_heal {
            let result = self.file.write_at(*offset as u64, &state.encode(self.seed));
            self.finish(Operation::Write, result)?;
        }

        let result = self.file.sync();
        self.finish(Operation::Sync, result)
    }

    /// Writes the next generation to both its pages and syncs it.
    fn advance(&mut self, slot: Slot, bytes: Option<Vec<u8>>) -> Result<(), GuardError> {
        let generation = self.state.generation.wrapping_add(1);
        let state = GuardRecord {
            generation,
            slot,
            bytes,
        };

        let page = state.encode(self.seed);
        let [first, second] = state.offsets();

        // Both pages hold the same, so that one spoiled page loses nothing.
        self.points.pass("guard.write.before");
        let result = self.file.write_at(first as u64, &page);
        self.finish(Operation::Write, result)?;

        self.points.pass("guard.write.between");
        let result = self.file.write_at(second as u64, &page);
        self.finish(Operation::Write, result)?;
        self.points.pass("guard.write.after");

        // Only what is synced may be permitted.
        self.points.pass("guard.sync.before");
        let result = self.file.sync();
        self.finish(Operation::Sync, result)?;
        self.state = state;
        self.points.pass("guard.sync.after");
        Ok(())
    }

    /// Turns the result of an operation into that of this crate. A failure poisons the guard.
    fn finish(
        &mut self,
        operation: Operation,
        result: std::io::Result<()>,
    ) -> Result<(), GuardError> {
        self.poisoned |= result.is_err();

        let path = &self.path;
        Ok(result.map_err(|source| StoreError::Disk {
            operation,
            path: path.clone(),
            source,
        })?)
    }

    /// Checks that no write or sync has failed.
    fn check_sound(&self) -> Result<(), StoreError> {
        if self.poisoned {
            return Err(StoreError::Poisoned {
                path: self.path.clone(),
            });
        }
        Ok(())
    }
}

/// Checks that there is no guard in a folder.
fn expect_missing(disk: &dyn Disk) -> Result<(), GuardError> {
    let names = list_folder(disk, "")?;

    if names.iter().any(|name| name == GUARD_NAME) {
        return Err(GuardError::Exists {
            path: disk.path(GUARD_NAME),
        });
    }
    Ok(())
}

/// The error of a guard that is damaged.
fn damaged(disk: &dyn Disk) -> GuardError {
    GuardError::Damaged {
        path: disk.path(GUARD_NAME),
    }
}

/// The content of the file of the guard.
fn read_guard(disk: &dyn Disk) -> Result<Vec<u8>, GuardError> {
    match read_whole(disk, GUARD_NAME, FILE_BYTES) {
        Err(StoreError::TooLarge { .. }) => Err(damaged(disk)),
        bytes => bytes?.ok_or_else(|| GuardError::Missing {
            path: disk.path(GUARD_NAME),
        }),
    }
}

/// The newest state in the file of a guard.
fn recover_file(disk: &dyn Disk, file: &[u8], owner: &Owner) -> Result<Recovered, GuardError> {
    if file.len() != FILE_BYTES {
        return Err(damaged(disk));
    }

    recover(file, owner.seed()).ok_or_else(|| damaged(disk))
}

/// Reads the header of the file of a guard, which must be of this key and this swarm.
fn check_owner(
    disk: &dyn Disk,
    file: &[u8],
    key: &[u8; 32],
    swarm: &[u8; 32],
) -> Result<Owner, GuardError> {
    let owner = Owner::decode(file).map_err(|fault| match fault {
        GuardFault::Damaged => damaged(disk),
        GuardFault::Version(found) => StoreError::Unsupported {
            path: disk.path(GUARD_NAME),
            found,
            supported: VERSION,
        }
        .into(),
    })?;

    if owner.key != *key {
        return Err(GuardError::WrongKey {
            path: disk.path(GUARD_NAME),
            expected: *key,
            found: owner.key,
        });
    }

    check_swarm(disk, GUARD_NAME, swarm, &owner.swarm)?;
    Ok(owner)
}
