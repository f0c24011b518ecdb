//! The genesis as a file that people can read.

use std::path::{Path, PathBuf};

use quorate_types::Genesis;

/// The reason why a genesis cannot be read from a file or written to one.
#[derive(Debug, thiserror::Error)]
pub enum GenesisFileError {
    /// The file cannot be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The path of the file.
        path: PathBuf,
        /// The error of the system.
        source: std::io::Error,
    },
    /// The file is not valid TOML, or a field is missing, unknown or of a wrong type.
    #[error("{}: {source}", path.display())]
    Parse {
        /// The path of the file.
        path: PathBuf,
        /// The error, with field and place.
        source: Box<toml::de::Error>,
    },
    /// The file is well-formed, but breaks a rule.
    #[error("{}: {source}", path.display())]
    Invalid {
        /// The path of the file.
        path: PathBuf,
        /// The rule that it breaks.
        source: quorate_types::genesis::GenesisError,
    },
    /// The genesis cannot be written as text.
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
/// [`GenesisFileError`], which names the file and the field.
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

/// Writes a genesis with a heading that explains it.
///
/// # Errors
/// [`GenesisFileError`], which names the file.
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
