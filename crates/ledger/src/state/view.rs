//! The state after a block, and the view on it that the next block runs on.

use std::sync::Arc;

use quorate_crypto::map::AuthenticatedMap;
use quorate_types::{Hash, Label, PublicKey, TaskId, cbor};

use super::derive::derive;
use super::layers::{Delta, Layers, Overlay};
use crate::committee::{Committee, Proposers};

use super::{Account, Entry, Index, Key, Reservation, Task, Window};

/// The state after a decided block; `clone` is O(1).
#[derive(Debug, Clone)]
pub(crate) struct State {
    entries: Layers<Key, Entry>,
    index: Layers<Index, u64>,
    tree: AuthenticatedMap,
}

/// The changes of a block to the entries and to the index.
#[derive(Debug, Clone, Default)]
pub(crate) struct Changes {
    entries: Delta<Key, Entry>,
    index: Delta<Index, u64>,
}

/// The data that undoes a block: the values and the authenticated map before it.
#[derive(Debug)]
pub(crate) struct Undo {
    changes: Changes,
    tree: AuthenticatedMap,
}

impl State {
    pub(crate) fn new() -> Self {
        Self {
            entries: Layers::new(),
            index: Layers::new(),
            tree: AuthenticatedMap::default(),
        }
    }

    /// Returns a view without changes.
    pub(crate) fn view(&self) -> View<'_> {
        View {
            entries: Overlay::new(&self.entries),
            index: Overlay::new(&self.index),
        }
    }

    /// Returns the authenticated map with `changes` applied. This state is unchanged.
    pub(crate) fn tree_with(&self, changes: &Changes) -> AuthenticatedMap {
        let mut tree = self.tree.clone();
        for (key, entry) in &changes.entries {
            let value = entry.as_ref().map(Entry::encode);
            tree.update([(&cbor::encode(key)[..], value.as_deref())]);
        }
        tree
    }

    /// Applies `changes`, and takes over the map that [`Self::tree_with`] gave for them.
    pub(crate) fn apply(&mut self, changes: Changes, tree: AuthenticatedMap) {
        self.entries.apply(changes.entries);
        self.index.apply(changes.index);
        self.tree = tree;
    }

    /// Returns the data that undoes `changes` once they are applied. This costs O(changes).
    pub(crate) fn undo(&self, changes: &Changes) -> Undo {
        let entries = self.entries.undo(&changes.entries);
        let index = self.index.undo(&changes.index);
        Undo {
            changes: Changes { entries, index },
            tree: self.tree.clone(),
        }
    }

    /// Returns the state as it was before the blocks that `undos` undo, the latest first.
    pub(crate) fn rewound(&self, undos: &[&Undo]) -> Self {
        let entries = self
            .entries
            .rewound(undos.iter().map(|undo| &undo.changes.entries));

        let index = self
            .index
            .rewound(undos.iter().map(|undo| &undo.changes.index));

        // The oldest undo holds the tree from before all of these blocks.
        let tree = undos
            .last()
            .map_or(&self.tree, |oldest| &oldest.tree)
            .clone();

        Self {
            entries,
            index,
            tree,
        }
    }

    /// Returns whether the index is what the entries imply. Reads everything.
    pub(crate) fn index_is_derived(&self) -> bool {
        let derived = derive(self.entries.range(..));
        self.index.range(..).eq(&derived)
    }

    pub(crate) fn tree(&self) -> &AuthenticatedMap {
        &self.tree
    }
}

/// The state as a block sees it while it runs: the state before the block under its own changes.
#[derive(Debug)]
pub(crate) struct View<'a> {
    entries: Overlay<'a, Key, Entry>,
    index: Overlay<'a, Index, u64>,
}

