//! The things that each part of a client may read.

use quorate_certificate::VerifiedCertificate;
use quorate_crypto::SecretKey;
use quorate_types::{BlockId, Height, MonotonicMillis, PublicKey, SwarmId, TaskId, ValidatorSet};

use super::config::ClientConfig;
use super::links::Links;
use crate::Verifier;

/// The things that stay the same while a client lives.
pub(super) struct Setting {
    config: ClientConfig,
    key: SecretKey,
    me: PublicKey,
    verifier: Box<dyn Verifier>,
}

/// The surroundings that a part may read while it reacts: setting, connections and time.
#[derive(Clone, Copy)]
pub(super) struct Cx<'a> {
    setting: &'a Setting,
    links: &'a Links,
    now: MonotonicMillis,
}

impl Setting {
    pub(super) fn new(config: ClientConfig, key: SecretKey, verifier: Box<dyn Verifier>) -> Self {
        Self {
            me: key.public_key(),
            config,
            key,
            verifier,
        }
    }

    /// Returns the key of the client.
    pub(super) fn me(&self) -> PublicKey {
        self.me
    }

    pub(super) fn validators(&self) -> &ValidatorSet {
        &self.config.validators
    }

    /// Returns the first height whose outcomes are wanted.
    pub(super) fn follow_from(&self) -> Height {
        self.config.follow_from
    }

    /// Returns the certificate if it verifies.
    pub(super) fn verify(&self, bytes: &[u8]) -> Option<VerifiedCertificate> {
        self.verifier.verify(bytes)
    }
}

impl<'a> Cx<'a> {
    pub(super) fn new(setting: &'a Setting, links: &'a Links, now: MonotonicMillis) -> Self {
        Self {
            setting,
            links,
            now,
        }
    }

    /// Returns the time by the driver's clock.
    pub(super) fn now(&self) -> MonotonicMillis {
        self.now
    }

    pub(super) fn config(&self) -> &'a ClientConfig {
        &self.setting.config
    }

    pub(super) fn validators(&self) -> &'a ValidatorSet {
        self.setting.validators()
    }

    pub(super) fn swarm(&self) -> SwarmId {
        self.setting.config.swarm
    }

    pub(super) fn key(&self) -> &'a SecretKey {
        &self.setting.key
    }

    /// Returns the key of the client.
    pub(super) fn me(&self) -> PublicKey {
        self.setting.me
    }

    /// Returns whether the client submitted the task.
    pub(super) fn is_mine(&self, task: &TaskId) -> bool {
        task.requester == self.setting.me
    }

    /// Returns the certificate if it verifies.
    pub(super) fn verify(&self, bytes: &[u8]) -> Option<VerifiedCertificate> {
        self.setting.verify(bytes)
    }

    /// Returns the connections to validators.
    pub(super) fn links(&self) -> &'a Links {
        self.links
    }

    /// Returns the connected validators in this client's own order, so that the load spreads.
    pub(super) fn connected(&self) -> Vec<PublicKey> {
        self.links.connected_from(&self.setting.me)
    }

    /// Returns the block that a heartbeat to this validator names: the validator's own newest
    /// block.
    pub(super) fn block_of(&self, validator: &PublicKey) -> (Height, BlockId) {
        self.links
            .block(validator)
            .map_or((0, BlockId::GENESIS), |b| (b.height, b.block))
    }
}
