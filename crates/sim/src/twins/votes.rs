//! Who voted for what at the height of a scenario, and whose votes a host has.

use std::collections::BTreeMap;

use quorate_types::{BlockId, Kind, PublicKey, Round, SignedStatement, ValidatorSet};

use super::run::HEIGHT;

/// Votes of one kind and round that a host has, by signer.
type Held = BTreeMap<PublicKey, Option<BlockId>>;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Votes {
    /// By round and kind, what each host said.
    said: BTreeMap<(Round, Kind), BTreeMap<usize, SignedStatement>>,
    held: BTreeMap<(usize, Round, Kind), Held>,
}

impl Votes {
    /// A host voted.
    pub(super) fn said(&mut self, host: usize, signed: &SignedStatement) {
        let said = &signed.statement;
        if said.height == HEIGHT {
            let of_round = self.said.entry((said.round, said.kind)).or_default();
            of_round.insert(host, signed.clone());
            self.told(host, signed);
        }
    }

    /// A host was told a vote.
    pub(super) fn told(&mut self, host: usize, signed: &SignedStatement) {
        let said = &signed.statement;
        if said.height == HEIGHT {
            let held = self.held.entry((host, said.round, said.kind)).or_default();
            held.entry(signed.signer).or_insert(said.block);
        }
    }

    /// The votes of a kind, with who cast them, that let a host go on in its round: as few as make
    /// a quorum of any votes, and each for the value that it has least votes for. None where it can
    /// go on by itself, or not even so.
    pub(super) fn lacking(
        &self,
        host: usize,
        of: (Round, Kind),
        set: &ValidatorSet,
    ) -> Vec<(usize, SignedStatement)> {
        let spoke = self
            .said
            .get(&of)
            .is_some_and(|said| said.contains_key(&host));
        match self.held.get(&(host, of.0, of.1)) {
            Some(held) if spoke => self.complete(held.clone(), of, set),
            _ => Vec::new(),
        }
    }

    fn complete(
        &self,
        mut held: Held,
        of: (Round, Kind),
        set: &ValidatorSet,
    ) -> Vec<(usize, SignedStatement)> {
        let mut given = Vec::new();
        while !set.is_quorum(set.power_of(held.keys())) {
            let said = self.said.get(&of).into_iter().flatten();
            let news = said.filter(|(_, vote)| !held.contains_key(&vote.signer));
            let weight = |vote: &SignedStatement| {
                let same = held
                    .values()
                    .filter(|block| **block == vote.statement.block)
                    .count();
                (same, vote.statement.block.is_some())
            };
            let Some((from, vote)) = news.min_by_key(|(from, vote)| (weight(vote), **from)) else {
                return Vec::new();
            };
            held.insert(vote.signer, vote.statement.block);
            given.push((*from, vote.clone()));
        }
        given
    }
}
