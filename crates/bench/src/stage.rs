//! The stage of a measurement: the folder of a run with keys, genesis and configurations.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use quorate_crypto::SecretKey;
use quorate_node::{Clock, DataDir, NodeConfig, write_genesis};
use quorate_types::genesis::{Admission, Attester, Parameters};
use quorate_types::{
    Attestation, Capabilities, Claims, Genesis, Label, Market, PROTOCOL_VERSION, PublicKey,
    UnixMillis, Validator, ValidatorSet,
};

use crate::args::{Args, Mix, Transport};

/// A day, which is longer than a run: for leases, and for windows that nobody bids in.
const DAY_MS: u64 = 24 * 3_600_000;
/// The number of tasks that an agent may hold at one time.
const SLOTS: i64 = 1_000_000;

/// Everything that a run needs; it is also written to the folder of the run.
pub(super) struct BenchSetup {
    pub(super) folder: PathBuf,
    pub(super) genesis: Genesis,
    pub(super) market: Label,
    pub(super) slots: Label,
    pub(super) validators: Vec<(DataDir, PublicKey)>,
    attester: SecretKey,
    /// The time at which the folder was made.
    created: UnixMillis,
    /// Whether the folder stays after the run.
    keep: bool,
}

impl BenchSetup {
    /// Makes the folder, all keys, the genesis and the signing guards.
    pub(super) fn set(args: &Args) -> Result<Self> {
        let created = Clock::start().now().unix;
        let folder = match &args.out {
            Some(folder) => folder.clone(),
            None => PathBuf::from("runs").join(format!("bench-{created}")),
        };
        make_empty(&folder)?;

        let validators = make_keys(&folder, args.validators)?;
        let attester = SecretKey::generate().context("the system gives no randomness")?;
        let genesis = genesis(args.mix, &validators, &attester, created)?;

        let setup = Self {
            folder,
            genesis,
            market: "bench".parse()?,
            slots: "slots".parse()?,
            validators,
            attester,
            created,
            keep: args.out.is_some(),
        };

        setup.write()?;
        Ok(setup)
    }

    /// Writes the genesis into all folders, and makes the signing guards.
    fn write(&self) -> Result<()> {
        write_genesis(&self.folder.join("genesis.toml"), &self.genesis)?;

        let swarm = self.genesis.swarm_id();
        for (data_dir, key) in &self.validators {
            data_dir.store_genesis(&self.genesis)?;
            // A key without its guard does not sign (N-21).
            data_dir.create_guard(key, &swarm)?;
        }

        Ok(())
    }

    /// Tells a validator where to listen, and which addresses to start from.
    pub(super) fn configure(
        data_dir: &DataDir,
        transport: Transport,
        boot: &[String],
    ) -> Result<()> {
        let config = NodeConfig {
            listen: vec![transport.any_port()?],
            boot: boot
                .iter()
                .map(|address| address.parse())
                .collect::<Result<_, _>>()?,
            ..NodeConfig::default()
        };

        Ok(data_dir.store_config(&config)?)
    }

    /// Returns the attestation that an agent is admitted with: as many slots as it may ever need.
    pub(super) fn attest(&self, subject: PublicKey) -> Attestation {
        // Claims carry seconds of Unix time.
        let now = self.created.seconds();
        let amounts = [(self.slots.clone(), SLOTS)].into();

        let claims = Claims {
            issuer: self.attester.public_key(),
            subject,
            audience: self.genesis.swarm_id(),
            expires: now + 30 * 24 * 3600,
            not_before: now.saturating_sub(3600),
            issued_at: now,
            id: Vec::new(),
            capabilities: Capabilities {
                amounts,
                ..Capabilities::default()
            },
        };

        self.attester.sign(claims).into_inner()
    }

    /// Removes the folder, unless the user keeps it.
    pub(super) fn clear(&self) -> Result<()> {
        if self.keep {
            return Ok(());
        }

        std::fs::remove_dir_all(&self.folder)
            .with_context(|| format!("remove {}", self.folder.display()))?;

        // The parent stays if it holds other runs.
        let _ = self.folder.parent().map(std::fs::remove_dir);
        Ok(())
    }
}

fn make_empty(folder: &Path) -> Result<()> {
    let empty = !folder.exists() || std::fs::read_dir(folder)?.next().is_none();
    ensure!(
        empty,
        "{}: the folder is not empty; choose an empty or absent one with --out",
        folder.display()
    );

    std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())
}

/// Makes the folders and the keys of this many validators.
fn make_keys(folder: &Path, count: u64) -> Result<Vec<(DataDir, PublicKey)>> {
    let home = |number| {
        let data_dir = DataDir::new(folder.join(format!("validator-{number}")));
        let key = data_dir.create_key()?.public_key();
        Ok((data_dir, key))
    };
    (1..=count).map(home).collect()
}

fn genesis(
    mix: Mix,
    validators: &[(DataDir, PublicKey)],
    attester: &SecretKey,
    now: UnixMillis,
) -> Result<Genesis> {
    let genesis = Genesis {
        name: "bench".parse()?,
        created: now.saturating_sub(1),
        markets: vec![market(mix)?],
        version: PROTOCOL_VERSION,
        admission: Admission::Attestation,
        attesters: vec![Attester {
            key: attester.public_key(),
            name: "bench".parse()?,
        }],
        parameters: Parameters::default(),
        validators: committee(validators)?,
    };

    genesis.check()?;
    Ok(genesis)
}

/// Returns the committee of these validators. All have the same power, and each its own operator.
fn committee(validators: &[(DataDir, PublicKey)]) -> Result<ValidatorSet> {
    let validators = validators.iter().enumerate().map(|(at, (_, key))| {
        Ok(Validator {
            key: *key,
            power: 1,
            operator: format!("op-{}", at + 1).parse()?,
        })
    });

    let validators = validators.collect::<Result<_>>()?;
    Ok(ValidatorSet::new(validators)?)
}

fn market(mix: Mix) -> Result<Market> {
    let (mechanism, window_ms) = match mix {
        // Nobody bids, so the window need not end.
        Mix::SubmitCancel | Mix::PileUp => ("first-price", DAY_MS),
        Mix::FirstPrice => ("first-price", 1),
        Mix::Assignment => ("assignment", 1),
    };

    Ok(Market {
        name: "bench".parse()?,
        reserve: None,
        trusted: false,
        attempts: 5,
        lease_ms: DAY_MS,
        solve_ms: None,
        mechanism: mechanism.parse()?,
        reveal_ms: None,
        window_ms,
    })
}
