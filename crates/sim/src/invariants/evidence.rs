//! Invariant 9 (evidence): nobody is convicted twice, and evidence that a correct validator holds
//! is committed: in the first block that it builds and that is decided, and by the end in any case.
//!
//! Each culprit is judged separately, and so is each of its offences: the conviction of another
//! culprit is no excuse. One conviction takes all the power of a culprit, so it settles everything
//! that is held against that culprit.

use std::collections::{BTreeMap, BTreeSet};

use quorate_oracle::{Chain, Decided};
use quorate_types::{Block, Evidence, Height, Kind, PublicKey, limits};

use super::invariant::Invariant;
use super::observed::decided;
use crate::seen::Seen;
use crate::world::World;

/// The number of heights after which evidence that is held must be in a block: every validator has
/// proposed by then.
const BY: Height = 16;
/// The number of heights that a validator may be behind and still build blocks that are decided.
const NEAR: Height = 2;

/// The offence that a piece of evidence proves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Offence {
    /// The culprit signed two statements of this kind in one round.
    Twice(Kind),
    /// The culprit proposed a block that is invalid.
    BadBlock,
}

/// The heights that say when evidence must be, and may be, in a block.
#[derive(Debug, Clone, Copy)]
struct Held {
    /// The height in progress when the validator told of the evidence: its blocks of later heights
    /// must carry it.
    since: Height,
    /// The height from which [`BY`] counts: the last decided height at that time, or a later one if
    /// the validator was behind since.
    waits: Height,
    /// The last height at which a block may carry the evidence.
    until: Height,
}

/// Invariant 9, with the convictions so far and the evidence that is held.
#[derive(Debug, Default)]
pub(super) struct EvidenceOnce {
    chain: Chain,
    convicted: BTreeSet<PublicKey>,
    /// By validator whose process runs: the evidence that it holds, by culprit and offence.
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
        for decided in self.chain.take(decided(world, seen)) {
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
            } => self.wait_again(*validator, block.header.height),

            _ => {}
        }

        Ok(())
    }

    /// Judges evidence that is in no block. A bad block may be carried for less than [`BY`]
    /// heights, so only [`Self::look_for_omissions`] judges it.
    fn end(&mut self, _world: &World) -> Result<(), String> {
        for (validator, held) in &self.held {
            // Evidence is late if it was held for more than [`BY`] heights in which a block could
            // carry it.
            let late = |held: &Held| held.waits + BY < self.chain.height().min(held.until);

            let mut open = held
                .iter()
                .filter(|((culprit, _), _)| !self.convicted.contains(culprit));

            if let Some(((culprit, offence), held)) = open.find(|(_, held)| late(held)) {
                let since = held.since;
                return Err(format!(
                    "validator {validator} has held evidence of {offence:?} against {culprit:?} \
                     since height {since}; it is in no block"
                ));
            }
        }

        Ok(())
    }
}

impl EvidenceOnce {
    /// A validator that is behind when it decides `height` builds no block that is decided, so the
    /// time for its evidence starts again.
    fn wait_again(&mut self, validator: usize, height: Height) {
        let newest = self.chain.height();
        if height + NEAR >= newest {
            return;
        }

        let held = self.held.get_mut(&validator).into_iter();
        held.flat_map(BTreeMap::values_mut)
            .for_each(|held| held.waits = newest);
    }

    /// Notes the convictions of a block, each of which must be the first of its culprit.
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

    /// Notes evidence that a validator told of at `height`.
    fn hold(&mut self, validator: usize, height: Height, evidence: &Evidence) {
        let (offence, until) = match evidence {
            Evidence::Conflict(pair) => (Offence::Twice(pair.first.statement.kind), Height::MAX),
            // One height less than allowed: at the last one, a validator that is ahead may no
            // longer have the state on which the block is judged.
            Evidence::BadBlock(_) => (
                Offence::BadBlock,
                evidence.height() + limits::BAD_BLOCK_HEIGHTS - 1,
            ),
        };

        let held = self.held.entry(validator).or_default();
        let what = (evidence.culprit(), offence);

        if held.get(&what).is_none_or(|known| known.until < until) {
            let told = Held {
                since: height,
                waits: self.chain.height(),
                until,
            };

            held.insert(what, told);
        }
    }

    /// Checks that the block of a correct builder carries the evidence that the builder held before
    /// the height began, as far as there is room.
    fn look_for_omissions(&self, world: &World, decided: &Decided) -> Result<(), String> {
        let header = &decided.block.header;

        let is_builder = |at: &usize| {
            let host = &world.validators()[*at];
            host.is_correct() && host.public_key() == header.builder
        };

        let Some((builder, held)) = self.held.iter().find(|(at, _)| is_builder(at)) else {
            return Ok(());
        };

        // A conviction, also one by this very block, settles all evidence against the culprit.
        let due = held.iter().find(|((culprit, offence), held)| {
            let is_settled = self.convicted.contains(culprit);
            !is_settled && is_due(&decided.block, *offence, held)
        });

        match due {
            Some(((culprit, offence), held)) => Err(format!(
                "validator {builder} has held evidence of {offence:?} against {culprit:?} since \
                 height {} and left it out of its block of height {}",
                held.since, header.height
            )),
            None => Ok(()),
        }
    }
}

/// Whether a block had to carry evidence against a culprit that it does not convict: the evidence
/// was held before the height began, and the block may still carry it and has room for it.
fn is_due(block: &Block, offence: Offence, held: &Held) -> bool {
    let height = block.header.height;
    let mut carried = block.evidence.iter();

    // A block carries one bad block at most (L-22), so no second one is due.
    let is_tried = carried.any(|found| matches!(found, Evidence::BadBlock(_)));

    held.since < height
        && height <= held.until
        && !(is_tried && offence == Offence::BadBlock)
        && block.evidence.len() < limits::EVIDENCE_PER_BLOCK
}
