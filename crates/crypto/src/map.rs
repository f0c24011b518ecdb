//! The authenticated map behind the state root: a binary trie over BLAKE3(key), with each leaf at
//! the least depth that separates it from the others (C-15). A change of k keys costs O(k log n)
//! hashes, and copies share nodes. Proofs of inclusion and of absence are a path of siblings.

use std::sync::Arc;

use quorate_types::Hash;
use serde_tuple::{Deserialize_tuple, Serialize_tuple};

/// A persistent map from hashed keys to hashed values; `clone` is O(1).
#[derive(Debug, Clone, Default)]
pub struct AuthenticatedMap {
    root: Option<Arc<Node>>,
}

/// The nodes below a branch, by the next bit of the key.
type Children = [Option<Arc<Node>>; 2];

#[derive(Debug)]
enum Node {
    Leaf { key: Hash, value: Hash, hash: Hash },
    Branch { children: Children, hash: Hash },
}

/// A proof of the value under a key, or of its absence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct MapProof {
    /// The sibling hashes from the root down; zero for an empty side.
    pub siblings: Vec<Hash>,
    /// The leaf at the end of the path, as (key hash, value hash); `None` if the place is empty.
    pub leaf: Option<(Hash, Hash)>,
}

impl AuthenticatedMap {
    /// Returns the root hash; zero for the empty map.
    pub fn root(&self) -> Hash {
        hash_of(&self.root)
    }

    /// Sets (`Some`) or removes (`None`) the value of each key.
    pub fn update<'a>(&mut self, changes: impl IntoIterator<Item = (&'a [u8], Option<&'a [u8]>)>) {
        for (key, value) in changes {
            let key = hash_key(key);
            self.root = match value {
                Some(value) => Some(insert(self.root.take(), 0, key, hash_value(value))),
                None => remove(self.root.take(), 0, &key),
            };
        }
    }

    /// Proves the value under `key`, or its absence.
    pub fn prove(&self, key: &[u8]) -> MapProof {
        let key = hash_key(key);
        let mut siblings = Vec::new();
        let mut node = self.root.as_deref();

        while let Some(Node::Branch { children, .. }) = node {
            let side = bit(&key, siblings.len());

            siblings.push(hash_of(&children[1 - side]));
            node = children[side].as_deref();
        }

        // Without a leaf the place is empty, which shows that the key is absent.
        let leaf = match node {
            Some(Node::Leaf { key, value, .. }) => Some((*key, *value)),
            _ => None,
        };

        MapProof { siblings, leaf }
    }
}

/// Returns whether `proof` shows under `root` that `key` has `value`, or for `None` that it has
/// none.
pub fn verify(root: &Hash, key: &[u8], value: Option<&[u8]>, proof: &MapProof) -> bool {
    let key = hash_key(key);

    // A key hash has 256 bits, so no path is longer.
    if proof.siblings.len() > 256 {
        return false;
    }

    leaf_shows(proof, &key, value) && root_of(proof, &key) == *root
}

/// Returns whether the end of the path shows that `key` has `value`, or for `None` that it has
/// none.
fn leaf_shows(proof: &MapProof, key: &Hash, value: Option<&[u8]>) -> bool {
    match (value, proof.leaf) {
        (Some(value), Some((found, hash))) => found == *key && hash == hash_value(value),
        (Some(_), None) => false,

        // An empty place shows that the key is absent.
        (None, None) => true,

        // Another leaf under the same prefix shows that the key is absent.
        (None, Some((found, _))) => {
            let mut depths = 0..proof.siblings.len();

            found != *key && depths.all(|at| bit(&found, at) == bit(key, at))
        }
    }
}

/// Returns the root that follows from the path of `key`, from its end upwards.
fn root_of(proof: &MapProof, key: &Hash) -> Hash {
    let mut hash = match &proof.leaf {
        Some((key, value)) => leaf_hash(key, value),
        None => Hash::ZERO,
    };

    for (depth, sibling) in proof.siblings.iter().enumerate().rev() {
        hash = match bit(key, depth) {
            0 => branch_hash(&hash, sibling),
            _ => branch_hash(sibling, &hash),
        };
    }

    hash
}

