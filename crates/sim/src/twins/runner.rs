//! The committee that runs Twins scenarios.

use quorate_crypto::{SecretKey, SignatureMemo};
use quorate_ledger::Ledger;
use quorate_types::genesis::{Admission, Parameters};
use quorate_types::{Genesis, PROTOCOL_VERSION, PublicKey, Validator, ValidatorSet};

use super::form::check_size;
use super::hosts::{INTERVAL_MS, SignatureCache};
use super::report::ScheduleOutcome;
use super::run::Run;
use super::{Entry, TwinsError};
use crate::seen::key_of;
use crate::world::START;

/// The fate of messages that a host did not hear.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Withheld {
    /// They are lost. After healing, hosts say again whatever others have to know.
    Lost,
    /// They arrive when the partitions heal.
    Late,
}

/// A committee that runs scenarios one after the other. Each begins at the genesis.
pub struct Runner {
    pub(super) ledger: Ledger,
    pub(super) nodes: usize,
    pub(super) twins: usize,
    pub(super) mint: SignatureCache,
    /// Holds the memory of verified signatures open: all hosts share it, over all scenarios.
    _memo: SignatureMemo,
}

impl Runner {
    /// Makes a committee of `nodes` keys of power 1, of which the first `twins` have two instances.
    ///
    /// # Errors
    /// [`TwinsError::Range`] if there are no nodes, more than 16, or more twins than nodes.
    pub fn new(nodes: usize, twins: usize) -> Result<Self, TwinsError> {
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
            _memo: SignatureMemo::start(),
        })
    }

    /// Runs one scenario to its end, or to the first rule that does not hold. Entries name hosts as
    /// [`super::Scenarios`] does; a host or leader that does not exist stands for nobody.
    pub fn run(&mut self, schedule: &[Entry], withheld: Withheld) -> ScheduleOutcome {
        let mut run = Run::new(self, withheld);
        for entry in schedule {
            run.play_entry(entry);
        }

        let standing = run.standing();
        run.heal();
        run.outcome(standing)
    }
}

impl std::fmt::Debug for Runner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Runner")
            .field("nodes", &self.nodes)
            .finish_non_exhaustive()
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
