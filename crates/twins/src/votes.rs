//! The votes at the height of a scenario: those that were cast, and those that each host has.

use std::collections::BTreeMap;

use quorate_types::{BlockId, Height, Kind, PublicKey, Round, SignedStatement, ValidatorSet};

/// The height at which scenarios are played.
pub(crate) const HEIGHT: Height = 1;

/// The votes of one kind and round that a host has, by signer.
type Held = BTreeMap<PublicKey, Option<BlockId>>;

/// The votes of a run.
#[derive(Debug, Default)]
pub(crate) struct Votes {
    /// The votes that each host cast, by round and kind.
    said: BTreeMap<(Round, Kind), BTreeMap<usize, SignedStatement>>,
    /// The votes that each host has, its own included.
    held: BTreeMap<(usize, Round, Kind), Held>,
}

impl Votes {
    /// Takes in that a host voted.
    pub(crate) fn said(&mut self, host: usize, signed: &SignedStatement) {
        let said = &signed.statement;
        if said.height == HEIGHT {
            let of_round = self.said.entry((said.round, said.kind)).or_default();
            of_round.insert(host, signed.clone());
            self.told(host, signed);
        }
    }

    /// Takes in that a host received a vote.
    pub(crate) fn told(&mut self, host: usize, signed: &SignedStatement) {
        let said = &signed.statement;
        if said.height == HEIGHT {
            let held = self.held.entry((host, said.round, said.kind)).or_default();
            held.entry(signed.signer).or_insert(said.block);
        }
    }

    /// The votes of a kind, with the host of each, that let `host` go on in its round: as few as
    /// make a quorum of votes for anything, and always those for the value that it has the fewest
    /// votes for. There are none if it can go on without more, or cannot even with all that were
    /// cast.
    pub(crate) fn lacking(
        &self,
        host: usize,
        of: (Round, Kind),
        set: &ValidatorSet,
    ) -> Vec<(usize, SignedStatement)> {
        let spoke = self
            .said
            .get(&of)
            .is_some_and(|said| said.contains_key(&host));

        // A host that has not voted in this step does not wait for others yet.
        match self.held.get(&(host, of.0, of.1)) {
            Some(held) if spoke => self.complete(held.clone(), of, set),
            _ => Vec::new(),
        }
    }

    /// The votes that complete those that a host has to a quorum.
    fn complete(
        &self,
        mut held: Held,
        of: (Round, Kind),
        set: &ValidatorSet,
    ) -> Vec<(usize, SignedStatement)> {
        let mut given = Vec::new();

        while !set.is_quorum(set.power_of(held.keys())) {
            let Some((from, vote)) = self.least_telling(&held, of) else {
                return Vec::new();
            };

            held.insert(vote.signer, vote.statement.block);
            given.push((from, vote.clone()));
        }

        given
    }

    /// The vote that tells a host least, of those that it does not have, with the host that cast
    /// it: one for the value that it has the fewest votes for.
    fn least_telling(&self, held: &Held, of: (Round, Kind)) -> Option<(usize, &SignedStatement)> {
        let said = self.said.get(&of).into_iter().flatten();
        let news = said.filter(|(_, vote)| !held.contains_key(&vote.signer));
        let (from, vote) = news.min_by_key(|(from, vote)| (weight(held, vote), **from))?;

        Some((*from, vote))
    }
}

/// How much a vote tells a host: the number of votes for its value that the host has. Of two values
/// with as many, nil comes before a block.
fn weight(held: &Held, vote: &SignedStatement) -> (usize, bool) {
    let value = vote.statement.block;
    let same = held.values().filter(|block| **block == value);
    (same.count(), value.is_some())
}
