//! A swarm in a temporary folder, whose validators a test can start one by one.

use std::net::SocketAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use quorate_crypto::SecretKey;
use quorate_node::{CrashPoints, DataDir, Multiaddr, NodeConfig, Validator, ValidatorError};
use quorate_types::genesis::{Admission, Attester, Parameters};
use quorate_types::{
    Claims, Genesis, Market, PROTOCOL_VERSION, UnixMillis, Validator as Member, ValidatorSet,
};
use tempfile::TempDir;

/// The milliseconds after which an idle swarm makes a block.
const INTERVAL_MS: u64 = 2_000;

/// The folders of the validators, and the key of the attester.
pub struct Swarm {
    folder: TempDir,
    validators: Vec<DataDir>,
    genesis: Genesis,
    attester: SecretKey,
}

impl Swarm {
    /// Makes the folders of `validators` validators of equal power. Each is monitored on a free
    /// port.
    pub fn of(validators: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let validators: Vec<DataDir> = (0..validators)
            .map(|number| DataDir::new(folder.path().join(number.to_string())))
            .collect();
        let keys: Vec<_> = validators
            .iter()
            .map(|data_dir| data_dir.create_key().unwrap().public_key())
            .collect();
        let attester = SecretKey::generate().unwrap();
        let members = keys.iter().map(|key| Member {
            key: *key,
            power: 1,
            operator: "test".parse().unwrap(),
        });
        let genesis = genesis(ValidatorSet::new(members.collect()).unwrap(), &attester);
        for (data_dir, key) in validators.iter().zip(&keys) {
            data_dir.store_genesis(&genesis).unwrap();
            data_dir.create_guard(key, &genesis.swarm_id()).unwrap();
            configure(data_dir, Some("127.0.0.1:0".parse().unwrap()));
        }
        Self {
            folder,
            validators,
            genesis,
            attester,
        }
    }

    /// Starts the first validator.
    pub async fn start(&self) -> Result<Validator, ValidatorError> {
        self.start_number(0).await
    }

    /// Starts the validator with this index.
    pub async fn start_number(&self, number: usize) -> Result<Validator, ValidatorError> {
        Validator::start(&self.validators[number], CrashPoints::default()).await
    }

    /// Gives the validator with this index another address for its monitoring endpoint.
    pub fn monitor_on(&self, number: usize, address: SocketAddr) {
        configure(&self.validators[number], Some(address));
    }

    /// Configures the first validator without a monitoring endpoint.
    pub fn without_monitor(&self) {
        configure(&self.validators[0], None);
    }

    /// Makes the folder of a requester with an attestation, which starts from these addresses.
    pub fn requester(&self, boot: Vec<Multiaddr>) -> DataDir {
        let data_dir = DataDir::new(self.folder.path().join("desk"));
        let now = unix_seconds();
        let claims = Claims {
            issuer: self.attester.public_key(),
            subject: data_dir.create_key().unwrap().public_key(),
            audience: self.genesis.swarm_id(),
            expires: now + 3600,
            not_before: now - 60,
            issued_at: now,
            id: Vec::new(),
            capabilities: Default::default(),
        };
        data_dir
            .store_attestation(&self.attester.sign(claims).into_inner())
            .unwrap();
        data_dir.store_genesis(&self.genesis).unwrap();
        data_dir
            .store_config(&NodeConfig {
                boot,
                ..NodeConfig::default()
            })
            .unwrap();
        data_dir
    }
}

/// Waits until a validator listens; returns its addresses.
pub async fn listening(validator: &Validator) -> Vec<Multiaddr> {
    loop {
        let addresses = validator.addresses();
        if !addresses.is_empty() {
            return addresses;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn configure(data_dir: &DataDir, monitor: Option<SocketAddr>) {
    let listen = vec!["/ip4/127.0.0.1/tcp/0".parse().unwrap()];
    data_dir
        .store_config(&NodeConfig {
            listen,
            monitor,
            ..NodeConfig::default()
        })
        .unwrap();
}

fn genesis(validators: ValidatorSet, attester: &SecretKey) -> Genesis {
    let market = Market {
        name: "harbour".parse().unwrap(),
        reserve: None,
        trusted: false,
        attempts: 1,
        lease_ms: 60_000,
        solve_ms: None,
        mechanism: "first-price".parse().unwrap(),
        reveal_ms: None,
        window_ms: 60_000,
    };
    Genesis {
        name: "harbour".parse().unwrap(),
        created: UnixMillis(unix_seconds() * 1000),
        markets: vec![market],
        version: PROTOCOL_VERSION,
        admission: Admission::Attestation,
        attesters: vec![Attester {
            key: attester.public_key(),
            name: "port".parse().unwrap(),
        }],
        parameters: Parameters {
            max_block_interval_ms: INTERVAL_MS,
            ..Parameters::default()
        },
        validators,
    }
}

#[expect(clippy::disallowed_methods, reason = "a test may know the time")]
fn unix_seconds() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs()
}
