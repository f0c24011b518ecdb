//! The state: entries under the state root, and an index derived from them.
//!
//! [`Entry`]s stand in an authenticated map. [`Index`] keys are a pure function of the entries:
//! they are not hashed, and are kept so that a block costs O(what it changes). Both live in
//! [`Layers`], so that a block runs on a [`View`] of its own changes over shared, unchanged maps.

mod derive;
mod entry;
mod index;
mod key;
mod layers;
mod view;

pub(crate) use entry::{
    Account, Attested, Entry, Opened, Reservation, Revocation, Solution, Task, Window,
};
pub(crate) use index::Index;
pub use key::Key;
pub(crate) use view::{Changes, State, Undo, View};
