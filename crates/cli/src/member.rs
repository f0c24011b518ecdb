//! The public card of a node, `member.toml`: what others need to know of it, and nothing secret.

use std::path::Path;

use anyhow::{Context, Result};
use quorate_crypto::check_public_key;
use quorate_node::Multiaddr;
use quorate_types::{Label, Power, PublicKey};
use serde::{Deserialize, Serialize};

/// What `quorate init` writes for others.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Member {
    /// Public key of the node.
    pub(crate) key: PublicKey,
    /// Who runs it.
    pub(crate) operator: Label,
    /// Voting power it is proposed with, at least 1.
    pub(crate) power: Power,
    /// Where it can be reached, with its peer id; may be empty.
    #[serde(default)]
    pub(crate) addresses: Vec<Multiaddr>,
}

/// Name of the file.
pub(crate) const FILE: &str = "member.toml";

const HEADING: &str = "\
# The public card of a node: hand it to whoever makes the genesis or attests capabilities.
# Nothing in it is secret. The secret half is the file `key` beside it, which nobody else needs.
";

impl Member {
    /// Reads a card.
    ///
    /// # Errors
    /// Names file and field.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let name = || path.display().to_string();
        let text = std::fs::read_to_string(path).with_context(name)?;
        let member: Self = toml::from_str(&text).with_context(name)?;
        check_public_key(&member.key).with_context(|| format!("{}: `key`", path.display()))?;
        Ok(member)
    }

    /// Writes the card; replaces none.
    ///
    /// # Errors
    /// Names the file.
    pub(crate) fn write(&self, path: &Path) -> Result<()> {
        let text = format!("{HEADING}\n{}", toml::to_string(self)?);
        crate::output::write_new(path, text.as_bytes())
    }
}

/// The key in `text`: 64 hexadecimal digits, or the `key` of a member.toml of that name.
///
/// # Errors
/// Where it is neither, or a weak key.
pub(crate) fn key_of(text: &str) -> Result<PublicKey> {
    let Ok(key) = text.parse::<PublicKey>() else {
        let member = Member::read(Path::new(text));
        let hint =
            || format!("`{text}` is neither a key of 64 hexadecimal digits nor a member.toml");
        return Ok(member.with_context(hint)?.key);
    };
    check_public_key(&key)?;
    Ok(key)
}
