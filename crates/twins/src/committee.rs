//! The committee of Twins scenarios, at its genesis.

use quorate_crypto::SecretKey;
use quorate_ledger::Ledger;
use quorate_sim::{START, key_of};
use quorate_types::genesis::{Admission, Parameters};
use quorate_types::{Genesis, PROTOCOL_VERSION, PublicKey, Validator, ValidatorSet};

use crate::error::TwinsError;
use crate::form::check_size;
use crate::hosts::{Host, INTERVAL_MS, SignatureCache};

/// A committee of keys of power 1, of which the first ones have two instances.
#[derive(Debug)]
pub(crate) struct Committee {
    ledger: Ledger,
    nodes: usize,
    twins: usize,
    mint: SignatureCache,
}

impl Committee {
    /// Makes a committee of `nodes` keys, of which the first `twins` have two instances.
    ///
    /// # Errors
    /// [`TwinsError::Range`] if there are no nodes, more than 16, or more twins than nodes.
    pub(crate) fn new(nodes: usize, twins: usize) -> Result<Self, TwinsError> {
        check_size(nodes, twins)?;

        let mut keys: Vec<_> = (0..nodes).map(|node| key_of("twins", node)).collect();

        // Nodes are in the order in which they take turns as proposers.
        keys.sort_by_key(SecretKey::public_key);

        let ledger = genesis(keys.iter().map(SecretKey::public_key));

        Ok(Self {
            ledger,
            nodes,
            twins,
            mint: SignatureCache::new(keys),
        })
    }

    /// The number of keys.
    pub(crate) fn nodes(&self) -> usize {
        self.nodes
    }

    /// The number of keys with two instances.
    pub(crate) fn twins(&self) -> usize {
        self.twins
    }

    /// The ledger at the genesis.
    pub(crate) fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// The signatures that were made so far.
    pub(crate) fn mint(&mut self) -> &mut SignatureCache {
        &mut self.mint
    }

    /// The hosts at the genesis: the first instance of each node, then the second ones.
    pub(crate) fn hosts(&self) -> Vec<Host> {
        let of_node = (0..self.nodes).chain(0..self.twins);
        of_node
            .enumerate()
            .map(|(index, node)| self.host(index, node))
            .collect()
    }

    /// The host `index`, an instance of node `node`, at the genesis.
    pub(crate) fn host(&self, index: usize, node: usize) -> Host {
        Host::new(index, node, &self.mint, &self.ledger)
    }
}

/// The ledger at the genesis of a committee with these keys.
#[expect(
    clippy::expect_used,
    reason = "constants, and 1 to 16 keys of power 1, make a genesis"
)]
fn genesis(keys: impl Iterator<Item = PublicKey>) -> Ledger {
    let member = |key| Validator {
        key,
        power: 1,
        operator: "op".parse().expect("a label"),
    };
    let validators = ValidatorSet::new(keys.map(member).collect()).expect("distinct keys");

    Ledger::genesis(Genesis {
        name: "twins".parse().expect("a label"),
        created: START.saturating_sub(1),
        markets: Vec::new(),
        version: PROTOCOL_VERSION,
        admission: Admission::Attestation,
        attesters: Vec::new(),
        parameters: Parameters {
            max_block_interval_ms: INTERVAL_MS,
            ..Parameters::default()
        },
        validators,
    })
    .expect("a genesis")
}
