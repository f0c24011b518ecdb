//! Symmetries: leaves out scenarios that differ from others in names only.
//!
//! Correct nodes may be exchanged with each other, nodes with twins too, and so may the two
//! instances of a node. Of all scenarios that become equal in this way one is kept: the least in
//! the order of entries. It is the schedule that is renamed. The proposers of the protocol take
//! turns in a fixed order, so after a renaming another number of rounds may pass before it is a
//! leader's turn; but nothing is locked in those rounds.

use std::collections::BTreeMap;

/// An entry: the leader, the group of each host, and the groups for precommits if they differ.
/// Groups are numbered in the order of their least hosts.
pub(crate) type Letter = (usize, Vec<usize>, Option<Vec<usize>>);

/// The entries of a space, and the image of each under every renaming.
#[derive(Debug)]
pub(crate) struct Alphabet {
    pub(crate) letters: Vec<Letter>,
    /// For each renaming the image of each letter. Renamings that lead out of the alphabet are left
    /// out.
    images: Vec<Vec<usize>>,
}

impl Alphabet {
    /// The alphabet of these letters, for a committee of `nodes` of which `twins` have a twin.
    pub(crate) fn new(mut letters: Vec<Letter>, nodes: usize, twins: usize) -> Self {
        letters.sort();
        letters.dedup();

        let mut places = BTreeMap::new();
        for (at, letter) in letters.iter().enumerate() {
            places.insert(letter, at);
        }

        // A renaming counts only if every letter has an image in the alphabet.
        let image = |renaming: Vec<usize>| -> Option<Vec<usize>> {
            let letters = letters.iter();
            let renamed = letters.map(|letter| rename(letter, &renaming, nodes));

            renamed.map(|letter| places.get(&letter).copied()).collect()
        };

        let renamings = renamings(nodes, twins).into_iter();
        let images = renamings.filter_map(image).collect();

        Self { letters, images }
    }

    /// The number of words of a length.
    pub(crate) fn count(&self, length: usize) -> u128 {
        power(self.letters.len(), length)
    }

    /// The number of words of a length that differ in more than names (Burnside's lemma).
    pub(crate) fn count_canonical(&self, length: usize) -> u128 {
        let fixed = |image: &Vec<usize>| {
            let pairs = image.iter().enumerate();
            pairs.filter(|(letter, image)| letter == *image).count()
        };

        let images = self.images.iter();
        let sum: u128 = images.map(|image| power(fixed(image), length)).sum();

        sum / self.images.len().max(1) as u128
    }

    /// Calls `visit` with the least word of each class, in order, until it returns `false`.
    pub(crate) fn visit(&self, length: usize, visit: &mut dyn FnMut(&[usize]) -> bool) {
        let all: Vec<usize> = (0..self.images.len()).collect();
        self.descend(length, &mut Vec::new(), &all, visit);
    }

    /// Extends a word to its length, and returns whether to go on. `keeping` are the renamings that
    /// map the word so far to itself. The word is the least of its class if none of these maps its
    /// next letter to a lesser one.
    fn descend(
        &self,
        length: usize,
        word: &mut Vec<usize>,
        keeping: &[usize],
        visit: &mut dyn FnMut(&[usize]) -> bool,
    ) -> bool {
        if word.len() == length {
            return visit(word);
        }

        for letter in 0..self.letters.len() {
            let image = |renaming: &usize| self.images[*renaming][letter];

            if keeping.iter().any(|renaming| image(renaming) < letter) {
                // A lesser word of the same class was visited before.
                continue;
            }

            let keep = keeping.iter().copied();
            let keep: Vec<usize> = keep.filter(|renaming| image(renaming) == letter).collect();

            word.push(letter);
            let go_on = self.descend(length, word, &keep, visit);
            word.pop();

            if !go_on {
                return false;
            }
        }

        true
    }
}

/// All renamings, each as a list of the new name of each host.
fn renamings(nodes: usize, twins: usize) -> Vec<Vec<usize>> {
    let twinned: Vec<usize> = (0..twins).collect();
    let correct: Vec<usize> = (twins..nodes).collect();
    let mut all = Vec::new();

    for twinned in orders(&twinned) {
        for correct in orders(&correct) {
            for swapped in 0..1 << twins {
                all.push(renaming(&twinned, &correct, swapped));
            }
        }
    }

    all
}

/// The renaming that gives nodes with twins and correct ones these names. Each bit of `swapped`
/// says for one node whether its two instances change places.
fn renaming(twinned: &[usize], correct: &[usize], swapped: usize) -> Vec<usize> {
    let nodes = twinned.len() + correct.len();

    let instance = |node: usize, second: usize| {
        let is_swapped = (swapped >> node) & 1;
        node + nodes * (is_swapped ^ second)
    };

    let first = twinned.iter().map(|node| instance(*node, 0));
    let correct = correct.iter().copied();
    let second = twinned.iter().map(|node| instance(*node, 1));

    // Hosts are in the order of first instances, nodes without twins, second instances.
    first.chain(correct).chain(second).collect()
}

/// All orders of some items.
fn orders(items: &[usize]) -> Vec<Vec<usize>> {
    let Some((last, rest)) = items.split_last() else {
        return vec![Vec::new()];
    };

    let mut all = Vec::new();

    for order in orders(rest) {
        for at in 0..=order.len() {
            let mut longer = order.clone();

            longer.insert(at, *last);
            all.push(longer);
        }
    }

    all
}

/// An entry under a renaming. A leader is a node, so the name of a second instance means its node.
fn rename((leader, all, precommits): &Letter, renaming: &[usize], nodes: usize) -> Letter {
    let leader = renaming[*leader];
    let leader = if leader >= nodes {
        leader - nodes
    } else {
        leader
    };

    let moved = |groups: &Vec<usize>| {
        let mut moved = vec![0; groups.len()];

        for (host, group) in groups.iter().enumerate() {
            moved[renaming[host]] = *group;
        }

        numbered(&moved)
    };

    (leader, moved(all), precommits.as_ref().map(moved))
}

/// The same groups, numbered in the order of their least hosts.
pub(crate) fn numbered(groups: &[usize]) -> Vec<usize> {
    let mut numbers = BTreeMap::new();
    let number = |group: &usize| {
        let next = numbers.len();
        *numbers.entry(*group).or_insert(next)
    };
    groups.iter().map(number).collect()
}

/// All partitions of hosts into at most `most` groups.
pub(crate) fn partitions(hosts: usize, most: usize) -> Vec<Vec<usize>> {
    let mut all = vec![Vec::new()];

    for _ in 0..hosts {
        let longer = |groups: Vec<usize>| {
            let count = groups.iter().max().map_or(0, |last| last + 1);

            // A host joins a group that is there, or begins the next one. So each partition is made
            // once.
            (0..most.min(count + 1)).map(move |group| [groups.clone(), vec![group]].concat())
        };

        all = all.into_iter().flat_map(longer).collect();
    }

    all
}

/// A power, or the greatest number if it is too large.
fn power(base: usize, exponent: usize) -> u128 {
    (0..exponent).fold(1, |product: u128, _| product.saturating_mul(base as u128))
}
