//! The surroundings of a part in its unit tests: four connected validators, and a time that the
//! test moves on.

use quorate_certificate::VerifiedCertificate;
use quorate_crypto::SecretKey;
use quorate_types::attestation::Claims;
use quorate_types::message::{AccountSummary, Request};
use quorate_types::{
    Attestation, Capabilities, Label, Millis, MonotonicMillis, PublicKey, SwarmId, TaskId,
    Validator, ValidatorSet,
};

use super::config::ClientConfig;
use super::cx::{Cx, Setting};
use super::event::{ClientAction, ClientEvent};
use super::links::Links;
use super::out::Out;
use crate::Verifier;

/// The setting of a client, its connections, and the time.
pub(super) struct Bench {
    setting: Setting,
    links: Links,
    now: MonotonicMillis,
}

/// A verifier that believes nothing.
struct Doubt;

impl Verifier for Doubt {
    fn verify(&self, _: &[u8]) -> Option<VerifiedCertificate> {
        None
    }
}

pub(super) fn validator(seed: u8) -> PublicKey {
    PublicKey([seed; 32])
}

pub(super) fn validators() -> ValidatorSet {
    let member = |seed| Validator {
        key: validator(seed),
        power: 1,
        operator: market(),
    };
    ValidatorSet::new((1..=4).map(member).collect()).unwrap()
}

pub(super) fn market() -> Label {
    "jobs".parse().unwrap()
}

pub(super) fn task(number: u64) -> TaskId {
    TaskId {
        requester: validator(9),
        number,
    }
}

fn attestation(key: &SecretKey) -> Attestation {
    let claims = Claims {
        issuer: key.public_key(),
        subject: key.public_key(),
        audience: SwarmId([3; 32]),
        expires: 100,
        not_before: 0,
        issued_at: 0,
        id: vec![1],
        capabilities: Capabilities::new(),
    };
    key.sign(claims).into_inner()
}

impl Bench {
    /// A client in an open market.
    pub(super) fn new() -> Self {
        Self::with(false)
    }

    /// A client in a sealed market.
    pub(super) fn sealed() -> Self {
        Self::with(true)
    }

    fn with(is_sealed: bool) -> Self {
        let key = SecretKey::from_seed(&[7; 32]);
        let config = ClientConfig {
            swarm: SwarmId([3; 32]),
            sealed: is_sealed.then(market).into_iter().collect(),
            validators: validators(),
            attestation: Some(attestation(&key)),
            follow_from: 1,
            resubmit: 1_000,
            idle_heartbeat: 5_000,
            withholds: false,
        };
        let mut links = Links::default();
        let now = MonotonicMillis(10_000);
        for seed in 1..=4 {
            links.connect(validator(seed), now);
        }
        Self {
            setting: Setting::new(config, key, Box::new(Doubt)),
            links,
            now,
        }
    }

    pub(super) fn cx(&self) -> Cx<'_> {
        Cx::new(&self.setting, &self.links, self.now)
    }

    pub(super) fn links(&mut self) -> &mut Links {
        &mut self.links
    }

    /// The time so many milliseconds from now.
    pub(super) fn at(&self, millis: Millis) -> MonotonicMillis {
        self.now.saturating_add(millis)
    }

    pub(super) fn wait(&mut self, millis: Millis) {
        self.now = self.at(millis);
    }

    /// All validators say this of the account.
    pub(super) fn say_account(&mut self, account: Option<AccountSummary>) {
        self.say_account_of(4, account);
    }

    /// The first validators say this of the account.
    pub(super) fn say_account_of(&mut self, count: u8, account: Option<AccountSummary>) {
        for seed in 1..=count {
            let link = self.links.hear(&validator(seed), self.now).unwrap();
            link.set_account(account.clone());
        }
    }

    /// The requests and the events that came out.
    pub(super) fn all(&mut self, out: &mut Out) -> (Vec<(PublicKey, Request)>, Vec<ClientEvent>) {
        out.dispatch(&mut self.links);
        let mut requests = Vec::new();
        let mut events = Vec::new();
        while let Some(action) = out.poll() {
            match action {
                ClientAction::Send { to, request } => requests.push((to, request.request)),
                ClientAction::Event(event) => events.push(event),
            }
        }
        (requests, events)
    }

    pub(super) fn requests(&mut self, out: &mut Out) -> Vec<(PublicKey, Request)> {
        self.all(out).0
    }

    pub(super) fn events(&mut self, out: &mut Out) -> Vec<ClientEvent> {
        self.all(out).1
    }
}
