//! Named points of the write path at which a test can end the process.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// The name of every crash point. `*.before` and `*.after` stand around one operation of the disk.
/// The log writes a batch when it is synced (`wal.append`, then `wal.sync`), or earlier if the
/// batch outgrows its buffer. A block is written when it is appended. `wal.rotate` and `meta.write`
/// stand around the making of a whole file.
pub const CRASH_POINTS: &[&str] = &[
    "guard.write.before",
    "guard.write.between",
    "guard.write.after",
    "guard.sync.before",
    "guard.sync.after",
    "wal.append.before",
    "wal.append.after",
    "wal.sync.before",
    "wal.sync.after",
    "wal.rotate.before",
    "wal.rotate.after",
    "wal.truncate.before",
    "wal.truncate.after",
    "block.append.before",
    "block.append.after",
    "block.sync.before",
    "block.sync.after",
    "meta.write.before",
    "meta.write.after",
];

/// The hook that is called at each of [`CRASH_POINTS`]; by default there is none. Clones share it.
///
/// A process under test counts the calls with a given name and aborts in the hook.
#[derive(Clone, Default)]
pub struct CrashPoints {
    hook: Option<Arc<Mutex<Hook>>>,
}

type Hook = dyn FnMut(&'static str) + Send;

impl CrashPoints {
    /// Calls `hook` with the name of each point that is passed.
    pub fn new(hook: impl FnMut(&'static str) + Send + 'static) -> Self {
        Self {
            hook: Some(Arc::new(Mutex::new(hook))),
        }
    }

    pub(crate) fn pass(&self, point: &'static str) {
        debug_assert!(CRASH_POINTS.contains(&point), "{point} is not listed");
        if let Some(hook) = &self.hook {
            (hook.lock().unwrap_or_else(PoisonError::into_inner))(point);
        }
    }
}

impl fmt::Debug for CrashPoints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CrashPoints")
            .field("set", &self.hook.is_some())
            .finish()
    }
}
