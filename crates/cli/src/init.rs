//! `quorate init`: makes the folder of a node, with its key and its public card.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use quorate_console::{say, write_new};
use quorate_network::with_peer_id;
use quorate_node::{DataDir, Multiaddr, NodeConfig};
use quorate_types::{Label, Power, PublicKey, limits};

use crate::member::{self, Member};

/// Make the folder of a node: its key, its configuration, and its public card
///
/// Every node starts here: validators, agents, attesters and requesters alike. The folder gets
/// `key` (secret: only you can read it), `node.toml` (how the node runs, with each field explained)
/// and `member.toml` (its public card: give it to the person who makes the genesis or attests
/// capabilities).
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Example: quorate init alice --operator alice-ltd --listen /ip4/192.0.2.1/tcp/7400

A validator must listen on an address that the others can reach. Agents, attesters and requesters
need no address.")]
pub(crate) struct Args {
    /// Folder to make.
    dir: PathBuf,
    /// Name of whoever runs this node: 1 to 32 of the characters a-z, 0-9, `_`, `-` and `.`.
    /// Auditors count how many operators signed.
    #[arg(long, value_name = "NAME")]
    operator: Label,
    /// Voting power that the card proposes for this node, if it becomes a validator.
    #[arg(long, value_name = "N", default_value_t = 1,
        value_parser = clap::value_parser!(u64).range(1..=limits::TOTAL_POWER))]
    power: Power,
    /// Address to listen on, TCP or QUIC; port 0 takes any free port. May be repeated.
    #[arg(long, value_name = "ADDR")]
    listen: Vec<Multiaddr>,
}

/// Makes the folder and the three files in it.
///
/// # Errors
/// If there is a node in the folder already, or a file cannot be written.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let data_dir = DataDir::new(&args.dir);

    // Before the key is made, so that a second call changes nothing.
    refuse_second_node(&args.dir)?;
    let key = data_dir.create_key()?.public_key();

    let member = card(args, key);
    member.write(&args.dir.join(member::FILE))?;
    write_new(
        &args.dir.join(CONFIG),
        config_text(&args.listen)?.as_bytes(),
    )?;

    say_next_step(&args.dir, &member)?;
    Ok(ExitCode::SUCCESS)
}

fn refuse_second_node(dir: &Path) -> Result<()> {
    for name in [member::FILE, CONFIG] {
        let path = dir.join(name);
        ensure!(
            !path.exists(),
            "{}: exists already, and a node is made once; choose another folder",
            path.display()
        );
    }

    Ok(())
}

/// The public card of the node. It names only addresses that others can dial.
fn card(args: &Args, key: PublicKey) -> Member {
    let stable = args.listen.iter().filter(|address| is_reachable(address));

    Member {
        key,
        operator: args.operator.clone(),
        power: args.power,
        addresses: stable
            .map(|address| with_peer_id(address, &key.0))
            .collect(),
    }
}

/// Name of the configuration file in a node's folder.
pub(crate) const CONFIG: &str = "node.toml";

fn say_next_step(dir: &Path, member: &Member) -> Result<()> {
    let dir = dir.display();
    say(format!("key {}", member.key))?;

    if member.addresses.is_empty() {
        say(
            "Its card names no address that others can dial. That is fine for an agent or \
             requester; members that start from this node need one in their `boot`.",
        )?;
    }

    say(format!(
        "Next: give {dir}/member.toml to whoever makes the genesis (quorate genesis) or attests \
         capabilities (quorate attest); then quorate join {dir} genesis.toml"
    ))
}

/// Whether others can dial the address as it is written: it has a fixed port, and names one
/// interface instead of all.
fn is_reachable(address: &Multiaddr) -> bool {
    let text = address.to_string();
    let mut parts = text.split('/');
    !parts.any(|part| matches!(part, "0" | "0.0.0.0" | "::"))
}

/// The text of a configuration file that explains each of its fields.
fn config_text(listen: &[Multiaddr]) -> Result<String> {
    let defaults = NodeConfig::default();
    let pace = defaults.pace;
    let listen = toml::Value::try_from(listen).context("the addresses")?;

    Ok(format!(
        "\
# How this node runs. Every field may be left out. Environment variables override this file
# (QUORATE_LISTEN, QUORATE_BOOT, QUORATE_ANNOUNCE, QUORATE_MDNS, QUORATE_MONITOR), and flags
# override both.

# Addresses to listen on, TCP or QUIC. Port 0 takes any free port.
# For example [\"/ip4/0.0.0.0/tcp/7400\", \"/ip4/0.0.0.0/udp/7400/quic-v1\"]
listen = {listen}

# Addresses of members to start from; it is enough that one of them answers.
boot = []

# Addresses to announce instead of those listened on, for a node behind an address translator.
announce = []

# Whether to look for members on the local network by multicast DNS.
mdns = {mdns}

# Address of a validator's monitoring endpoint (/metrics, /health, /status); without it, off.
# monitor = \"127.0.0.1:7490\"

# Timeouts of a validator. They are local: members need not use the same.
[pace]
# Least and greatest base of the propose timeout, in milliseconds; it adapts between the two.
least_ms = {least}
most_ms = {most}
# Milliseconds without progress after which this node tells its peers how far it is.
resend_ms = {resend}
# Milliseconds by which a block's time may differ from this node's clock.
timely_ms = {timely}
",
        mdns = defaults.mdns,
        least = pace.least_ms,
        most = pace.most_ms,
        resend = pace.resend_ms,
        timely = pace.timely_ms,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_written_configuration_is_the_default_one() {
        let text = config_text(&[]).unwrap();
        assert_eq!(
            toml::from_str::<NodeConfig>(&text).unwrap(),
            NodeConfig::default()
        );
        let listen: Multiaddr = "/ip4/127.0.0.1/tcp/0".parse().unwrap();
        let text = config_text(std::slice::from_ref(&listen)).unwrap();
        assert_eq!(
            toml::from_str::<NodeConfig>(&text).unwrap().listen,
            [listen]
        );
    }

    #[test]
    fn only_addresses_that_lead_somewhere_go_on_the_card() {
        for (text, reachable) in [
            ("/ip4/192.0.2.1/tcp/7400", true),
            ("/dns4/alice.example/udp/7400/quic-v1", true),
            ("/ip4/0.0.0.0/tcp/7400", false),
            ("/ip6/::/tcp/7400", false),
            ("/ip4/192.0.2.1/tcp/0", false),
        ] {
            assert_eq!(is_reachable(&text.parse().unwrap()), reachable, "{text}");
        }
    }
}
