//! The public card of a node, `member.toml`: everything that others need to know of the node, and
//! nothing that is secret.

use std::path::Path;

use anyhow::{Context, Result};
use quorate_console::write_new;
use quorate_crypto::check_public_key;
use quorate_node::Multiaddr;
use quorate_types::{Label, Power, PublicKey};
use serde::{Deserialize, Serialize};

/// The content of a card. `quorate init` writes it, and others read it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Member {
    /// Public key of the node.
    pub(crate) key: PublicKey,
    /// Name of whoever runs the node.
    pub(crate) operator: Label,
    /// Voting power that the card proposes for the node as a validator, at least 1.
    pub(crate) power: Power,
    /// Addresses at which the node can be reached, with its peer id. May be empty.
    #[serde(default)]
    pub(crate) addresses: Vec<Multiaddr>,
}

/// Name of the card's file in a node's folder.
pub(crate) const FILE: &str = "member.toml";

const HEADING: &str = "\
# The public card of a node: hand it to whoever makes the genesis or attests capabilities.
# Nothing in it is secret. The secret half is the file `key` beside it, which nobody else needs.
";

impl Member {
    /// Reads a card and checks its key.
    ///
    /// # Errors
    /// If the file cannot be read, is not a valid card, or has a weak or malformed key. The error
    /// names the file and the field.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let name = || path.display().to_string();

        let text = std::fs::read_to_string(path).with_context(name)?;
        let member: Self = toml::from_str(&text).with_context(name)?;

        check_public_key(&member.key).with_context(|| format!("{}: `key`", path.display()))?;
        Ok(member)
    }

    /// Writes the card to a new file.
    ///
    /// # Errors
    /// If the file exists already or cannot be written. The error names it.
    pub(crate) fn write(&self, path: &Path) -> Result<()> {
        let text = format!("{HEADING}\n{}", toml::to_string(self)?);
        write_new(path, text.as_bytes())
    }
}

/// The key that `text` gives: 64 hexadecimal digits, or the `key` of the `member.toml` of that
/// name.
///
/// # Errors
/// If the text is neither, or if the key is weak or malformed.
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
