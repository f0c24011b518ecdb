//! Merkle trees in the shape of RFC 9162 (section 2.1) with SHA-256, for operations, outcomes and
//! evidence. A few lines in any language can check an inclusion proof.
//!
//! A root binds the number of leaves: SHA-256(0x02 || size as 8 bytes, big-endian || tree hash).
//! The tree hash alone does not (RFC 9162 signs the size next to it): a proof for leaf 0 of 3 would
//! be one for leaf 0 of 4 too, and a changed size in a certificate would go unnoticed.

use quorate_types::Hash;
use serde_tuple::{Deserialize_tuple, Serialize_tuple};
use sha2::{Digest, Sha256};

/// A proof that a leaf stands at an index of a tree of some size (RFC 9162 section 2.1.3).
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct InclusionProof {
    /// The number of leaves in the tree.
    pub size: u64,
    /// The place of the leaf, counted from 0.
    pub index: u64,
    /// The sibling hashes from the leaf up.
    pub path: Vec<Hash>,
}

/// Returns the root over `leaves`, which binds their number.
pub fn root<L: AsRef<[u8]>>(leaves: &[L]) -> Hash {
    sized(leaves.len() as u64, &subtree(&leaf_hashes(leaves)))
}

/// Returns a proof that leaf `index` stands in the tree over `leaves`; `None` if there is no such
/// leaf.
pub fn prove<L: AsRef<[u8]>>(leaves: &[L], index: usize) -> Option<InclusionProof> {
    if index >= leaves.len() {
        return None;
    }

    let mut path = Vec::new();
    collect_path(&leaf_hashes(leaves), index, &mut path);

    Some(InclusionProof {
        size: leaves.len() as u64,
        index: index as u64,
        path,
    })
}

/// Returns the proofs for all leaves in their order. Each tree hash is computed once.
pub fn prove_all<L: AsRef<[u8]>>(leaves: &[L]) -> Vec<InclusionProof> {
    let size = leaves.len() as u64;
    let mut paths = vec![Vec::new(); leaves.len()];
    collect_paths(&leaf_hashes(leaves), &mut paths);
    let proofs = (0..size).zip(paths);
    proofs
        .map(|(index, path)| InclusionProof { size, index, path })
        .collect()
}

/// Returns whether `proof` shows `leaf` under `root` (RFC 9162 section 2.1.3.2).
pub fn verify(root: &Hash, leaf: &[u8], proof: &InclusionProof) -> bool {
    if proof.index >= proof.size {
        return false;
    }

    let mut node = proof.index;
    let mut last = proof.size - 1;
    let mut hash = leaf_hash(leaf);

    for sibling in &proof.path {
        // The path goes on above the top of the tree.
        if last == 0 {
            return false;
        }

        // The sibling is on the left of a right child, and of the last node of its level.
        if node & 1 == 1 || node == last {
            hash = node_hash(sibling, &hash);

            // The last node has no sibling on some levels, and passes them unchanged.
            while node & 1 == 0 && node != 0 {
                node >>= 1;
                last >>= 1;
            }
        } else {
            hash = node_hash(&hash, sibling);
        }

        node >>= 1;
        last >>= 1;
    }

    last == 0 && sized(proof.size, &hash) == *root
}

/// Returns the tree hash of RFC 9162 section 2.1.1. For no leaves it is the hash of the empty
/// string.
fn subtree(hashes: &[Hash]) -> Hash {
    match hashes {
        [] => Hash(Sha256::digest([]).into()),
        [one] => *one,
        _ => {
            let (left, right) = hashes.split_at(split(hashes.len()));
            node_hash(&subtree(left), &subtree(right))
        }
    }
}

