//! Tests of the walls between crates, by `cargo metadata`. The table is that of the architecture
//! chapter of the book. Dependencies of tests do not count.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::error::Error;
use std::process::Command;

use quorate_tests::repository;
use serde_json::Value;

type Checked = Result<(), Box<dyn Error>>;

/// Each crate of the workspace, without its prefix, and the other crates of it that it may use.
const ROOMS: [(&str, &[&str]); 25] = [
    ("types", &[]),
    ("crypto", &["types"]),
    ("market", &["types"]),
    ("ledger", &["types", "crypto", "market"]),
    ("consensus", &["types", "crypto"]),
    ("certificate", &["types", "crypto", "market"]),
    (
        "replica",
        &[
            "types",
            "crypto",
            "market",
            "ledger",
            "consensus",
            "certificate",
        ],
    ),
    ("store", &["types"]),
    (
        "durable",
        &["types", "crypto", "ledger", "replica", "store"],
    ),
    ("network", &["types"]),
    ("agent", &["types", "crypto", "certificate"]),
    (
        "node",
        &[
            "types",
            "crypto",
            "market",
            "ledger",
            "consensus",
            "certificate",
            "replica",
            "store",
            "durable",
            "network",
            "agent",
        ],
    ),
    ("oracle", &["types", "crypto", "market"]),
    (
        "sim",
        &[
            "types",
            "crypto",
            "market",
            "oracle",
            "ledger",
            "consensus",
            "certificate",
            "replica",
            "store",
            "durable",
            "agent",
        ],
    ),
    ("twins", &["types", "crypto", "ledger", "replica", "sim"]),
    ("quorate", &["agent", "certificate", "node", "types"]),
    ("drone", &["agent", "types"]),
    ("command", &["agent", "types"]),
    // The trader uses only the façade, as an agent of an outside author would.
    ("trader", &["quorate"]),
    ("console", &[]),
    ("bench", &["types", "crypto", "network", "node", "console"]),
    (
        "demo",
        &[
            "types",
            "market",
            "certificate",
            "node",
            "drone",
            "trader",
            "console",
        ],
    ),
    ("cli", ANY),
    ("tests", ANY),
    (
        "fuzz",
        &[
            "types",
            "crypto",
            "ledger",
            "certificate",
            "replica",
            "store",
            "agent",
        ],
    ),
];

/// All crates of the workspace.
const ANY: &[&str] = &["*"];

/// The crates that bring in a runtime or sockets.
const RUNTIME: &[&str] = &[
    "async-io",
    "async-std",
    "hyper",
    "hyper-util",
    "libp2p",
    "libp2p-core",
    "mio",
    "smol",
    "socket2",
    "tokio",
];

/// The crates that a crate must not depend on, directly or indirectly.
const NEVER: [(&str, &[&str]); 22] = [
    ("types", RUNTIME),
    ("crypto", RUNTIME),
    ("market", RUNTIME),
    ("market", &["ed25519-dalek", "quorate-crypto"]),
    ("ledger", RUNTIME),
    ("ledger", &["quorate-consensus"]),
    ("consensus", RUNTIME),
    ("consensus", &["quorate-ledger", "quorate-market"]),
    ("certificate", RUNTIME),
    ("certificate", &["quorate-consensus", "quorate-ledger"]),
    ("replica", RUNTIME),
    ("store", RUNTIME),
    ("durable", RUNTIME),
    (
        "network",
        &[
            "quorate-certificate",
            "quorate-consensus",
            "quorate-ledger",
            "quorate-market",
        ],
    ),
    ("agent", RUNTIME),
    (
        "agent",
        &["quorate-consensus", "quorate-ledger", "quorate-network"],
    ),
    ("oracle", RUNTIME),
    // The oracle judges these, so it must not ask them.
    (
        "oracle",
        &[
            "quorate-certificate",
            "quorate-consensus",
            "quorate-ledger",
            "quorate-replica",
        ],
    ),
    ("sim", RUNTIME),
    ("twins", RUNTIME),
    ("fuzz", RUNTIME),
    ("quorate", &["clap", "quorate-cli", "quorate-sim"]),
];

#[test]
fn every_crate_has_a_room() -> Checked {
    let workspace = Workspace::read()?;
    let known: BTreeSet<String> = ROOMS.iter().map(|(name, _)| full(name)).collect();
    let strangers = workspace
        .members
        .keys()
        .filter(|name| !known.contains(*name));
    let findings: Vec<String> = strangers
        .map(|name| format!("{}:1: {name} is not in the table", workspace.manifest(name)))
        .collect();
    repository::none(&findings)
}

#[test]
fn every_crate_uses_only_what_its_room_may() -> Checked {
    let workspace = Workspace::read()?;
    let mut findings = Vec::new();
    for (name, allowed) in ROOMS.iter().filter(|(_, allowed)| *allowed != ANY) {
        let (name, allowed) = (full(name), allowed.iter().map(|name| full(name)));
        let allowed: BTreeSet<String> = allowed.collect();
        for used in workspace.uses(&name) {
            if workspace.members.contains_key(used) && !allowed.contains(used) {
                findings.push(format!(
                    "{} may not use {used}",
                    workspace.line(&name, used)?
                ));
            }
        }
    }
    repository::none(&findings)
}

