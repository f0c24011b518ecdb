//! The genesis as a file that a person reads.

use std::path::{Path, PathBuf};

use quorate_types::Genesis;

/// Why a genesis file is none.
#[derive(Debug, thiserror::Error)]
pub enum GenesisFileError {
    /// The file cannot be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// File.
        path: PathBuf,
        /// Cause.
        source: std::io::Error,
    },
    /// The file is not what it should be.
    #[error("{}: {source}", path.display())]
    Parse {
        /// File.
        path: PathBuf,
        /// Field and place.
        source: Box<toml::de::Error>,
    },
    /// The file is well-formed, but breaks a rule.
    #[error("{}: {source}", path.display())]
    Invalid {
        /// File.
        path: PathBuf,
        /// Rule.
        source: quorate_types::genesis::GenesisError,
    },
    /// It cannot be written as text.
    #[error("the genesis cannot be written as text: {0}")]
    Write(#[from] toml::ser::Error),
}

const HEADING: &str = "\
# The genesis of a swarm. Whoever holds this file can check the swarm's certificates with it alone.
# Its canonical form is hashed into the swarm id: change anything, and it is another swarm.
# swarm id: ";

/// Reads and checks a genesis.
///
/// # Errors
/// [`GenesisFileError`] naming file and field.
pub fn read_genesis(path: &Path) -> Result<Genesis, GenesisFileError> {
    let io = |source| GenesisFileError::Io {
        path: path.to_owned(),
        source,
    };
    let text = std::fs::read_to_string(path).map_err(io)?;
    let genesis: Genesis = toml::from_str(&text).map_err(|source| GenesisFileError::Parse {
        path: path.to_owned(),
        source: Box::new(source),
    })?;
    genesis
        .check()
        .map_err(|source| GenesisFileError::Invalid {
            path: path.to_owned(),
            source,
        })?;
    Ok(genesis)
}

/// Writes a genesis with a heading that says what it is.
///
/// # Errors
/// [`GenesisFileError`] naming the file.
pub fn write_genesis(path: &Path, genesis: &Genesis) -> Result<(), GenesisFileError> {
    let text = format!(
        "{HEADING}{}\n\n{}",
        genesis.swarm_id(),
        toml::to_string(genesis)?
    );
    std::fs::write(path, text).map_err(|source| GenesisFileError::Io {
        path: path.to_owned(),
        source,
    })
}
