//! The folder of a run: keys, genesis, configurations.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use quorate_crypto::SecretKey;
use quorate_node::{Home, NodeConfig, write_genesis};
use quorate_types::genesis::{Admission, Attester, Parameters};
use quorate_types::{
    Attestation, Capabilities, Claims, Genesis, Label, Market, PROTOCOL_VERSION, PublicKey,
    Validator, ValidatorSet,
};

use super::{Args, Mix, Transport};
use crate::values::unix_now;

/// Leases, and windows that nobody bids in, are not to end within a run: a day.
const DAY_MS: u64 = 24 * 3_600_000;
/// Tasks an agent may hold at a time.
const SLOTS: i64 = 1_000_000;

/// What a run needs, written to its folder.
pub(super) struct Stage {
    pub(super) folder: PathBuf,
    pub(super) genesis: Genesis,
    pub(super) market: Label,
    pub(super) slots: Label,
    pub(super) validators: Vec<(Home, PublicKey)>,
    attester: SecretKey,
    created: u64,
    keep: bool,
}

impl Stage {
    /// Makes the folder.
    pub(super) fn set(args: &Args) -> Result<Self> {
        let created = unix_now();
        let folder = match &args.keep {
            Some(folder) => folder.clone(),
            None => PathBuf::from("runs").join(format!("bench-{created}")),
        };
        let empty = !folder.exists() || std::fs::read_dir(&folder)?.next().is_none();
        ensure!(
            empty,
            "{}: exists and is not empty; choose another folder",
            folder.display()
        );
        std::fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
        let homes = (1..=args.validators).map(|number| {
            let home = Home::new(folder.join(format!("validator-{number}")));
            let key = home.create_key()?.public_key();
            Ok((home, key))
        });
        let validators = homes.collect::<Result<Vec<_>>>()?;
        let attester = SecretKey::generate().context("the system gives no randomness")?;
        let market: Label = "bench".parse()?;
        let genesis = genesis(args.mix, &validators, &attester, created)?;
        let swarm = genesis.swarm_id();
        write_genesis(&folder.join("genesis.toml"), &genesis)?;
        for (home, key) in &validators {
            home.store_genesis(&genesis)?;
            home.create_guard(key, &swarm)?;
        }
        let slots = "slots".parse()?;
        let keep = args.keep.is_some();
        Ok(Self {
            folder,
            genesis,
            market,
            slots,
            validators,
            attester,
            created,
            keep,
        })
    }

    /// Tells a validator where to listen and where to start from.
    pub(super) fn configure(home: &Home, transport: Transport, boot: &[String]) -> Result<()> {
        let config = NodeConfig {
            listen: vec![transport.any_port()?],
            boot: boot
                .iter()
                .map(|address| address.parse())
                .collect::<Result<_, _>>()?,
            ..NodeConfig::default()
        };
        Ok(home.store_config(&config)?)
    }

    /// What an agent is admitted with: as many slots as it may ever need.
    pub(super) fn attest(&self, subject: PublicKey) -> Attestation {
        let now = self.created / 1000;
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

    /// Removes the folder, unless it is to stay.
    pub(super) fn clear(&self) -> Result<()> {
        if self.keep {
            return Ok(());
        }
        std::fs::remove_dir_all(&self.folder)
            .with_context(|| format!("remove {}", self.folder.display()))?;
        // Other runs may lie beside it.
        let _ = self.folder.parent().map(std::fs::remove_dir);
        Ok(())
    }
}

fn genesis(
    mix: Mix,
    validators: &[(Home, PublicKey)],
    attester: &SecretKey,
    now: u64,
) -> Result<Genesis> {
    let set = validators.iter().enumerate().map(|(at, (_, key))| {
        Ok(Validator {
            key: *key,
            power: 1,
            operator: format!("op-{}", at + 1).parse()?,
        })
    });
    let (mechanism, window_ms) = match mix {
        Mix::Submit => ("first-price", DAY_MS),
        Mix::FirstPrice => ("first-price", 1),
        Mix::Assignment => ("assignment", 1),
    };
    let market = Market {
        name: "bench".parse()?,
        reserve: None,
        trusted: false,
        attempts: 5,
        lease_ms: DAY_MS,
        solve_ms: None,
        mechanism: mechanism.parse()?,
        reveal_ms: None,
        window_ms,
    };
    let genesis = Genesis {
        name: "bench".parse()?,
        created: now.saturating_sub(1),
        markets: vec![market],
        version: PROTOCOL_VERSION,
        admission: Admission::Attestation,
        attesters: vec![Attester {
            key: attester.public_key(),
            name: "bench".parse()?,
        }],
        parameters: Parameters::default(),
        validators: ValidatorSet::new(set.collect::<Result<_>>()?)?,
    };
    genesis.check()?;
    Ok(genesis)
}