/// Returns `node` with the value set under `key`. `depth` bits of the key lead to the node.
fn insert(node: Option<Arc<Node>>, depth: usize, key: Hash, value: Hash) -> Arc<Node> {
    match node.as_deref() {
        None => leaf(key, value),
        Some(Node::Leaf { key: old, .. }) if *old == key => leaf(key, value),

        Some(Node::Leaf { key: old, .. }) => {
            // Two leaves: branches go down to the first bit in which their keys differ.
            let mut children = [None, None];
            children[bit(old, depth)] = node.clone();

            insert_below(children, depth, key, value)
        }

        Some(Node::Branch { children, .. }) => insert_below(children.clone(), depth, key, value),
    }
}

/// Returns the branch at `depth` over these children, with the value set under `key`.
#[inline]
fn insert_below(mut children: Children, depth: usize, key: Hash, value: Hash) -> Arc<Node> {
    let side = bit(&key, depth);
    let child = children[side].take();

    children[side] = Some(insert(child, depth + 1, key, value));
    branch(children)
}

/// Returns `node` without `key`, or `None` if nothing is left. `depth` bits of the key lead to the
/// node.
fn remove(node: Option<Arc<Node>>, depth: usize, key: &Hash) -> Option<Arc<Node>> {
    match node.as_deref() {
        None => None,

        Some(Node::Leaf { key: found, .. }) => {
            if found == key {
                None
            } else {
                node
            }
        }

        Some(Node::Branch { children, .. }) => {
            let mut children = children.clone();
            let side = bit(key, depth);
            children[side] = remove(children[side].take(), depth + 1, key);

            match children {
                // A single leaf moves up, so that the shape depends on the keys only.
                [Some(only), None] | [None, Some(only)] if matches!(*only, Node::Leaf { .. }) => {
                    Some(only)
                }
                [None, None] => None,
                both => Some(branch(both)),
            }
        }
    }
}

fn leaf(key: Hash, value: Hash) -> Arc<Node> {
    Arc::new(Node::Leaf {
        key,
        value,
        hash: leaf_hash(&key, &value),
    })
}

fn branch(children: Children) -> Arc<Node> {
    let hash = branch_hash(&hash_of(&children[0]), &hash_of(&children[1]));
    Arc::new(Node::Branch { children, hash })
}

fn hash_of(node: &Option<Arc<Node>>) -> Hash {
    match node.as_deref() {
        None => Hash::ZERO,
        Some(Node::Leaf { hash, .. } | Node::Branch { hash, .. }) => *hash,
    }
}

/// Returns bit `at` of the key, from the most significant one. Two keys differ before bit 256.
fn bit(key: &Hash, at: usize) -> usize {
    usize::from(key.0[at / 8 % 32] >> (7 - at % 8) & 1)
}

fn hash_key(key: &[u8]) -> Hash {
    Hash::derive("quorate 1 state key", &[key])
}

fn hash_value(value: &[u8]) -> Hash {
    Hash::derive("quorate 1 state value", &[value])
}

fn leaf_hash(key: &Hash, value: &Hash) -> Hash {
    Hash::derive("quorate 1 state leaf", &[key.as_bytes(), value.as_bytes()])
}

fn branch_hash(left: &Hash, right: &Hash) -> Hash {
    Hash::derive(
        "quorate 1 state branch",
        &[left.as_bytes(), right.as_bytes()],
    )
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn root_depends_on_content_only_and_proofs_hold(
            steps in prop::collection::vec((0u8..40, prop::option::of(any::<u8>())), 0..120),
        ) {
            let mut map = AuthenticatedMap::default();
            let mut model = BTreeMap::new();
            for (key, value) in &steps {
                map.update([(&[*key][..], value.as_ref().map(std::slice::from_ref))]);
                match value {
                    Some(value) => model.insert(*key, *value),
                    None => model.remove(key),
                };
            }

            let mut fresh = AuthenticatedMap::default();
            for (key, value) in model.iter().rev() {
                fresh.update([(&[*key][..], Some(&[*value][..]))]);
            }
            prop_assert_eq!(map.root(), fresh.root());

            for key in 0u8..45 {
                let proof = map.prove(&[key]);
                let value = model.get(&key).map(std::slice::from_ref);
                prop_assert!(verify(&map.root(), &[key], value, &proof));
                prop_assert!(!verify(&map.root(), &[key], Some(&[1, 2]), &proof));
                if value.is_some() {
                    prop_assert!(!verify(&map.root(), &[key], None, &proof));
                }
            }
        }
    }
}
