//! 9, evidence: nobody is convicted twice, and what a correct validator holds against somebody is
//! committed: in the first block that it builds and that is decided, and by the end in any case.
//!
//! Each culprit is judged by itself, and each offence of his: that another was convicted meanwhile
//! excuses nobody. One conviction takes all the power there is to take, so it settles everything
//! that is held against one culprit.

use std::collections::{BTreeMap, BTreeSet};

use quorate_types::{Evidence, Height, Kind, PublicKey, limits};

use super::Invariant;
use super::oracle::{Chain, Decided};
use crate::seen::Seen;
use crate::world::World;

/// Heights after which evidence that is held is in a block: every validator has proposed by then.
const BY: Height = 16;
/// Heights that a validator may be behind and still build blocks that are decided.
const NEAR: Height = 2;

/// What somebody did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Offence {
    /// Signed two statements of this kind in one round.
    Twice(Kind),
    /// Proposed a block that is invalid.
    BadBlock,
}

/// Since when a validator's process holds something against somebody.
#[derive(Debug, Clone, Copy)]
struct Held {
    /// The height in progress with the validator then: blocks of later ones have to carry it.
    since: Height,
    /// The last decided height then, or when the validator had last caught up with the others.
    waits: Height,
    /// The last height at which a block may carry it.
    until: Height,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct EvidenceOnce {
    chain: Chain,
    convicted: BTreeSet<PublicKey>,
    /// By validator whose process runs, culprit and offence.
    held: BTreeMap<usize, BTreeMap<(PublicKey, Offence), Held>>,
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
            self.convict(&decided)?;
            self.look_for_omissions(world, &decided)?;
        }
        match seen {
            Seen::Stopped { validator, .. } | Seen::Started { validator, .. } => {
                self.held.remove(validator);
            }
            Seen::Accused {
                validator,
                height,
                evidence,
            } if world.validators()[*validator].is_correct() => {
                self.hold(*validator, *height, evidence);
            }
            Seen::Committed {
                validator, block, ..
            } => {
                let height = self.chain.height();
                if block.header.height + NEAR < height {
                    let held = self.held.get_mut(validator).into_iter();
                    held.flat_map(BTreeMap::values_mut)
                        .for_each(|held| held.waits = height);
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// A bad block is held for less than [`BY`] heights: only builders are held to it.
    fn end(&mut self, _world: &World) -> Result<(), String> {
        for (validator, held) in &self.held {
            let late = |held: &Held| held.waits + BY < self.chain.height().min(held.until);
            let mut open = held
                .iter()
                .filter(|((culprit, _), _)| !self.convicted.contains(culprit));
            if let Some(((culprit, offence), held)) = open.find(|(_, held)| late(held)) {
                let since = held.since;
                return Err(format!(
                    "validator {validator} has held {offence:?} of {culprit:?} since height \
                     {since}; it is in no block"
                ));
            }
        }
        Ok(())
    }
}

impl EvidenceOnce {
    fn convict(&mut self, decided: &Decided) -> Result<(), String> {
        let height = decided.block.header.height;
        for evidence in &decided.block.evidence {
            let culprit = evidence.culprit();
            if !self.convicted.insert(culprit) {
                return Err(format!("height {height} convicts {culprit:?} again"));
            }
        }
        Ok(())
    }

    fn hold(&mut self, validator: usize, height: Height, evidence: &Evidence) {
        let (offence, until) = match evidence {
            Evidence::Conflict(pair) => (Offence::Twice(pair.first.statement.kind), Height::MAX),
            // On its own last height the state before it may be gone for who is ahead.
            Evidence::BadBlock(_) => (
                Offence::BadBlock,
                evidence.height() + limits::BAD_BLOCK_HEIGHTS - 1,
            ),
        };
        let held = self.held.entry(validator).or_default();
        let known = held.get(&(evidence.culprit(), offence));
        if known.is_none_or(|known| known.until < until) {
            let waits = self.chain.height();
            held.insert(
                (evidence.culprit(), offence),
                Held {
                    since: height,
                    waits,
                    until,
                },
            );
        }
    }

    /// What a correct builder held before the height began is in its block, as far as that has
    /// room.
    fn look_for_omissions(&self, world: &World, decided: &Decided) -> Result<(), String> {
        let header = &decided.block.header;
        let is_builder = |at: &usize| {
            let host = &world.validators()[*at];
            host.is_correct() && host.public_key() == header.builder
        };
        let Some(builder) = self.held.keys().find(|at| is_builder(at)) else {
            return Ok(());
        };
        let carried = &decided.block.evidence;
        let is_tried = carried
            .iter()
            .any(|found| matches!(found, Evidence::BadBlock(_)));
        let due = |(culprit, offence): &(PublicKey, Offence), held: &Held| {
            held.since < header.height
                && header.height <= held.until
                && !self.convicted.contains(culprit)
                && !(is_tried && *offence == Offence::BadBlock)
                && carried.len() < limits::EVIDENCE_PER_BLOCK
        };
        let mut held = self.held[builder].iter();
        match held.find(|(what, held)| due(what, held)) {
            Some(((culprit, offence), held)) => Err(format!(
                "validator {builder} has held {offence:?} of {culprit:?} since height {} and left \
                 it out of its block of height {}",
                held.since, header.height
            )),
            None => Ok(()),
        }
    }
}
