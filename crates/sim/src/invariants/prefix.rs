//! Invariant 2 (linked prefix): each block names the block before it, and all correct validators
//! have the same state at the same height.

use std::collections::BTreeMap;

use quorate_types::{BlockId, Hash, Height};

use super::Invariant;
use crate::seen::Seen;
use crate::world::World;

/// Invariant 2, with the blocks and state roots decided so far.
#[derive(Debug, Default)]
pub(super) struct Prefix {
    decided: BTreeMap<Height, (BlockId, Hash)>,
}

impl Prefix {
    /// Judges a decided block: `new` is its id, its state root and the id of the block before it.
    fn block(&mut self, height: Height, new: (BlockId, Hash, BlockId)) -> Result<(), String> {
        let (id, state, previous) = new;

        // Nothing is known of the block before if nobody correct reported it.
        if let Some((before, _)) = self.decided.get(&height.wrapping_sub(1))
            && *before != previous
        {
            let (previous, before) = (previous.short(), before.short());
            return Err(format!(
                "height {height} builds on block {previous}, but {before} was decided before it"
            ));
        }

        self.decided.entry(height).or_insert((id, state));
        self.state(height, state)
    }

    /// Checks that a state root equals the one decided at that height, if that is known.
    fn state(&self, height: Height, state: Hash) -> Result<(), String> {
        match self.decided.get(&height) {
            Some((_, known)) if *known != state => {
                let (known, state) = (known.short(), state.short());
                Err(format!(
                    "height {height}: the state root is {known} at one validator and {state} at \
                     another"
                ))
            }
            _ => Ok(()),
        }
    }
}

impl Invariant for Prefix {
    fn number(&self) -> u8 {
        2
    }

    fn name(&self) -> &'static str {
        "linked-prefix"
    }

    fn see(&mut self, world: &World, seen: &Seen) -> Result<(), String> {
        let (Seen::Committed { validator, .. } | Seen::Started { validator, .. }) = seen else {
            return Ok(());
        };

        let host = &world.validators()[*validator];
        if !host.is_correct() {
            return Ok(());
        }

        match seen {
            Seen::Committed { block, .. } => {
                let header = &block.header;
                self.block(header.height, (header.id(), header.state, header.previous))?;
            }
            Seen::Started { height, state, .. } => self.state(*height, *state)?,
            _ => {}
        }

        // The replica's own ledger must agree too, not only what was observed of it.
        match host.replica().map(|replica| replica.ledger()) {
            Some(ledger) => self.state(ledger.height(), ledger.state_root()),
            None => Ok(()),
        }
    }

    fn end(&mut self, world: &World) -> Result<(), String> {
        for host in world.validators().iter().filter(|host| host.is_correct()) {
            if let Some(replica) = host.replica() {
                self.state(replica.ledger().height(), replica.ledger().state_root())?;
            }
        }
        Ok(())
    }
}