/// Appends the sibling hashes of leaf `index`, from the leaf up.
fn collect_path(hashes: &[Hash], index: usize, path: &mut Vec<Hash>) {
    if hashes.len() < 2 {
        return;
    }

    let (left, right) = hashes.split_at(split(hashes.len()));

    // The path ascends, so the siblings further down are appended first.
    if index < left.len() {
        collect_path(left, index, path);
        path.push(subtree(right));
    } else {
        collect_path(right, index - left.len(), path);
        path.push(subtree(left));
    }
}

/// Appends the path of each leaf, and returns the tree hash.
fn collect_paths(hashes: &[Hash], paths: &mut [Vec<Hash>]) -> Hash {
    if hashes.len() < 2 {
        return subtree(hashes);
    }

    let at = split(hashes.len());
    let (left_paths, right_paths) = paths.split_at_mut(at);

    let left = collect_paths(&hashes[..at], left_paths);
    let right = collect_paths(&hashes[at..], right_paths);

    // All leaves of one side have the tree of the other side as a sibling.
    left_paths.iter_mut().for_each(|path| path.push(right));
    right_paths.iter_mut().for_each(|path| path.push(left));

    node_hash(&left, &right)
}

/// Returns the largest power of two below `count`, which is at least 2.
fn split(count: usize) -> usize {
    count.next_power_of_two() / 2
}

fn leaf_hashes<L: AsRef<[u8]>>(leaves: &[L]) -> Vec<Hash> {
    leaves.iter().map(|leaf| leaf_hash(leaf.as_ref())).collect()
}

fn leaf_hash(leaf: &[u8]) -> Hash {
    Hash(
        Sha256::new()
            .chain_update([0])
            .chain_update(leaf)
            .finalize()
            .into(),
    )
}

fn node_hash(left: &Hash, right: &Hash) -> Hash {
    let hasher = Sha256::new().chain_update([1]);
    Hash(
        hasher
            .chain_update(left.as_bytes())
            .chain_update(right.as_bytes())
            .finalize()
            .into(),
    )
}

/// Returns the root, which binds the tree hash and the number of leaves.
fn sized(size: u64, tree: &Hash) -> Hash {
    let hasher = Sha256::new()
        .chain_update([2])
        .chain_update(size.to_be_bytes());
    Hash(hasher.chain_update(tree.as_bytes()).finalize().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tree_hashes_of_rfc_6962_known_answers() {
        // Known answers of the RFC 6962 tree, which RFC 9162 keeps.
        let leaves: &[&[u8]] = &[b"", b"\x00", b"\x10", b"\x20\x21"];
        let known = [
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
            "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ];

        for (count, root_hex) in known.iter().enumerate() {
            assert_eq!(
                subtree(&leaf_hashes(&leaves[..count])).to_string(),
                *root_hex,
                "{count} leaves"
            );
        }
    }

    proptest::proptest! {
        #[test]
        fn each_leaf_is_proved_and_nothing_else(count in 1usize..40, at: usize, other: u8) {
            let leaves: Vec<[u8; 1]> = (0..count).map(|n| [n as u8]).collect();
            let (root, at) = (root(&leaves), at % count);
            let proof = prove(&leaves, at).unwrap();
            proptest::prop_assert!(verify(&root, &leaves[at], &proof));
            proptest::prop_assert_eq!(verify(&root, &[other], &proof), other as usize == at);

            for index in (0..count as u64).filter(|index| *index != at as u64) {
                let moved = InclusionProof { index, ..proof.clone() };
                proptest::prop_assert!(!verify(&root, &leaves[at], &moved));
            }

            for size in (0..=2 * count as u64 + 2).filter(|size| *size != count as u64) {
                let resized = InclusionProof { size, ..proof.clone() };
                proptest::prop_assert!(!verify(&root, &leaves[at], &resized));
            }

            proptest::prop_assert_eq!(&prove_all(&leaves)[at], &proof);
            let mut long = proof.clone();
            long.path.push(Hash::ZERO);
            proptest::prop_assert!(!verify(&root, &leaves[at], &long));
        }
    }
}
