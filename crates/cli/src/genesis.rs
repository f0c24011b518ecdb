//! `quorate genesis`: makes the genesis of a swarm from the public cards of its founders.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use quorate_certificate::TrustRoot;
use quorate_console::say;
use quorate_market::{Bidding, check_mechanisms, mechanism};
use quorate_node::write_genesis;
use quorate_types::genesis::{Admission, Attester, Parameters};
use quorate_types::{Genesis, Label, Market, PROTOCOL_VERSION, Power, Validator, ValidatorSet};
use serde::Deserialize;

use crate::member::{Member, key_of};
use crate::values::unix_now;

/// Make the genesis of a swarm: its first validators, its attesters, its markets
///
/// The genesis is a text file. Its hash is the id of the swarm, and whoever has the file can check
/// every certificate of the swarm offline. Give it to every member, and tell auditors its
/// fingerprint over another channel than the one that carries the file.
///
/// Every genesis has a market `tasks`, unless the market file has one of that name. It assigns all
/// due tasks together at the least total cost, collects bids for one second, and gives leases of 10
/// seconds and five attempts.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Example:
  quorate genesis --name harbour --validator alice/member.toml bob/member.toml carol/member.toml \\
    dave/member.toml --attester port-authority=authority/member.toml --market-file markets.toml

A market file:
  [[markets]]
  name = \"drones\"
  mechanism = \"gap\"          # quorate markets lists them
  window_ms = 500            # how long bids are collected, at least
  lease_ms = 30000           # how long an agent may be silent before its assignment may lapse
  attempts = 3               # how many assignments a task may have before it fails

Fields of a market that may be left out:
  reveal_ms = 500            # seals the bids; how long agents may open them, at least
  solve_ms = 2000            # how long members may propose solutions, at least (quorate propose);
                             # only if the mechanism takes solutions, as gap does
  reserve = 10000            # the highest price paid for any task
  trusted = true             # closes windows by time alone, so that fewer than a third of the
                             # power could keep a bid out")]
pub(crate) struct Args {
    /// Name of the swarm, for people.
    #[arg(long)]
    name: Label,
    /// Public cards of the validators, as `quorate init` makes them.
    #[arg(long, value_name = "MEMBER.toml", required = true, num_args = 1..)]
    validator: Vec<PathBuf>,
    /// Attesters, whose word on capabilities counts: NAME=KEY, NAME=MEMBER.toml, or MEMBER.toml
    /// (named after its operator).
    #[arg(long, value_name = "NAME=KEY|MEMBER.toml", num_args = 1..)]
    attester: Vec<String>,
    /// File with further markets, in the form that is described below.
    #[arg(long, value_name = "FILE")]
    market_file: Option<PathBuf>,
    /// File to write. It must not exist yet.
    #[arg(long, value_name = "FILE", default_value = "genesis.toml")]
    out: PathBuf,
}

/// Writes the genesis, and prints the swarm id and its fingerprint.
///
/// # Errors
/// If a card, an attester or a market is not valid (the error names it), or the file exists
/// already.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let genesis = genesis_of(args)?;
    let root = TrustRoot::from_genesis(&genesis)?;

    // A trust root does not know the mechanisms, so these are checked apart.
    check_mechanisms(&genesis.markets).with_context(|| match &args.market_file {
        Some(file) => file.display().to_string(),
        None => "the markets".to_owned(),
    })?;

    for warning in warnings(&genesis) {
        eprintln!("warning: {warning}");
    }

    ensure!(
        !args.out.exists(),
        "{}: exists already, and a genesis cannot be changed; choose another file with --out",
        args.out.display()
    );
    write_genesis(&args.out, &genesis)?;

    say_swarm(&root, &args.out)?;
    Ok(ExitCode::SUCCESS)
}

/// The genesis of the members and markets that the arguments name.
fn genesis_of(args: &Args) -> Result<Genesis> {
    Ok(Genesis {
        name: args.name.clone(),
        created: unix_now(),
        markets: markets(args.market_file.as_deref())?,
        version: PROTOCOL_VERSION,
        admission: Admission::Attestation,
        attesters: attesters(&args.attester)?,
        parameters: Parameters::default(),
        validators: validators(&args.validator)?,
    })
}

fn say_swarm(root: &TrustRoot, out: &Path) -> Result<()> {
    say(format!("swarm       {}", root.swarm()))?;
    say(format!("fingerprint {}", root.fingerprint()))?;
    say(format!(
        "Next, for every member: quorate join DIR {}; then quorate node DIR",
        out.display()
    ))
}

fn validators(paths: &[PathBuf]) -> Result<ValidatorSet> {
    let mut by_key = BTreeMap::new();
    for path in paths {
        let Member {
            key,
            power,
            operator,
            ..
        } = Member::read(path)?;
        ensure!(power > 0, "{}: `power` must be at least 1", path.display());

        let validator = Validator {
            key,
            power,
            operator,
        };
        ensure!(
            by_key.insert(key, validator).is_none(),
            "{}: `key` {key} is already that of another validator",
            path.display()
        );
    }

    // A set must be in ascending order of the keys, with each key once.
    ValidatorSet::new(by_key.into_values().collect()).context("the validators")
}

fn attesters(texts: &[String]) -> Result<Vec<Attester>> {
    let mut by_key = BTreeMap::new();
    for text in texts {
        let attester = attester(text).with_context(|| format!("--attester {text}"))?;
        let key = attester.key;
        ensure!(
            by_key.insert(key, attester).is_none(),
            "--attester {text}: this key is given twice"
        );
    }

    Ok(by_key.into_values().collect())
}

