//! The connections to validators: the requests that wait for an answer, and the answers.

use std::collections::BTreeMap;

use quorate_types::message::{AccountSummary, BlockNotice, ClientRequest, Request};
use quorate_types::{MonotonicMillis, Power, PublicKey, ValidatorSet};

use super::agreement::reached_by_a_third;
use super::asked::Asked;

/// The number of requests to one validator that may wait for an answer. Beyond it, the oldest is
/// given up.
const PENDING: usize = 512;

/// All validators that were ever connected, and the state of each connection.
#[derive(Debug, Default)]
pub(super) struct Links {
    links: BTreeMap<PublicKey, Link>,
    next_id: u64,
}

#[derive(Debug, Default)]
pub(super) struct Link {
    connected: bool,
    /// The time at which anything came from it last.
    heard: MonotonicMillis,
    /// Its newest block, by its own word.
    block: Option<BlockNotice>,
    account: Option<Option<AccountSummary>>,
    pending: BTreeMap<u64, Asked>,
}

impl Links {
    /// Marks a validator as connected, and returns its newest block.
    pub(super) fn connect(
        &mut self,
        validator: PublicKey,
        now: MonotonicMillis,
    ) -> Option<BlockNotice> {
        let link = self.links.entry(validator).or_default();
        link.connected = true;
        link.heard = link.heard.max(now);
        link.block
    }

    /// Marks a validator as gone, and gives up the requests to it.
    pub(super) fn disconnect(&mut self, validator: &PublicKey) {
        if let Some(link) = self.links.get_mut(validator) {
            link.connected = false;
            link.pending.clear();
            link.account = None;
        }
    }

    /// Notes that something came from this validator. If it is not connected, returns `None` and
    /// changes nothing.
    pub(super) fn hear(
        &mut self,
        validator: &PublicKey,
        now: MonotonicMillis,
    ) -> Option<&mut Link> {
        let link = self
            .links
            .get_mut(validator)
            .filter(|link| link.connected)?;
        link.heard = link.heard.max(now);
        Some(link)
    }

    /// Returns whether any validator can be reached.
    pub(super) fn is_any_connected(&self) -> bool {
        self.links.values().any(|link| link.connected)
    }

    /// Returns the connected validators in ascending order, from the first at or after `start`,
    /// then from the beginning.
    pub(super) fn connected_from(&self, start: &PublicKey) -> Vec<PublicKey> {
        let rest = self.links.range(..start);
        let links = self.links.range(start..).chain(rest);
        links
            .filter(|(_, link)| link.connected)
            .map(|(key, _)| *key)
            .collect()
    }

    /// Returns the newest block of a validator, by its own word.
    pub(super) fn block(&self, validator: &PublicKey) -> Option<BlockNotice> {
        self.links.get(validator)?.block
    }

    /// Makes a request with a fresh id, and notes it if an answer is awaited.
    pub(super) fn request(
        &mut self,
        validator: &PublicKey,
        request: Request,
        asked: Option<Asked>,
    ) -> ClientRequest {
        self.next_id += 1;
        let id = self.next_id;

        if let (Some(asked), Some(link)) = (asked, self.links.get_mut(validator)) {
            link.pending.insert(id, asked);
            // A validator that does not answer must not fill the memory.
            if link.pending.len() > PENDING {
                link.pending.pop_first();
            }
        }

        ClientRequest { id, request }
    }

    /// Returns the answers of all connected validators on the account, each with its power.
    pub(super) fn accounts(
        &self,
        validators: &ValidatorSet,
    ) -> Vec<(Power, &Option<AccountSummary>)> {
        let links = self.links.iter().filter(|(_, link)| link.connected);
        links
            .filter_map(|(key, l)| Some((validators.power(key), l.account.as_ref()?)))
            .collect()
    }

    /// Returns the latest time since which validators with more than a third of the power were
    /// heard.
    pub(super) fn in_reach_since(&self, validators: &ValidatorSet) -> MonotonicMillis {
        let heard = self
            .links
            .iter()
            .map(|(key, link)| (validators.power(key), link.heard));
        reached_by_a_third(heard, validators).unwrap_or_default()
    }
}

impl Link {
    /// Returns the subject of the answer with this id; only once.
    pub(super) fn take(&mut self, id: u64) -> Option<Asked> {
        self.pending.remove(&id)
    }

    /// Notes the validator's word on the account.
    pub(super) fn set_account(&mut self, account: Option<AccountSummary>) {
        self.account = Some(account);
    }

    /// Notes the validator's word on its newest block. An older block changes nothing.
    pub(super) fn set_block(&mut self, block: BlockNotice) {
        if self.block.is_none_or(|older| older.height <= block.height) {
            self.block = Some(block);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{validator, validators};
    use super::*;

    fn ask(links: &mut Links) -> u64 {
        let request = Request::Account(validator(9));
        let request = links.request(&validator(1), request, Some(Asked::Account));
        request.id
    }

    #[test]
    fn an_answer_is_taken_once_and_only_from_a_connected_validator() {
        let mut links = Links::default();
        assert!(links.hear(&validator(1), MonotonicMillis(1)).is_none());

        links.connect(validator(1), MonotonicMillis(1));
        let id = ask(&mut links);
        let mut take = |id| links.hear(&validator(1), MonotonicMillis(2))?.take(id);
        assert_eq!(take(id), Some(Asked::Account));
        assert_eq!(take(id), None);

        let id = ask(&mut links);
        links.disconnect(&validator(1));
        links.connect(validator(1), MonotonicMillis(3));
        let link = links.hear(&validator(1), MonotonicMillis(3));
        assert_eq!(link.and_then(|link| link.take(id)), None);
    }

    #[test]
    fn a_validator_that_never_answers_does_not_fill_the_memory() {
        let mut links = Links::default();
        links.connect(validator(1), MonotonicMillis(1));
        let first = ask(&mut links);
        for _ in 0..PENDING {
            ask(&mut links);
        }

        assert_eq!(links.links[&validator(1)].pending.len(), PENDING);
        assert!(!links.links[&validator(1)].pending.contains_key(&first));
    }

    #[test]
    fn reach_is_the_time_since_which_more_than_a_third_was_heard() {
        let mut links = Links::default();
        links.connect(validator(1), MonotonicMillis(9));
        let reach = |links: &Links| links.in_reach_since(&validators());
        assert_eq!(reach(&links), MonotonicMillis::ZERO);
        links.connect(validator(2), MonotonicMillis(5));
        assert_eq!(reach(&links), MonotonicMillis(5));
    }
}
