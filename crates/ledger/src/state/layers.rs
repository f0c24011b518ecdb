//! Ordered maps in layers: a snapshot is two pointers, and a speculative block is one more layer.

use std::collections::BTreeMap;
use std::iter::Peekable;
use std::ops::RangeBounds;
use std::sync::Arc;

/// The changes of a map; `None` removes a key.
pub(crate) type Delta<K, V> = BTreeMap<K, Option<V>>;

/// A map of which snapshots can be held while it changes: a large base, and the changes since
/// somebody else began to hold the base. They are folded into the base as soon as nobody else holds
/// it.
#[derive(Debug)]
pub(crate) struct Layers<K, V> {
    base: Arc<BTreeMap<K, V>>,
    recent: Arc<Delta<K, V>>,
}

impl<K, V> Clone for Layers<K, V> {
    fn clone(&self) -> Self {
        Self {
            base: Arc::clone(&self.base),
            recent: Arc::clone(&self.recent),
        }
    }
}

impl<K: Ord + Clone, V: Clone> Layers<K, V> {
    pub(crate) fn new() -> Self {
        Self {
            base: Arc::new(BTreeMap::new()),
            recent: Arc::new(BTreeMap::new()),
        }
    }

    /// Returns the value under `key`.
    pub(crate) fn get(&self, key: &K) -> Option<&V> {
        match self.recent.get(key) {
            Some(changed) => changed.as_ref(),
            None => self.base.get(key),
        }
    }

    /// Returns the entries within `bounds`, ascending.
    pub(crate) fn range<R>(&self, bounds: R) -> impl Iterator<Item = (&K, &V)>
    where
        R: RangeBounds<K> + Clone,
    {
        merge(self.recent.range(bounds.clone()), self.base.range(bounds))
    }

    /// Returns the changes that undo `changes`: the values that stand under their keys now.
    pub(crate) fn undo(&self, changes: &Delta<K, V>) -> Delta<K, V> {
        changes
            .keys()
            .map(|key| (key.clone(), self.get(key).cloned()))
            .collect()
    }

    /// Returns the map with `undos` applied, the latest first.
    pub(crate) fn rewound<'a>(&self, undos: impl Iterator<Item = &'a Delta<K, V>>) -> Self
    where
        K: 'a,
        V: 'a,
    {
        let mut recent = (*self.recent).clone();
        // Older undos come later, and their values replace those of later blocks.
        for undo in undos {
            recent.extend(undo.iter().map(|(key, value)| (key.clone(), value.clone())));
        }

        Self {
            base: Arc::clone(&self.base),
            recent: Arc::new(recent),
        }
    }

    /// Applies `changes`. This costs O(changes), unless snapshots are held over many blocks: then
    /// the changes since the oldest snapshot are copied.
    pub(crate) fn apply(&mut self, changes: Delta<K, V>) {
        let Some(base) = Arc::get_mut(&mut self.base) else {
            // A snapshot holds the base, so the changes wait in the layer above it.
            Arc::make_mut(&mut self.recent).extend(changes);
            return;
        };

        // Nobody else holds the base, so all changes are folded into it.
        let recent = std::mem::take(&mut self.recent);
        let recent = Arc::try_unwrap(recent).unwrap_or_else(|shared| (*shared).clone());

        for (key, value) in recent.into_iter().chain(changes) {
            match value {
                Some(value) => base.insert(key, value),
                None => base.remove(&key),
            };
        }
    }
}

/// The changes of one block over layers that stay unchanged.
#[derive(Debug)]
pub(crate) struct Overlay<'a, K, V> {
    below: &'a Layers<K, V>,
    changes: Delta<K, V>,
}

impl<'a, K: Ord + Clone, V: Clone> Overlay<'a, K, V> {
    pub(crate) fn new(below: &'a Layers<K, V>) -> Self {
        Self {
            below,
            changes: Delta::new(),
        }
    }

    pub(crate) fn get(&self, key: &K) -> Option<&V> {
        match self.changes.get(key) {
            Some(changed) => changed.as_ref(),
            None => self.below.get(key),
        }
    }

