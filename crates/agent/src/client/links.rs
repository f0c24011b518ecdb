//! Connections to validators: what was asked, what was heard.

use std::collections::BTreeMap;

use quorate_types::message::{AccountSummary, BlockNotice, ClientRequest, Request};
use quorate_types::{Hash, Millis, Power, PublicKey, TaskId, ValidatorSet};

use super::account::backed;
use super::fetches::Wanted;

/// Requests to one validator that wait for an answer, at most; then the oldest is given up.
const PENDING: usize = 512;

/// What an answer will be about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Asked {
    /// The operation of this number.
    Submit(u64),
    /// The own account.
    Account,
    /// The certificates of a task.
    Certificates(TaskId),
    /// The open tasks of a market.
    Open,
    /// A part of what is longer than one answer, from this byte on.
    Part(Wanted, u64),
    /// The certificate of a clearing.
    Clearing(Hash),
}

/// Every validator that was ever connected, and whether it is.
#[derive(Debug, Default)]
pub(super) struct Links {
    links: BTreeMap<PublicKey, Link>,
    next_id: u64,
}

#[derive(Debug, Default)]
pub(super) struct Link {
    connected: bool,
    /// Last time anything came from it.
    heard: Millis,
    /// Its newest block, by its own word.
    block: Option<BlockNotice>,
    account: Option<Option<AccountSummary>>,
    pending: BTreeMap<u64, Asked>,
}

impl Links {
    /// Marks a validator connected; returns its newest block.
    pub(super) fn connect(&mut self, validator: PublicKey, now: Millis) -> Option<BlockNotice> {
        let link = self.links.entry(validator).or_default();
        link.connected = true;
        link.heard = link.heard.max(now);
        link.block
    }

    /// Marks a validator gone; what was asked of it is given up.
    pub(super) fn disconnect(&mut self, validator: &PublicKey) {
        if let Some(link) = self.links.get_mut(validator) {
            link.connected = false;
            link.pending.clear();
            link.account = None;
        }
    }

    /// Something came from this validator. `None`, and nothing changes, where it is not connected.
    pub(super) fn hear(&mut self, validator: &PublicKey, now: Millis) -> Option<&mut Link> {
        let link = self
            .links
            .get_mut(validator)
            .filter(|link| link.connected)?;
        link.heard = link.heard.max(now);
        Some(link)
    }

    /// The connected validators, ascending from the one at or after `start`, then from the first.
    pub(super) fn connected_from(&self, start: &PublicKey) -> Vec<PublicKey> {
        let rest = self.links.range(..start);
        let links = self.links.range(start..).chain(rest);
        links
            .filter(|(_, link)| link.connected)
            .map(|(key, _)| *key)
            .collect()
    }

    /// The newest block of a validator, by its own word.
    pub(super) fn block(&self, validator: &PublicKey) -> Option<BlockNotice> {
        self.links.get(validator)?.block
    }

    /// A request with a fresh id, noted when an answer is awaited.
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
            if link.pending.len() > PENDING {
                link.pending.pop_first();
            }
        }
        ClientRequest { id, request }
    }

    /// Every connected validator's answer on the account, with its power.
    pub(super) fn accounts(
        &self,
        validators: &ValidatorSet,
    ) -> Vec<(Power, &Option<AccountSummary>)> {
        let links = self.links.iter().filter(|(_, link)| link.connected);
        links
            .filter_map(|(key, l)| Some((validators.power(key), l.account.as_ref()?)))
            .collect()
    }

    /// The latest time since which validators with more than a third of the power were heard.
    pub(super) fn in_reach_since(&self, validators: &ValidatorSet) -> Millis {
        let heard = self
            .links
            .iter()
            .map(|(key, link)| (validators.power(key), link.heard));
        backed(heard, validators).unwrap_or(0)
    }
}

impl Link {
    /// What the answer with this id is about; once.
    pub(super) fn take(&mut self, id: u64) -> Option<Asked> {
        self.pending.remove(&id)
    }

    /// Takes its word on the account.
    pub(super) fn set_account(&mut self, account: Option<AccountSummary>) {
        self.account = Some(account);
    }

    /// Takes its word on its newest block; an older one changes nothing.
    pub(super) fn set_block(&mut self, block: BlockNotice) {
        if self.block.is_none_or(|older| older.height <= block.height) {
            self.block = Some(block);
        }
    }
}
