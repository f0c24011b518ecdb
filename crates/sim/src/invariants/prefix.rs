//! Invariant 2 (linked prefix): each block names the block before it, and all correct validators
//! have the same state at the same height.

use std::collections::BTreeMap;

use quorate_types::{BlockId, Hash, Header, Height};

use super::invariant::Invariant;
use crate::seen::Seen;
use crate::world::{Validator, World};

/// Invariant 2, with the blocks and state roots decided so far.
#[derive(Debug, Default)]
pub(super) struct Prefix {
    decided: BTreeMap<Height, (BlockId, Hash)>,
}

impl Prefix {
    /// Judges a decided block by its header.
    fn block(&mut self, header: &Header) -> Result<(), String> {
        let height = header.height;
        let previous = header.previous;

        // Nothing is known of the block before if nobody correct reported it.
        if let Some((before, _)) = self.decided.get(&height.wrapping_sub(1))
            && *before != previous
        {
            return Err(format!(
                "height {height} builds on block {}, but {} was decided before it",
                previous.short(),
                before.short()
            ));
        }

        self.decided
            .entry(height)
            .or_insert((header.id(), header.state));
        self.state(height, header.state)
    }

    /// Checks that a state root equals the one decided at that height, if that is known.
    fn state(&self, height: Height, state: Hash) -> Result<(), String> {
        match self.decided.get(&height) {
            Some((_, known)) if *known != state => Err(format!(
                "height {height}: the state root is {} at one validator and {} at another",
                known.short(),
                state.short()
            )),
            _ => Ok(()),
        }
    }

    /// Checks the state root of a host's ledger, if its replica runs.
    fn check_ledger(&self, host: &Validator) -> Result<(), String> {
        match host.replica().map(|replica| replica.ledger()) {
            Some(ledger) => self.state(ledger.height(), ledger.state_root()),
            None => Ok(()),
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
            Seen::Committed { block, .. } => self.block(&block.header)?,
            Seen::Started { height, state, .. } => self.state(*height, *state)?,
            _ => {}
        }

        // The replica's own ledger must agree too, not only what was observed of it.
        self.check_ledger(host)
    }

    fn end(&mut self, world: &World) -> Result<(), String> {
        let mut hosts = world.validators().iter().filter(|host| host.is_correct());
        hosts.try_for_each(|host| self.check_ledger(host))
    }
}