fn attester(text: &str) -> Result<Attester> {
    if let Some((name, key)) = text.split_once('=')
        && let Ok(name) = name.parse()
    {
        return Ok(Attester {
            key: key_of(key)?,
            name,
        });
    }

    let hint = "expected NAME=KEY, NAME=MEMBER.toml or MEMBER.toml";
    let Member { key, operator, .. } = Member::read(Path::new(text)).context(hint)?;
    Ok(Attester {
        key,
        name: operator,
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MarketFile {
    markets: Vec<Market>,
}

fn markets(file: Option<&Path>) -> Result<Vec<Market>> {
    let tasks = tasks_market()?;
    let mut by_name = BTreeMap::from([(tasks.name.clone(), tasks)]);

    if let Some(path) = file {
        for market in read_markets(path)? {
            by_name.insert(market.name.clone(), market);
        }
    }

    Ok(by_name.into_values().collect())
}

/// Reads a market file. A market of it may take the place of the default one, but of no other in
/// the file.
fn read_markets(path: &Path) -> Result<Vec<Market>> {
    let name = || path.display().to_string();
    let text = std::fs::read_to_string(path).with_context(name)?;
    let MarketFile { markets } = toml::from_str(&text).with_context(name)?;

    let mut seen = BTreeSet::new();
    for market in &markets {
        ensure!(
            seen.insert(&market.name),
            "{}: two markets are named `{}`",
            name(),
            market.name
        );
    }

    Ok(markets)
}

/// The market `tasks`, which every genesis has unless its market file has one of that name.
fn tasks_market() -> Result<Market> {
    Ok(Market {
        name: "tasks".parse()?,
        reserve: None,
        trusted: false,
        attempts: 5,
        lease_ms: 10_000,
        solve_ms: None,
        mechanism: "assignment".parse()?,
        reveal_ms: None,
        window_ms: 1_000,
    })
}

/// Warnings about settings that are allowed but probably not intended.
fn warnings(genesis: &Genesis) -> Vec<String> {
    let set = &genesis.validators;
    let mut warnings = Vec::new();

    if set
        .iter()
        .any(|validator| holds_third(validator.power, set))
    {
        warnings.push(
            "no fault is tolerated: one validator holds a third of the power or more, so it can \
             stop the swarm by stopping and split it by lying (four validators of equal power \
             tolerate one fault)"
                .to_owned(),
        );
    }

    warnings.extend(warn_of_operators(set));
    warnings.extend(warn_of_open_bids(&genesis.markets));

    if genesis.attesters.is_empty() {
        warnings.push("without an attester no agent or requester can ever join".to_owned());
    }
    warnings
}

/// Whether this is a third of the power or more. A quorum needs more than two thirds, so whoever
/// holds a third can stop the swarm.
fn holds_third(power: Power, set: &ValidatorSet) -> bool {
    3 * u128::from(power) >= u128::from(set.total())
}

/// A warning for each operator whose validators together hold a third of the power.
fn warn_of_operators(set: &ValidatorSet) -> Vec<String> {
    let mut power_of: BTreeMap<&Label, Power> = BTreeMap::new();
    for validator in set {
        *power_of.entry(&validator.operator).or_default() += validator.power;
    }

    let total = set.total();
    let strong = power_of
        .iter()
        .filter(|(_, power)| holds_third(**power, set));
    let warnings = strong.map(|(operator, power)| {
        format!("operator `{operator}` holds {power} of {total} of the power: a third or more")
    });

    warnings.collect()
}

/// A warning for each market with open bids whose mechanism needs sealed ones.
fn warn_of_open_bids(markets: &[Market]) -> Vec<String> {
    let open = markets.iter().filter(|market| !market.is_sealed());
    let trusting = open.filter(|market| {
        mechanism(&market.mechanism).is_some_and(|rule| rule.about().bidding == Bidding::Sealed)
    });

    let warnings = trusting.map(|market| {
        let Market {
            name, mechanism, ..
        } = market;
        format!(
            "market `{name}`: the guarantee of `{mechanism}` holds only for sealed bids, and the \
             bids here are open; `reveal_ms = 500` seals them"
        )
    });

    warnings.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use quorate_crypto::SecretKey;
    use quorate_types::UnixMillis;

    fn genesis(members: &[(&str, Power)]) -> Genesis {
        let validators = (1..)
            .zip(members)
            .map(|(seed, (operator, power))| Validator {
                key: SecretKey::from_seed(&[seed; 32]).public_key(),
                power: *power,
                operator: operator.parse().unwrap(),
            });
        let key = SecretKey::from_seed(&[99; 32]).public_key();
        Genesis {
            name: "test".parse().unwrap(),
            created: UnixMillis(1),
            markets: markets(None).unwrap(),
            version: PROTOCOL_VERSION,
            admission: Admission::Attestation,
            attesters: vec![Attester {
                key,
                name: "port".parse().unwrap(),
            }],
            parameters: Parameters::default(),
            validators: ValidatorSet::new(validators.collect()).unwrap(),
        }
    }

    #[test]
    fn the_default_market_makes_a_valid_genesis() {
        assert_eq!(genesis(&[("a", 1)]).check(), Ok(()));
    }

    #[test]
    fn power_in_few_hands_is_warned_of() {
        for (members, count) in [
            (vec![("a", 1), ("b", 1), ("c", 1), ("d", 1)], 0),
            (vec![("a", 1), ("b", 1), ("c", 1)], 4),
            (vec![("a", 1), ("a", 1), ("b", 1), ("c", 1)], 1),
            (vec![("a", 3), ("b", 2), ("c", 2), ("d", 2)], 2),
            (vec![("a", 3), ("b", 3), ("c", 2), ("d", 2)], 0),
        ] {
            assert_eq!(warnings(&genesis(&members)).len(), count, "{members:?}");
        }
    }
}