impl View<'_> {
    pub(crate) fn into_changes(self) -> Changes {
        Changes {
            entries: self.entries.into_changes(),
            index: self.index.into_changes(),
        }
    }

    pub(crate) fn entry(&self, key: &Key) -> Option<&Entry> {
        self.entries.get(key)
    }

    pub(crate) fn put(&mut self, key: Key, entry: Entry) {
        self.entries.put(key, entry);
    }

    pub(crate) fn remove(&mut self, key: Key) {
        self.entries.remove(key);
    }

    pub(crate) fn entries(
        &self,
        keys: std::ops::RangeInclusive<Key>,
    ) -> impl Iterator<Item = (&Key, &Entry)> {
        self.entries.range(keys)
    }

    pub(crate) fn account(&self, agent: &PublicKey) -> Option<&Account> {
        match self.entry(&Key::Account(*agent)) {
            Some(Entry::Account(account)) => Some(account),
            _ => None,
        }
    }

    /// Writes the account of a new member.
    pub(crate) fn add_account(&mut self, agent: PublicKey) {
        let account = Arc::new(Account::default());
        self.put(Key::Account(agent), Entry::Account(account));
    }

    /// Changes the account of a member; does nothing for a stranger.
    pub(crate) fn change_account(&mut self, agent: PublicKey, change: impl FnOnce(&mut Account)) {
        if let Some(account) = self.account(&agent) {
            let mut account = account.clone();
            change(&mut account);
            self.put(Key::Account(agent), Entry::Account(Arc::new(account)));
        }
    }

    pub(crate) fn task(&self, task: &TaskId) -> Option<&Arc<Task>> {
        match self.entry(&Key::Task(*task)) {
            Some(Entry::Task(task)) => Some(task),
            _ => None,
        }
    }

    pub(crate) fn reservation(
        &self,
        market: &Label,
        agent: PublicKey,
    ) -> Option<&Arc<Reservation>> {
        match self.entry(&Key::Reservation(market.clone(), agent)) {
            Some(Entry::Reservation(reservation)) => Some(reservation),
            _ => None,
        }
    }

    pub(crate) fn window(&self, market: &Label) -> Window {
        match self.entry(&Key::Window(market.clone())) {
            Some(Entry::Window(window)) => (**window).clone(),
            _ => Window::default(),
        }
    }

    pub(crate) fn put_window(&mut self, market: &Label, window: Window) {
        self.put(Key::Window(market.clone()), Entry::Window(Arc::new(window)));
    }

    pub(crate) fn committee(&self) -> Option<&Arc<Committee>> {
        match self.entry(&Key::Committee) {
            Some(Entry::Committee(committee)) => Some(committee),
            _ => None,
        }
    }

    pub(crate) fn proposers(&self) -> Proposers {
        match self.entry(&Key::Proposers) {
            Some(Entry::Proposers(proposers)) => (**proposers).clone(),
            _ => Proposers::default(),
        }
    }

    pub(crate) fn is_revoked(&self, issuer: PublicKey, attestation: Hash) -> bool {
        self.entry(&Key::Revocation(issuer, attestation)).is_some()
    }

    pub(crate) fn mark(&mut self, key: Index, value: u64) {
        self.index.put(key, value);
    }

    pub(crate) fn unmark(&mut self, key: Index) {
        self.index.remove(key);
    }

    /// Returns the value of an index key, if the key is there.
    pub(crate) fn value(&self, key: &Index) -> Option<u64> {
        self.index.get(key).copied()
    }

    /// Returns a count of the index, which is 0 if there is no key.
    pub(crate) fn count(&self, key: &Index) -> u64 {
        self.index.get(key).copied().unwrap_or(0)
    }

    /// Sets a count of the index; 0 removes its key.
    pub(crate) fn set_count(&mut self, key: Index, count: u64) {
        if count == 0 {
            self.unmark(key)
        } else {
            self.mark(key, count)
        }
    }

    pub(crate) fn marks(
        &self,
        keys: std::ops::RangeInclusive<Index>,
    ) -> impl Iterator<Item = (&Index, u64)> {
        self.index.range(keys).map(|(key, value)| (key, *value))
    }
}