    pub(crate) fn put(&mut self, key: K, value: V) {
        self.changes.insert(key, Some(value));
    }

    pub(crate) fn remove(&mut self, key: K) {
        if self.below.get(&key).is_some() {
            self.changes.insert(key, None);
        } else {
            self.changes.remove(&key);
        }
    }

    pub(crate) fn range<R>(&self, bounds: R) -> impl Iterator<Item = (&K, &V)>
    where
        R: RangeBounds<K> + Clone,
    {
        merge(self.changes.range(bounds.clone()), self.below.range(bounds))
    }

    pub(crate) fn into_changes(self) -> Delta<K, V> {
        self.changes
    }
}

/// Merges two ascending iterators. A key of `upper` hides the same key of `lower`; `None` hides it
/// and is left out.
fn merge<'a, K: Ord + 'a, V: 'a>(
    upper: impl Iterator<Item = (&'a K, &'a Option<V>)>,
    lower: impl Iterator<Item = (&'a K, &'a V)>,
) -> impl Iterator<Item = (&'a K, &'a V)> {
    let mut upper = upper.peekable();
    let mut lower = lower.peekable();

    std::iter::from_fn(move || {
        loop {
            match next(&mut upper, &mut lower) {
                Some((key, Some(value))) => return Some((key, value)),

                // Removed by `upper`.
                Some((_, None)) => {}
                None => return None,
            }
        }
    })
}

/// Returns the next key of both, with `None` as its value if `upper` removes it.
fn next<'a, K: Ord + 'a, V: 'a>(
    upper: &mut Peekable<impl Iterator<Item = (&'a K, &'a Option<V>)>>,
    lower: &mut Peekable<impl Iterator<Item = (&'a K, &'a V)>>,
) -> Option<(&'a K, Option<&'a V>)> {
    // Nothing above is left that could hide a key below.
    let Some((above, _)) = upper.peek() else {
        return lower.next().map(|(key, value)| (key, Some(value)));
    };

    // The lower one is ahead, and nothing above hides its key.
    if let Some((key, value)) = lower.next_if(|(key, _)| key < above) {
        return Some((key, Some(value)));
    }

    // The same key in `lower` is hidden.
    lower.next_if(|(key, _)| key == above);

    upper.next().map(|(key, value)| (key, value.as_ref()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Steps = Vec<(u8, Option<u16>)>;

    fn steps() -> impl Strategy<Value = Steps> {
        prop::collection::vec((0u8..30, prop::option::of(any::<u16>())), 0..40)
    }

    proptest! {
        #[test]
        fn layers_read_like_one_map(blocks in prop::collection::vec(steps(), 0..6), held: u8) {
            let mut layers = Layers::new();
            let mut model = BTreeMap::new();
            let mut snapshots = Vec::new();
            let mut undos = vec![];
            let mut models = vec![];

            for (at, block) in blocks.into_iter().enumerate() {
                if held >> at & 1 == 1 {
                    snapshots.push((layers.clone(), model.clone()));
                } else {
                    snapshots.pop();
                }

                let mut overlay = Overlay::new(&layers);

                for (key, value) in block {
                    match value {
                        Some(value) => { overlay.put(key, value); model.insert(key, value); }
                        None => { overlay.remove(key); model.remove(&key); }
                    }
                }

                prop_assert!(overlay.range(0..).eq(&model));
                prop_assert!(overlay.range(5..=20).eq(model.range(5..=20)));

                let changes = overlay.into_changes();
                undos.insert(0, layers.undo(&changes));
                layers.apply(changes);
                models.insert(0, model.clone());

                for (back, then) in models.iter().enumerate() {
                    prop_assert!(layers.rewound(undos.iter().take(back)).range(..).eq(then));
                }

                prop_assert!(layers.range(..).eq(&model));

                for key in 0..30 {
                    prop_assert_eq!(layers.get(&key), model.get(&key));
                }

                for (snapshot, then) in &snapshots {
                    prop_assert!(snapshot.range(..).eq(then));
                }
            }
        }
    }
}
