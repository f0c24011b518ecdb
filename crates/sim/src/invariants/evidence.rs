//! 9, evidence: nobody is convicted twice, and what a correct validator holds against somebody is
//! committed by the end.

use std::collections::{BTreeMap, BTreeSet};

use quorate_types::{Height, PublicKey};

use super::Invariant;
use super::oracle::Chain;
use crate::seen::Seen;
use crate::world::World;

/// Heights after which evidence that is held is in a block: every validator has proposed by then.
const BY: Height = 16;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct EvidenceOnce {
    chain: Chain,
    convicted: BTreeSet<PublicKey>,
    /// The last height that brought evidence.
    last: Height,
    /// Of a validator's process that runs: how much evidence it has taken up, and its height when
    /// it took up the last.
    held: BTreeMap<usize, (u64, Height)>,
}

impl Invariant for EvidenceOnce {
    fn number(&self) -> u8 {
        9
    }

    fn name(&self) -> &'static str {
        "evidence-once"
    }

    fn see(&mut self, world: &World, seen: &Seen) -> Result<(), String> {
        for decided in self.chain.take(world, seen) {
            for evidence in &decided.block.evidence {
                self.last = decided.block.header.height;
                if !self.convicted.insert(evidence.culprit()) {
                    let culprit = evidence.culprit();
                    return Err(format!("height {} convicts {culprit:?} again", self.last));
                }
            }
        }
        match seen {
            Seen::Stopped { validator, .. } | Seen::Started { validator, .. } => {
                self.held.remove(validator);
            }
            Seen::Committed { validator, .. } | Seen::Signed { validator, .. } => {
                self.look(world, *validator);
            }
            _ => {}
        }
        Ok(())
    }

    fn end(&mut self, _world: &World) -> Result<(), String> {
        // What was committed meanwhile may have been seen at the height it came in.
        let waited = |since: Height| self.last < since && since + BY < self.chain.height();
        let mut held = self.held.iter().filter(|(_, (count, _))| *count > 0);
        match held.find(|(_, (_, since))| waited(*since)) {
            Some((validator, (_, since))) => Err(format!(
                "validator {validator} has held evidence since height {since}; it is in no block"
            )),
            None => Ok(()),
        }
    }
}

impl EvidenceOnce {
    /// It takes evidence up only against somebody who, as far as it knows, was not convicted.
    fn look(&mut self, world: &World, validator: usize) {
        let host = &world.validators()[validator];
        let Some(replica) = host.replica().filter(|_| host.is_correct()) else { return };
        let (count, height) = (replica.counters().evidence, replica.ledger().height());
        let held = self.held.entry(validator).or_insert((0, height));
        if held.0 != count {
            *held = (count, height);
        }
    }
}
