//! 2, linked prefix: each block names the one before it, and equal heights have equal state.

use std::collections::BTreeMap;

use quorate_types::{BlockId, Hash, Height};

use super::Invariant;
use crate::seen::Seen;
use crate::world::World;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Prefix {
    decided: BTreeMap<Height, (BlockId, Hash)>,
}

impl Prefix {
    fn block(&mut self, height: Height, new: (BlockId, Hash, BlockId)) -> Result<(), String> {
        let (id, state, previous) = new;
        if let Some((before, _)) = self.decided.get(&height.wrapping_sub(1))
            && *before != previous
        {
            let (previous, before) = (previous.short(), before.short());
            return Err(format!(
                "height {height} is on {previous}, {before} was decided"
            ));
        }
        self.decided.entry(height).or_insert((id, state));
        self.state(height, state)
    }

    fn state(&self, height: Height, state: Hash) -> Result<(), String> {
        match self.decided.get(&height) {
            Some((_, known)) if *known != state => {
                let (known, state) = (known.short(), state.short());
                Err(format!(
                    "height {height}: state {known} here, {state} there"
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
