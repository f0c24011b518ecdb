//! The conditions under which a folder can act as a member of its swarm: `submit` and `propose`
//! check them before their node starts.

use anyhow::{Result, bail, ensure};
use quorate_node::DataDir;
use quorate_types::{Genesis, Market};

/// Checks early what would otherwise show only after a long wait: that the folder belongs to a
/// member that the swarm knows and that is not a validator, and that it has a member to start from.
/// `what` is the verb for what the member wants to do.
///
/// # Errors
/// If something is missing. The error says how to get it.
pub(crate) fn check_member(data_dir: &DataDir, genesis: &Genesis, what: &str) -> Result<()> {
    let key = data_dir.key()?.public_key();
    let dir = data_dir.root().display();

    ensure!(
        genesis.validators.get(&key).is_none(),
        "{dir}: its key is a validator's, and only the validator may use it; {what} from another \
         folder (quorate init, quorate attest, quorate join)"
    );

    // The genesis itself names the attesters, so they need no attestation.
    if data_dir.attestation()?.is_none() && !genesis.is_attester(&key) {
        bail!(
            "{dir}: has no attestation, so the swarm does not know it; give {dir}/member.toml to \
             an attester (quorate attest), then quorate join {dir} genesis.toml --attestation FILE"
        );
    }

    let config = data_dir.config()?;
    ensure!(
        !config.boot.is_empty() || config.mdns,
        "{dir}/node.toml: `boot` is empty, so there is no member to start from; add one with \
         quorate join {dir} genesis.toml --boot ADDR"
    );

    Ok(())
}

/// The names of markets, in one line.
pub(crate) fn names_of(markets: &[Market]) -> String {
    let names: Vec<_> = markets.iter().map(|market| market.name.as_str()).collect();
    names.join(", ")
}