#[test]
fn what_a_crate_never_holds_is_not_below_it_either() -> Checked {
    let workspace = Workspace::read()?;
    let mut findings = Vec::new();
    for (name, never) in NEVER {
        let name = full(name);
        let below = workspace.closure(&name);
        for (found, path) in below.iter().filter(|(found, _)| never.contains(found)) {
            let first = path.get(1).copied().unwrap_or(found);
            let line = workspace.line(&name, first)?;
            findings.push(format!("{line} brings in {found}: {}", path.join(" > ")));
        }
    }
    repository::none(&findings)
}

/// If the graph were read wrongly, all other tests might pass: so some known edges are checked.
#[test]
fn the_graph_is_read_at_all() -> Checked {
    let workspace = Workspace::read()?;
    let below = workspace.closure("quorate-network");
    for expected in ["tokio", "libp2p", "libp2p-core"] {
        assert!(below.contains_key(expected), "{expected}");
    }
    assert!(
        workspace
            .closure("quorate-cli")
            .contains_key("quorate-consensus")
    );
    assert!(
        workspace.uses("quorate-node").any(|name| name == "hyper"),
        "quorate-node must use hyper for monitoring"
    );
    let tests_only = workspace
        .uses("quorate-types")
        .any(|name| name == "proptest");
    assert!(!tests_only, "dependencies of tests must not be counted");
    Ok(())
}

/// The name of the package of a crate in the tables.
fn full(room: &str) -> String {
    if room == "quorate" {
        room.to_owned()
    } else {
        format!("quorate-{room}")
    }
}

/// The dependency graph by names of packages, without dependencies of tests.
struct Workspace {
    /// The crates of the workspace, with the paths of their manifests from the root.
    members: BTreeMap<String, String>,
    uses: BTreeMap<String, BTreeSet<String>>,
}

impl Workspace {
    fn read() -> Result<Self, Box<dyn Error>> {
        let metadata = metadata()?;
        let ours: BTreeSet<String> = list(&metadata["workspace_members"]).map(text).collect();
        let root = format!("{}/", text(&metadata["workspace_root"]));
        let mut names = BTreeMap::new();
        let mut members = BTreeMap::new();
        for package in list(&metadata["packages"]) {
            let (id, name) = (text(&package["id"]), text(&package["name"]));
            if ours.contains(&id) {
                let manifest = text(&package["manifest_path"]).replacen(&root, "", 1);
                members.insert(name.clone(), manifest);
            }
            names.insert(id, name);
        }
        let name_of = |id: &Value| names.get(&text(id)).cloned().unwrap_or_default();
        let mut uses: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for node in list(&metadata["resolve"]["nodes"]) {
            let below = list(&node["deps"]).filter(|used| is_shipped(used));
            let below = below.map(|used| name_of(&used["pkg"]));
            uses.entry(name_of(&node["id"])).or_default().extend(below);
        }
        Ok(Self { members, uses })
    }

    fn uses(&self, name: &str) -> impl Iterator<Item = &str> {
        self.uses
            .get(name)
            .into_iter()
            .flatten()
            .map(String::as_str)
    }

    /// All direct and indirect dependencies of a crate, each with a shortest path to it.
    fn closure<'a>(&'a self, name: &'a str) -> BTreeMap<&'a str, Vec<&'a str>> {
        let mut paths = BTreeMap::from([(name, vec![name])]);
        let mut queue = VecDeque::from([name]);
        while let Some(at) = queue.pop_front() {
            let path = paths.get(at).cloned().unwrap_or_default();
            for next in self.uses(at) {
                if !paths.contains_key(next) {
                    paths.insert(next, path.iter().copied().chain([next]).collect());
                    queue.push_back(next);
                }
            }
        }
        paths.remove(name);
        paths
    }

    fn manifest(&self, name: &str) -> &str {
        self.members.get(name).map_or("Cargo.toml", String::as_str)
    }

    /// The place, as `file:line:`, at which the manifest of a crate names another crate.
    fn line(&self, name: &str, used: &str) -> Result<String, Box<dyn Error>> {
        let manifest = self.manifest(name);
        let text = std::fs::read_to_string(repository::root().join(manifest))?;
        let names = |line: &str| {
            line.strip_prefix(used)
                .is_some_and(|rest| rest.starts_with(['.', ' ', '=']))
        };
        let number = text.lines().position(names).map_or(1, |index| index + 1);
        Ok(format!("{manifest}:{number}:"))
    }
}

/// Whether a dependency is used by more than tests.
fn is_shipped(used: &Value) -> bool {
    list(&used["dep_kinds"]).any(|kind| kind["kind"] != "dev")
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// Reads the resolved graph for the platform of this machine. Nothing is fetched, because the
/// workspace was built from these crates.
fn metadata() -> Result<Value, Box<dyn Error>> {
    let version = Command::new("rustc").arg("-vV").output()?;
    let version = String::from_utf8(version.stdout)?;
    let host = version
        .lines()
        .find_map(|line| line.strip_prefix("host: "))
        .ok_or("no host")?;
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked", "--offline"])
        .args(["--filter-platform", host])
        .current_dir(repository::root())
        .output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}
